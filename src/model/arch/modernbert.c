/* modernbert.c - ModernBERT (Warner et al., 2024): rotary positions, every third layer over the whole text and the
 * others over near tokens, a norm before each half of a layer, a gated feed-forward block, biases where the
 * configuration says so. The first layer reads the embeddings as they are: they come from a norm. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/arch/heads.h"
#include "model/arch/rotary_encoder.h"
#include "model/config_numbers.h"
#include "model/layer_steps.h"

static const aq_weight_spec weights[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.tok_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_FINAL_NORM, AQ_WEIGHT_NORM, "final_norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_QKV, AQ_WEIGHT_LINEAR, "layers.%u.attn.Wqkv", AQ_DIM_QKV, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "layers.%u.attn.Wo", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_GATE_UP, AQ_WEIGHT_LINEAR, "layers.%u.mlp.Wi", AQ_DIM_GATE_UP, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "layers.%u.mlp.Wo", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "layers.%u.attn_norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "layers.%u.mlp_norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

/* ---- biases ---- */

#define BIT(role) (UINT32_C(1) << (role))
static_assert(AQ_ROLE_COUNT <= 32, "a bit for each role");

static aq_status read_biases(const json_t *root, aq_model_config *out, aq_error *err) {
  static const struct {
    const char *key;
    uint32_t roles;
  } keys[] = {{"attention_bias", BIT(AQ_ROLE_QKV) | BIT(AQ_ROLE_ATTENTION_OUT)},
              {"mlp_bias", BIT(AQ_ROLE_GATE_UP) | BIT(AQ_ROLE_DOWN)},
              {"norm_bias", BIT(AQ_ROLE_EMBEDDING_NORM) | BIT(AQ_ROLE_ATTENTION_NORM) | BIT(AQ_ROLE_FFN_NORM) |
                                BIT(AQ_ROLE_FINAL_NORM)}};
  for (size_t i = 0; i < AQ_COUNT_OF(keys); i++) {
    bool biased;
    AQ_TRY(aq_json_bool(root, keys[i].key, false, &biased, err));
    if (!biased) out->unbiased |= keys[i].roles;
  }
  return AQ_OK;
}

/* ---- layers ---- */

static const char *const kinds[] = {"full_attention", "sliding_attention"};

static aq_status read_layer_types(const json_t *types, aq_model_config *out, aq_error *err) {
  AQ_FAIL_IF(!json_is_array(types) || json_array_size(types) != out->layers, AQ_ERR_FORMAT,
             "'layer_types' is no list of %u texts, one a layer", out->layers);
  for (uint32_t i = 0; i < out->layers; i++) {
    const char *type = json_string_value(json_array_get(types, i));
    const bool known = type != NULL && (strcmp(type, kinds[0]) == 0 || strcmp(type, kinds[1]) == 0);
    AQ_FAIL_IF(!known, AQ_ERR_UNSUPPORTED, "'layer_types' has '%.64s'; what can be run is %s and %s",
               type != NULL ? type : "no text", kinds[0], kinds[1]);
    out->is_local[i] = strcmp(type, kinds[1]) == 0;
  }
  return AQ_OK;
}

static aq_status read_layers(const json_t *root, aq_model_config *out, aq_error *err) {
  uint32_t every, reach;
  const json_t *types = json_object_get(root, "layer_types");
  AQ_TRY(aq_config_count_or(root, "global_attn_every_n_layers", 1, AQ_ENCODER_LAYERS_MAX, 3, &every, err));
  AQ_TRY(aq_config_count_or(root, "local_attention", 0, 1 << 24, 128, &reach, err));
  out->window = reach / 2;
  if (types != NULL && !json_is_null(types)) return read_layer_types(types, out, err);
  for (uint32_t i = 0; i < out->layers; i++) out->is_local[i] = i % every != 0;
  return AQ_OK;
}

/* ---- positions ---- */

/* Objects by the kind of layer, and nothing else. */
static aq_status check_kinds(const json_t *parameters, aq_error *err) {
  const char *key;
  json_t *value;
  if (parameters == NULL || json_is_null(parameters)) return AQ_OK;
  AQ_FAIL_IF(!json_is_object(parameters), AQ_ERR_FORMAT, "'rope_parameters' is no object");
  json_object_foreach((json_t *)parameters, key, value) {
    AQ_FAIL_IF(strcmp(key, kinds[0]) != 0 && strcmp(key, kinds[1]) != 0, AQ_ERR_UNSUPPORTED,
               "'rope_parameters' has '%.60s'; what can be run is %s and %s", key, kinds[0], kinds[1]);
  }
  return AQ_OK;
}

static aq_status read_positions(const json_t *root, aq_model_config *out, aq_error *err) {
  static const char *const thetas[] = {"global_rope_theta", "local_rope_theta"};
  static const double defaults[] = {160000, 10000};
  const json_t *parameters = json_object_get(root, "rope_parameters");
  AQ_TRY(aq_rotary_check_heads(root, out, err));
  AQ_TRY(check_kinds(parameters, err));
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    AQ_FAIL_IF(json_is_null(json_object_get(root, thetas[i])), AQ_ERR_UNSUPPORTED,
               "'%s' is null; what can be run is a number", thetas[i]);
    AQ_TRY(aq_config_number_or(root, thetas[i], 1, AQ_ROTARY_THETA_MOST, defaults[i], &out->theta[i], err));
    char what[60];
    (void)snprintf(what, sizeof what, "'rope_parameters' of %s", kinds[i]);
    AQ_TRY(aq_rotary_read(json_object_get(parameters, kinds[i]), what, &out->theta[i], err));
  }
  return AQ_OK;
}

static aq_status configure_modernbert(const json_t *root, aq_model_config *out, aq_error *err) {
  out->gated = true;
  AQ_TRY(read_biases(root, out, err));
  AQ_TRY(read_layers(root, out, err));
  return read_positions(root, out, err);
}

const aq_arch aq_arch_modernbert = {.model_type = "modernbert",
                                    .padding = -1,
                                    .hidden = "hidden_size",
                                    .heads = "num_attention_heads",
                                    .layers = "num_hidden_layers",
                                    .inner = "intermediate_size",
                                    .activation = "hidden_activation",
                                    .epsilon = "norm_eps",
                                    .head = &aq_head_modernbert,
                                    .weights = weights,
                                    .weight_count = AQ_COUNT_OF(weights),
                                    .steps = &aq_pre_norm_gated_steps,
                                    .default_epsilon = 1e-5,
                                    .bare_first_layer = true,
                                    .configure = configure_modernbert};
