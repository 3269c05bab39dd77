/* bert.c - BERT, ERNIE (Sun et al., 2019) without its types of tasks, and the RoBERTa family, which has its weights and
 * counts positions from the padding token on (the classes of the same names in Hugging Face transformers). */
#include "core/compiler.h"
#include "model/arch/arch.h"
#include "model/arch/heads.h"
#include "model/layer_steps.h"

static const aq_weight_spec weights[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_POSITION, AQ_WEIGHT_TABLE, "embeddings.position_embeddings", AQ_DIM_POSITIONS, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_TOKEN_TYPE, AQ_WEIGHT_TABLE, "embeddings.token_type_embeddings", AQ_DIM_TYPES, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.self.query", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.self.key", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.self.value", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.output.dense", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN,
     1},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "encoder.layer.%u.intermediate.dense", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "encoder.layer.%u.output.dense", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.attention.output.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE,
     0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.output.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

#define WEIGHTS .weights = weights, .weight_count = AQ_COUNT_OF(weights), .steps = &aq_post_norm_steps

const aq_arch aq_arch_bert = {
    .model_type = "bert", .padding = -1, AQ_ARCH_USUAL_KEYS, .head = &aq_head_pooler, WEIGHTS};
const aq_arch aq_arch_ernie = {
    .model_type = "ernie", .padding = -1, AQ_ARCH_USUAL_KEYS, .head = &aq_head_pooler, WEIGHTS};
const aq_arch aq_arch_roberta = {
    .model_type = "roberta", .after_padding = true, AQ_ARCH_USUAL_KEYS, .head = &aq_head_roberta, WEIGHTS};
const aq_arch aq_arch_xlm_roberta = {
    .model_type = "xlm-roberta", .after_padding = true, AQ_ARCH_USUAL_KEYS, .head = &aq_head_roberta, WEIGHTS};
const aq_arch aq_arch_camembert = {
    .model_type = "camembert", .after_padding = true, AQ_ARCH_USUAL_KEYS, .head = &aq_head_roberta, WEIGHTS};
