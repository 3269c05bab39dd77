/* t5.c - the encoder of T5 (Raffel et al., 2019) and mT5 (Xue et al., 2020): a norm by the root mean square before each
 * half of a layer, no biases, scores that are not divided, and biases by distance that all layers share, which are in
 * the first. The feed-forward block is gated in version 1.1 and mT5. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/arch/t5.h"
#include "model/config.h"
#include "model/config_numbers.h"
#include "model/layer_steps.h"

#define BLOCK "encoder.block.%u.layer."
#define OUTSIDE                                                                                                 \
  {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "shared", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},                          \
      {AQ_ROLE_POSITION_BIAS, AQ_WEIGHT_TABLE, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias", \
       AQ_DIM_BUCKETS,        AQ_DIM_HEADS,    0},                                                              \
  {                                                                                                             \
    AQ_ROLE_FINAL_NORM, AQ_WEIGHT_NORM, "encoder.final_layer_norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0               \
  }
#define ATTENTION                                                                                        \
  {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, BLOCK "0.SelfAttention.q", AQ_DIM_QUERIES, AQ_DIM_HIDDEN, 0},        \
      {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, BLOCK "0.SelfAttention.k", AQ_DIM_QUERIES, AQ_DIM_HIDDEN, 0},      \
      {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, BLOCK "0.SelfAttention.v", AQ_DIM_QUERIES, AQ_DIM_HIDDEN, 0}, {  \
    AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, BLOCK "0.SelfAttention.o", AQ_DIM_HIDDEN, AQ_DIM_QUERIES, 1 \
  }
#define DOWN_AND_NORMS                                                                                 \
  {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, BLOCK "1.DenseReluDense.wo", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},       \
      {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, BLOCK "0.layer_norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0}, { \
    AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, BLOCK "1.layer_norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0              \
  }

static const aq_weight_spec plain_weights[] = {
    OUTSIDE,
    ATTENTION,
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, BLOCK "1.DenseReluDense.wi", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    DOWN_AND_NORMS,
};

static const aq_weight_spec gated_weights[] = {
    OUTSIDE,
    ATTENTION,
    {AQ_ROLE_GATE, AQ_WEIGHT_LINEAR, BLOCK "1.DenseReluDense.wi_0", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, BLOCK "1.DenseReluDense.wi_1", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    DOWN_AND_NORMS,
};

/* ---- the feed-forward block ---- */

/* "ACTIVATION" or "gated-ACTIVATION"; for transformers the gelu of "gated-gelu" is gelu_new. */
static aq_status read_block(const json_t *root, const char *otherwise, aq_model_config *out, aq_error *err) {
  static const char gated[] = "gated-";
  const char *kind, *name;
  AQ_TRY(aq_json_text(root, "feed_forward_proj", otherwise, &kind, err));
  const bool is_gated = strncmp(kind, gated, sizeof gated - 1) == 0;
  name = strcmp(kind, "gated-gelu") == 0 ? "gelu_new" : kind + (is_gated ? sizeof gated - 1 : 0);
  AQ_FAIL_IF(aq_activation_find(name) == NULL, AQ_ERR_UNSUPPORTED,
             "'feed_forward_proj' is '%.64s'; what can be run is, with or without 'gated-' before it, %s", kind,
             aq_activation_names);
  AQ_TRY(aq_json_text(root, "dense_act_fn", name, &name, err));
  AQ_TRY(aq_json_bool(root, "is_gated_act", is_gated, &out->gated, err));
  out->activation = aq_activation_find(name);
  AQ_FAIL_IF(out->activation == NULL, AQ_ERR_UNSUPPORTED, "'dense_act_fn' is '%.64s'; what can be run is %s", name,
             aq_activation_names);
  return AQ_OK;
}

/* ---- the whole ---- */

#define BIT(role) (UINT32_C(1) << (role))
#define LINEAR_BITS                                                                                              \
  (BIT(AQ_ROLE_QUERY) | BIT(AQ_ROLE_KEY) | BIT(AQ_ROLE_VALUE) | BIT(AQ_ROLE_ATTENTION_OUT) | BIT(AQ_ROLE_GATE) | \
   BIT(AQ_ROLE_UP) | BIT(AQ_ROLE_DOWN))
#define NORM_BITS (BIT(AQ_ROLE_ATTENTION_NORM) | BIT(AQ_ROLE_FFN_NORM) | BIT(AQ_ROLE_FINAL_NORM))

static aq_status configure_block(const json_t *root, const char *otherwise, const aq_arch *gated, aq_model_config *out,
                                 aq_error *err) {
  uint32_t farthest;
  AQ_TRY(aq_config_count_or(root, "relative_attention_max_distance", 1, 1 << 24, 128, &farthest, err));
  AQ_FAIL_IF(farthest != 128, AQ_ERR_UNSUPPORTED, "'relative_attention_max_distance' is %u; what can be run is 128",
             farthest);
  AQ_TRY(read_block(root, otherwise, out, err));
  out->score_divisor = 1;
  out->has_rms_norms = true;
  out->unbiased = LINEAR_BITS | NORM_BITS;
  if (out->gated) out->arch = gated;
  return AQ_OK;
}

static aq_status configure_t5(const json_t *root, aq_model_config *out, aq_error *err);
static aq_status configure_mt5(const json_t *root, aq_model_config *out, aq_error *err);

#define T5(name, function, list, run)                                                                     \
  {                                                                                                       \
    .model_type = name, .padding = -1, .hidden = "d_model", .heads = "num_heads", .layers = "num_layers", \
    .inner = "d_ff", .epsilon = "layer_norm_epsilon", .weights = list, .weight_count = AQ_COUNT_OF(list), \
    .steps = run, .default_epsilon = 1e-6, .head_width = "d_kv", .unplaced = true, .of_two_parts = true,  \
    .configure = function                                                                                 \
  }

const aq_arch aq_arch_t5 = T5("t5", configure_t5, plain_weights, &aq_pre_norm_steps);
const aq_arch aq_arch_mt5 = T5("mt5", configure_mt5, plain_weights, &aq_pre_norm_steps);
const aq_arch aq_arch_gated_t5 = T5("t5", configure_t5, gated_weights, &aq_pre_norm_gate_up_steps);
const aq_arch aq_arch_gated_mt5 = T5("mt5", configure_mt5, gated_weights, &aq_pre_norm_gate_up_steps);

static aq_status configure_t5(const json_t *root, aq_model_config *out, aq_error *err) {
  return configure_block(root, "relu", &aq_arch_gated_t5, out, err);
}

static aq_status configure_mt5(const json_t *root, aq_model_config *out, aq_error *err) {
  return configure_block(root, "gated-gelu", &aq_arch_gated_mt5, out, err);
}
