/* mpnet.c - MPNet (Song et al., 2020): attention has biases by distance, and there are no token types. */
#include "core/compiler.h"
#include "model/arch/arch.h"
#include "model/arch/heads.h"
#include "model/layer_steps.h"

static const aq_weight_spec weights[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_POSITION, AQ_WEIGHT_TABLE, "embeddings.position_embeddings", AQ_DIM_POSITIONS, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_POSITION_BIAS, AQ_WEIGHT_TABLE, "encoder.relative_attention_bias", AQ_DIM_BUCKETS, AQ_DIM_HEADS, 0},
    {AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.attn.q", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.attn.k", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.attn.v", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.attn.o", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "encoder.layer.%u.intermediate.dense", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "encoder.layer.%u.output.dense", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.attention.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.output.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

const aq_arch aq_arch_mpnet = {.model_type = "mpnet",
                               .first_position = 2,
                               .padding = 1,
                               AQ_ARCH_USUAL_KEYS,
                               .head = &aq_head_roberta,
                               .weights = weights,
                               .weight_count = AQ_COUNT_OF(weights),
                               .steps = &aq_post_norm_steps};
