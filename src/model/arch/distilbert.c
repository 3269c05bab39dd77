/* distilbert.c - DistilBERT (Sanh et al., 2019): keys of its own in the configuration, and no token types. */
#include "core/compiler.h"
#include "model/arch/arch.h"
#include "model/arch/heads.h"
#include "model/layer_steps.h"

static const aq_weight_spec weights[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_POSITION, AQ_WEIGHT_TABLE, "embeddings.position_embeddings", AQ_DIM_POSITIONS, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, "transformer.layer.%u.attention.q_lin", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, "transformer.layer.%u.attention.k_lin", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, "transformer.layer.%u.attention.v_lin", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "transformer.layer.%u.attention.out_lin", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN,
     1},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "transformer.layer.%u.ffn.lin1", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "transformer.layer.%u.ffn.lin2", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "transformer.layer.%u.sa_layer_norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "transformer.layer.%u.output_layer_norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

const aq_arch aq_arch_distilbert = {.model_type = "distilbert",
                                    .padding = -1,
                                    .hidden = "dim",
                                    .heads = "n_heads",
                                    .layers = "n_layers",
                                    .inner = "hidden_dim",
                                    .activation = "activation",
                                    .head = &aq_head_distilbert,
                                    .weights = weights,
                                    .weight_count = AQ_COUNT_OF(weights),
                                    .steps = &aq_post_norm_steps};
