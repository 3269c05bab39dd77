/* jina_bert.c - JinaBERT (Guenther et al., 2023; Jina embeddings v2), whose model_type is BERT's: linear biases of
 * attention in place of a table of positions, and a gated feed-forward block of one matrix for gate and up. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/config.h"
#include "model/layer_steps.h"

#define LAYER "encoder.layer.%u."

static const aq_weight_spec weights[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_TOKEN_TYPE, AQ_WEIGHT_TABLE, "embeddings.token_type_embeddings", AQ_DIM_TYPES, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, LAYER "attention.self.query", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, LAYER "attention.self.key", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, LAYER "attention.self.value", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, LAYER "attention.output.dense", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_GATE_UP, AQ_WEIGHT_LINEAR, LAYER "mlp.gated_layers", AQ_DIM_GATE_UP, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, LAYER "mlp.wo", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, LAYER "attention.output.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, LAYER "mlp.layernorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

/* A later form of the code, that of the models for code, has norms of queries and keys. */
static aq_status check_code(const json_t *root, aq_error *err) {
  const char *key;
  json_t *value;
  json_object_foreach(json_object_get(root, "auto_map"), key, value) {
    const char *name = json_string_value(value);
    AQ_FAIL_IF(name != NULL && strstr(name, "qk-post-norm") != NULL, AQ_ERR_UNSUPPORTED,
               "'auto_map' names '%.120s', whose norms of queries and keys cannot be run", name);
  }
  return AQ_OK;
}

/* The kind of the block names its activation; hidden_act is not read then. */
static aq_status configure(const json_t *root, aq_model_config *out, aq_error *err) {
  static const struct { const char *kind, *activation; } blocks[] = {{"geglu", "gelu"}, {"reglu", "relu"}};
  const char *kind;
  AQ_TRY(check_code(root, err));
  AQ_TRY(aq_json_text(root, "feed_forward_type", "original", &kind, err));
  for (size_t i = 0; i < AQ_COUNT_OF(blocks); i++) {
    if (strcmp(kind, blocks[i].kind) == 0) out->activation = aq_activation_find(blocks[i].activation);
  }
  AQ_FAIL_IF(out->activation == NULL, AQ_ERR_UNSUPPORTED,
             "'feed_forward_type' is '%.64s'; what can be run is geglu and reglu", kind);
  out->gated = true;
  out->has_alibi = true;
  out->unbiased = UINT32_C(1) << AQ_ROLE_GATE_UP;
  return AQ_OK;
}

const aq_arch aq_arch_jina_bert = {.model_type = "bert",
                                   .when_key = "position_embedding_type",
                                   .when_text = "alibi",
                                   .padding = -1,
                                   .hidden = "hidden_size",
                                   .heads = "num_attention_heads",
                                   .layers = "num_hidden_layers",
                                   .inner = "intermediate_size",
                                   .epsilon = "layer_norm_eps",
                                   .weights = weights,
                                   .weight_count = AQ_COUNT_OF(weights),
                                   .steps = &aq_post_norm_gate_up_steps,
                                   .position_kind = "alibi",
                                   .has_known_code = true,
                                   .foreign = "encoder.layer.0.attention.self.layer_norm_q",
                                   .configure = configure};
