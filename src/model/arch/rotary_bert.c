/* rotary_bert.c - BERT with rotary positions in place of a table, and no other difference but in names: Jina embeddings
 * v3; with a gated feed-forward block as well: GTE (Zhang et al., 2024) and Nomic BERT (Nussbaum et al., 2024), whose
 * linears have no biases. Files that were not saved by transformers have the names of the models' own code, which
 * transformers renames when it reads them. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/arch/heads.h"
#include "model/arch/rotary_encoder.h"
#include "model/config_numbers.h"
#include "model/layer_steps.h"

#define TABLES                                                                                                     \
  {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},         \
      {AQ_ROLE_TOKEN_TYPE, AQ_WEIGHT_TABLE, "embeddings.token_type_embeddings", AQ_DIM_TYPES, AQ_DIM_HIDDEN, 0}, { \
    AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0                  \
  }
#define ATTENTION                                                                                          \
  {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, "layers.%u.self_attn.q_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},        \
      {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, "layers.%u.self_attn.k_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},      \
      {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, "layers.%u.self_attn.v_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0}, {  \
    AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "layers.%u.self_attn.o_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1 \
  }
#define NORMS                                                                                                      \
  {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "layers.%u.post_attention_layernorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0}, { \
    AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "layers.%u.post_mlp_layernorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0                \
  }

static const aq_weight_spec plain[] = {
    TABLES,
    ATTENTION,
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "layers.%u.mlp.fc1", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "layers.%u.mlp.fc2", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    NORMS,
};

static const aq_weight_spec gated[] = {
    TABLES,
    ATTENTION,
    {AQ_ROLE_GATE, AQ_WEIGHT_LINEAR, "layers.%u.mlp.gate_proj", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "layers.%u.mlp.up_proj", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "layers.%u.mlp.down_proj", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    NORMS,
};

/* By their own code: query, key and value are one matrix, of Nomic BERT. */
static const aq_weight_spec nomic_own[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_TOKEN_TYPE, AQ_WEIGHT_TABLE, "embeddings.token_type_embeddings", AQ_DIM_TYPES, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "emb_ln", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_QKV, AQ_WEIGHT_LINEAR, "encoder.layers.%u.attn.Wqkv", AQ_DIM_QKV, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "encoder.layers.%u.attn.out_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_GATE, AQ_WEIGHT_LINEAR, "encoder.layers.%u.mlp.fc12", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "encoder.layers.%u.mlp.fc11", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "encoder.layers.%u.mlp.fc2", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "encoder.layers.%u.norm1", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "encoder.layers.%u.norm2", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

/* Of GTE, gate and up are one as well, up first. */
static const aq_weight_spec gte_own[] = {
    TABLES,
    {AQ_ROLE_QKV, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.qkv_proj", AQ_DIM_QKV, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.o_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_GATE_UP, AQ_WEIGHT_LINEAR, "encoder.layer.%u.mlp.up_gate_proj", AQ_DIM_GATE_UP, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "encoder.layer.%u.mlp.down_proj", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.attn_ln", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.mlp_ln", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

#define BIT(role) (UINT32_C(1) << (role))
#define GATE_BITS (BIT(AQ_ROLE_GATE) | BIT(AQ_ROLE_UP) | BIT(AQ_ROLE_GATE_UP))
#define QKV_BITS (BIT(AQ_ROLE_QUERY) | BIT(AQ_ROLE_KEY) | BIT(AQ_ROLE_VALUE) | BIT(AQ_ROLE_QKV))
#define ATTENTION_BITS (QKV_BITS | BIT(AQ_ROLE_ATTENTION_OUT))

static aq_status configure_jina(const json_t *root, aq_model_config *out, aq_error *err) {
  return aq_rotary_configure(root, 20000, out, err);
}

/* Of keys that only its own code reads. */
static aq_status check_gte(const json_t *root, aq_error *err) {
  static const char *const switches[] = {"logn_attention_scale", "logn_attention_clip1"};
  const char *norm;
  for (size_t i = 0; i < AQ_COUNT_OF(switches); i++) {
    bool value;
    AQ_TRY(aq_json_bool(root, switches[i], false, &value, err));
    AQ_FAIL_IF(value, AQ_ERR_UNSUPPORTED, "'%s' is true; what can be run is false", switches[i]);
  }
  AQ_TRY(aq_json_text(root, "layer_norm_type", "layer_norm", &norm, err));
  AQ_FAIL_IF(strcmp(norm, "layer_norm") != 0, AQ_ERR_UNSUPPORTED,
             "'layer_norm_type' is '%.64s'; what can be run is layer_norm", norm);
  return AQ_OK;
}

static aq_status configure_gte(const json_t *root, aq_model_config *out, aq_error *err) {
  AQ_TRY(check_gte(root, err));
  out->gated = true;
  out->unbiased = GATE_BITS;
  return aq_rotary_configure(root, 160000, out, err);
}

static aq_status configure_nomic(const json_t *root, aq_model_config *out, aq_error *err) {
  out->gated = true;
  out->unbiased = ATTENTION_BITS | GATE_BITS | BIT(AQ_ROLE_DOWN);
  return aq_rotary_configure(root, 1000, out, err);
}

/* ---- Nomic BERT with a configuration of its own code, which has GPT-2's keys ---- */

/* What none of the published models has, and would be computed in another way. */
static aq_status check_own(const json_t *root, aq_error *err) {
  static const struct {
    const char *key;
    bool wanted, otherwise; /* otherwise: without the key */
  } switches[] = {{"prenorm", false, false},
                  {"parallel_block", false, false},
                  {"causal", false, false},
                  {"use_rms_norm", false, false},
                  {"rotary_emb_interleaved", false, false},
                  {"scale_attn_weights", true, true},
                  {"scale_attn_by_inverse_layer_idx", false, false},
                  {"qkv_proj_bias", false, true},
                  {"mlp_fc1_bias", false, true},
                  {"mlp_fc2_bias", false, true}};
  static const char *const absent[] = {"rotary_scaling_factor", "rotary_emb_scale_base", "moe_every_n_layers",
                                       "num_experts"};
  for (size_t i = 0; i < AQ_COUNT_OF(switches); i++) {
    bool value;
    AQ_TRY(aq_json_bool(root, switches[i].key, switches[i].otherwise, &value, err));
    AQ_FAIL_IF(value != switches[i].wanted, AQ_ERR_UNSUPPORTED, "'%s' is %s; what can be run is %s", switches[i].key,
               value ? "true" : "false", value ? "false" : "true");
  }
  for (size_t i = 0; i < AQ_COUNT_OF(absent); i++) {
    const json_t *value = json_object_get(root, absent[i]);
    const bool is_zero = json_is_number(value) && !(json_number_value(value) > 0);
    AQ_FAIL_IF(aq_json_is_set(value) && !is_zero, AQ_ERR_UNSUPPORTED,
               "'%s' is set; what can be run is a model without it", absent[i]);
  }
  return AQ_OK;
}

static aq_status configure_own(const json_t *root, aq_model_config *out, aq_error *err) {
  const char *activation;
  double fraction;
  AQ_TRY(check_own(root, err));
  AQ_TRY(aq_json_text(root, "activation_function", "gelu", &activation, err));
  AQ_FAIL_IF(strcmp(activation, "swiglu") != 0, AQ_ERR_UNSUPPORTED,
             "'activation_function' is '%.64s'; what can be run is swiglu", activation);
  AQ_TRY(aq_config_number_or(root, "rotary_emb_fraction", 0, 1, 0, &fraction, err));
  AQ_FAIL_IF(!json_is_number(json_object_get(root, "rotary_emb_base")), AQ_ERR_FORMAT,
             "'rotary_emb_base' is missing, or no number");
  AQ_FAIL_IF(fraction < 1, AQ_ERR_UNSUPPORTED, "'rotary_emb_fraction' is %g; what can be run is 1", fraction);
  out->activation = aq_activation_find("silu");
  AQ_TRY(configure_nomic(root, out, err));
  return aq_config_number_or(root, "rotary_emb_base", 1, AQ_ROTARY_THETA_MOST, 10000, &out->theta[0], err);
}

/* ---- the families ---- */

#define LIST(list, run) .weights = list, .weight_count = AQ_COUNT_OF(list), .steps = &(run)
#define GATED LIST(gated, aq_post_norm_gated_steps)
#define NOMIC                                                                                       \
  .model_type = "nomic_bert", .padding = -1, .head = &aq_head_pooler, .default_activation = "silu", \
  .has_known_code = true

const aq_arch aq_arch_jina_embeddings_v3 = {.model_type = "jina_embeddings_v3",
                                            .padding = -1,
                                            AQ_ARCH_USUAL_KEYS,
                                            .head = &aq_head_roberta,
                                            .weights = plain,
                                            .weight_count = AQ_COUNT_OF(plain),
                                            .steps = &aq_post_norm_steps,
                                            .default_types = 1,
                                            .default_epsilon = 1e-5,
                                            .configure = configure_jina};
#define GTE                                                                                            \
  .model_type = "gte", .padding = -1, AQ_ARCH_USUAL_KEYS, .head = &aq_head_pooler, .default_types = 1, \
  .may_lack_types = true, .position_kind = "rope", .has_known_code = true, .configure = configure_gte

static const aq_arch renamed_gte = {GTE, LIST(gte_own, aq_post_norm_qkv_up_gate_steps)};
static const aq_arch renamed_nomic = {NOMIC, AQ_ARCH_USUAL_KEYS, LIST(nomic_own, aq_post_norm_qkv_gated_steps),
                                      .configure = configure_nomic};

const aq_arch aq_arch_gte = {GTE, GATED, .renamed = &renamed_gte};
const aq_arch aq_arch_nomic_bert = {NOMIC, AQ_ARCH_USUAL_KEYS, GATED, .configure = configure_nomic,
                                    .renamed = &renamed_nomic};
const aq_arch aq_arch_nomic_bert_own = {NOMIC,
                                        .when_key = "n_embd",
                                        .hidden = "n_embd",
                                        .heads = "n_head",
                                        .layers = "n_layer",
                                        .inner = "n_inner",
                                        .positions = "n_positions",
                                        .epsilon = "layer_norm_epsilon",
                                        LIST(nomic_own, aq_post_norm_qkv_gated_steps),
                                        .configure = configure_own};
