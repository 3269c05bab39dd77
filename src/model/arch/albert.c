/* albert.c - ALBERT (Lan et al., 2019): all layers have the same weights, and the embeddings a width of their own. */
#include "core/compiler.h"
#include "core/error.h"
#include "model/arch/embedding_width.h"
#include "model/arch/heads.h"
#include "model/layer_steps.h"

#define LAYER "encoder.albert_layer_groups.%u.albert_layers.0."

/* The layer, once: its number is that of the group. */
static const aq_weight_spec weights[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_EMBEDDING, 0},
    {AQ_ROLE_POSITION, AQ_WEIGHT_TABLE, "embeddings.position_embeddings", AQ_DIM_POSITIONS, AQ_DIM_EMBEDDING, 0},
    {AQ_ROLE_TOKEN_TYPE, AQ_WEIGHT_TABLE, "embeddings.token_type_embeddings", AQ_DIM_TYPES, AQ_DIM_EMBEDDING, 0},
    {AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.LayerNorm", AQ_DIM_EMBEDDING, AQ_DIM_NONE, 0},
    {AQ_ROLE_EMBEDDING_PROJECTION, AQ_WEIGHT_LINEAR, "encoder.embedding_hidden_mapping_in", AQ_DIM_HIDDEN,
     AQ_DIM_EMBEDDING, 0},
    {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, LAYER "attention.query", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, LAYER "attention.key", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, LAYER "attention.value", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, LAYER "attention.dense", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, LAYER "ffn", AQ_DIM_INNER, AQ_DIM_HIDDEN, 3},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, LAYER "ffn_output", AQ_DIM_HIDDEN, AQ_DIM_INNER, 4},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, LAYER "attention.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, LAYER "full_layer_layer_norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

static aq_status require_one(const json_t *root, const char *key, aq_error *err) {
  uint32_t count;
  AQ_TRY(aq_config_count_or(root, key, 1, AQ_ENCODER_LAYERS_MAX, 1, &count, err));
  AQ_FAIL_IF(count != 1, AQ_ERR_UNSUPPORTED, "'%s' is %u; what can be run is 1", key, count);
  return AQ_OK;
}

static aq_status configure_albert(const json_t *root, aq_model_config *out, aq_error *err) {
  AQ_TRY(require_one(root, "num_hidden_groups", err));
  AQ_TRY(require_one(root, "inner_group_num", err));
  AQ_TRY(aq_embedding_width_read(root, out, err));
  out->projects = true;
  out->passes = out->layers;
  out->layers = 1;
  return AQ_OK;
}

const aq_arch aq_arch_albert = {.model_type = "albert",
                                .padding = -1,
                                AQ_ARCH_USUAL_KEYS,
                                .head = &aq_head_albert,
                                .weights = weights,
                                .weight_count = AQ_COUNT_OF(weights),
                                .steps = &aq_post_norm_steps,
                                .default_activation = "gelu_new",
                                .configure = configure_albert};
