/* architecture.c - the table of encoders (the classes of the same names in Hugging Face transformers). */
#include "model/architecture.h"

#include <stddef.h>
#include <string.h>

#include "core/compiler.h"

static const aq_tensor_names bert_names = {
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .types = "embeddings.token_type_embeddings",
    .first_norm = "embeddings.LayerNorm",
    .query = "encoder.layer.%u.attention.self.query",
    .key = "encoder.layer.%u.attention.self.key",
    .value = "encoder.layer.%u.attention.self.value",
    .attention_out = "encoder.layer.%u.attention.output.dense",
    .attention_norm = "encoder.layer.%u.attention.output.LayerNorm",
    .up = "encoder.layer.%u.intermediate.dense",
    .down = "encoder.layer.%u.output.dense",
    .last_norm = "encoder.layer.%u.output.LayerNorm",
};

static const aq_tensor_names distilbert_names = {
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .first_norm = "embeddings.LayerNorm",
    .query = "transformer.layer.%u.attention.q_lin",
    .key = "transformer.layer.%u.attention.k_lin",
    .value = "transformer.layer.%u.attention.v_lin",
    .attention_out = "transformer.layer.%u.attention.out_lin",
    .attention_norm = "transformer.layer.%u.sa_layer_norm",
    .up = "transformer.layer.%u.ffn.lin1",
    .down = "transformer.layer.%u.ffn.lin2",
    .last_norm = "transformer.layer.%u.output_layer_norm",
};

static const aq_tensor_names mpnet_names = {
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .relative = "encoder.relative_attention_bias",
    .first_norm = "embeddings.LayerNorm",
    .query = "encoder.layer.%u.attention.attn.q",
    .key = "encoder.layer.%u.attention.attn.k",
    .value = "encoder.layer.%u.attention.attn.v",
    .attention_out = "encoder.layer.%u.attention.attn.o",
    .attention_norm = "encoder.layer.%u.attention.LayerNorm",
    .up = "encoder.layer.%u.intermediate.dense",
    .down = "encoder.layer.%u.output.dense",
    .last_norm = "encoder.layer.%u.output.LayerNorm",
};

#define BERT_KEYS                                                                         \
  .hidden = "hidden_size", .heads = "num_attention_heads", .layers = "num_hidden_layers", \
  .inner = "intermediate_size", .activation = "hidden_act", .epsilon = "layer_norm_eps"

static const aq_architecture architectures[] = {
    {.model_type = "bert", .padding = -1, BERT_KEYS, .names = &bert_names},
    {.model_type = "roberta", .after_padding = true, BERT_KEYS, .names = &bert_names},
    {.model_type = "xlm-roberta", .after_padding = true, BERT_KEYS, .names = &bert_names},
    {.model_type = "camembert", .after_padding = true, BERT_KEYS, .names = &bert_names},
    {.model_type = "mpnet", .first_position = 2, .padding = 1, BERT_KEYS, .names = &mpnet_names},
    {.model_type = "distilbert",
     .padding = -1,
     .hidden = "dim",
     .heads = "n_heads",
     .layers = "n_layers",
     .inner = "hidden_dim",
     .activation = "activation",
     .names = &distilbert_names},
};

const char aq_architecture_names[] = "bert, roberta, xlm-roberta, camembert, mpnet, distilbert";

const aq_architecture *aq_architecture_find(const char *model_type) {
  for (size_t i = 0; i < AQ_COUNT_OF(architectures); i++) {
    if (strcmp(architectures[i].model_type, model_type) == 0) return &architectures[i];
  }
  return NULL;
}
