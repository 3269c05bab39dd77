/* static_embedding.c - static embeddings: a table of tokens and nothing behind it (model2vec, Tulkens and van Dongen,
 * 2024; StaticEmbedding of sentence-transformers). The two write the table under names of their own, and either reads
 * both. How texts are run is in run/encoder_static.c. */
#include "core/compiler.h"
#include "model/arch/arch.h"

static const char no_layers[] = "static embeddings have no layers that a graph could have";

static const aq_weight_spec model2vec[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0}};
static const aq_weight_spec static_embedding[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embedding", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0}};

const aq_arch aq_arch_model2vec = {.model_type = "model2vec",
                                   .padding = -1,
                                   .weights = model2vec,
                                   .weight_count = AQ_COUNT_OF(model2vec),
                                   .table_ending = "",
                                   .no_graph = no_layers,
                                   .is_static = true};
const aq_arch aq_arch_static_embedding = {.model_type = "StaticEmbedding",
                                          .padding = -1,
                                          .weights = static_embedding,
                                          .weight_count = AQ_COUNT_OF(static_embedding),
                                          .no_graph = no_layers,
                                          .is_static = true};
