/* electra.c - ELECTRA (Clark et al., 2020): BERT whose embeddings may have a width of their own. */
#include "core/compiler.h"
#include "core/error.h"
#include "model/arch/embedding_width.h"
#include "model/arch/heads.h"
#include "model/layer_steps.h"

static const aq_weight_spec weights[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_EMBEDDING, 0},
    {AQ_ROLE_POSITION, AQ_WEIGHT_TABLE, "embeddings.position_embeddings", AQ_DIM_POSITIONS, AQ_DIM_EMBEDDING, 0},
    {AQ_ROLE_TOKEN_TYPE, AQ_WEIGHT_TABLE, "embeddings.token_type_embeddings", AQ_DIM_TYPES, AQ_DIM_EMBEDDING, 0},
    {AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.LayerNorm", AQ_DIM_EMBEDDING, AQ_DIM_NONE, 0},
    {AQ_ROLE_EMBEDDING_PROJECTION, AQ_WEIGHT_LINEAR, "embeddings_project", AQ_DIM_HIDDEN, AQ_DIM_EMBEDDING, 0},
    {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.self.query", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.self.key", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.self.value", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.output.dense", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN,
     2},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "encoder.layer.%u.intermediate.dense", AQ_DIM_INNER, AQ_DIM_HIDDEN, 3},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "encoder.layer.%u.output.dense", AQ_DIM_HIDDEN, AQ_DIM_INNER, 4},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.attention.output.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE,
     0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.output.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

static aq_status configure_electra(const json_t *root, aq_model_config *out, aq_error *err) {
  AQ_TRY(aq_embedding_width_read(root, out, err));
  out->projects = out->embedding != out->hidden;
  return AQ_OK;
}

const aq_arch aq_arch_electra = {.model_type = "electra",
                                 .padding = -1,
                                 AQ_ARCH_USUAL_KEYS,
                                 .head = &aq_head_electra,
                                 .weights = weights,
                                 .weight_count = AQ_COUNT_OF(weights),
                                 .steps = &aq_post_norm_steps,
                                 .configure = configure_electra};
