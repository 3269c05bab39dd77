/* arch.h - families of models that can be run, each a description: what its configuration calls things, and which
 * weights it has. A family is one file here and one line in arch_list.inc; loading, running, statistics, planning and
 * tuning read the list of weights that model/description.h makes of it.
 *
 * Most encoders are BERT (Devlin et al., 2018): learned absolute positions, attention over all tokens, a norm after
 * each half of a layer. They differ in names, in where positions begin, in whether there are token types, in whether
 * attention has biases by distance as well, in the width of the embeddings, and in whether layers share weights. A few
 * have rotary positions and gated feed-forward blocks. ModernBERT has both, attention to near tokens in most layers, a
 * norm before each half, a gated block. DeBERTa is BERT whose attention knows distances. T5 has biases by distance, a
 * norm before each half by the root mean square, and heads of a width of their own. All decoders are Llama (Touvron et
 * al., 2023): rotary positions, causal attention, RMS norms before each half of a layer, a gated feed-forward block.
 * decoder_family.h says how they differ. Static embeddings are a table and nothing else.
 */
#ifndef AQ_MODEL_ARCH_ARCH_H
#define AQ_MODEL_ARCH_ARCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tensor/role.h"

/* Sizes of weights, as the configuration has them. */
typedef enum aq_dim {
  AQ_DIM_NONE = 0, /* columns: the weight is a vector */
  AQ_DIM_HIDDEN,
  AQ_DIM_INNER,
  AQ_DIM_EMBEDDING, /* width of the tables of an encoder */
  AQ_DIM_VOCABULARY,
  AQ_DIM_POSITIONS,
  AQ_DIM_TYPES,
  AQ_DIM_BUCKETS,
  AQ_DIM_HEADS,
  AQ_DIM_DISTANCES,
  AQ_DIM_QUERIES,    /* of all heads */
  AQ_DIM_HEAD_WIDTH, /* this and the next: of a decoder's layer */
  AQ_DIM_KEYS,       /* of all heads of keys, or of values */
  AQ_DIM_QKV,        /* queries, keys and values */
  AQ_DIM_GATE_UP,    /* twice the inner width */
  AQ_DIM_MODULE_IN,  /* of a module behind the pooling */
  AQ_DIM_MODULE_OUT
} aq_dim;

/* What a model is run for. */
typedef enum aq_model_output {
  AQ_OUTPUT_EMBEDDINGS = 0, /* an encoder: a vector a text */
  AQ_OUTPUT_LOGITS,         /* a decoder: for each token a number for each token that could be next */
  AQ_OUTPUT_SCORES          /* an encoder with a head: a number for each label, for two texts as one input */
} aq_model_output;

typedef enum aq_weight_kind {
  AQ_WEIGHT_TABLE = 0, /* rows are looked up */
  AQ_WEIGHT_LINEAR,    /* rows x cols: outputs x inputs; a bias goes with it, in decoders not always */
  AQ_WEIGHT_NORM,      /* a gain and a shift; in decoders a gain alone */
  AQ_WEIGHT_VECTOR     /* a bias, gain or shift; made from the two above */
} aq_weight_kind;

/* A weight, or one in every layer. */
typedef struct aq_weight_spec {
  aq_role role;
  aq_weight_kind kind;
  const char
      *name; /* without what stands before it ("bert.") and without ".weight" or ".bias"; %u: the layer's number */
  aq_dim rows, cols;
  uint8_t input; /* of linears: those of a layer with the same number read the same activation, and follow each other */
} aq_weight_spec;

typedef struct aq_decoder_family aq_decoder_family; /* decoder_family.h */
struct aq_head;                                     /* heads.h */
struct aq_layer_steps;                              /* model/layer_steps.h */
struct aq_model_config;                             /* model/config.h */

typedef struct aq_arch {
  const char *model_type; /* in config.json */
  /* Of several families with one model_type, this is the one where config.json has the key: with this text, or, where
   * that is NULL, with any value, unless the plain one's key `hidden` is there and is another. NULL: the plain one,
   * where no other is. */
  const char *when_key, *when_text;
  /* Keys in config.json; epsilon NULL: 1e-12, activation NULL: `configure` finds it. */
  const char *hidden, *heads, *layers, *inner, *activation, *epsilon;
  bool after_padding;            /* positions begin after pad_token_id */
  uint32_t first_position;       /* else here */
  int32_t padding;               /* without after_padding: the token without a position of its own; -1: there is none */
  const aq_weight_spec *weights; /* that of the token table first, those of a layer together */
  size_t weight_count;
  const struct aq_layer_steps *steps; /* of an encoder: they run the weights of a layer */
  const aq_decoder_family *decoder;   /* NULL: an encoder */
  /* The rest is of encoders, and may be left out. */
  const struct aq_head *head;     /* for the classification of sequences; NULL: none that can be run */
  const char *default_activation; /* NULL: gelu */
  double default_epsilon;         /* 0: 1e-12 */
  uint32_t default_types;         /* of tokens; 0: 2 */
  bool may_lack_types;            /* type_vocab_size may be 0 */
  const char *head_width;         /* key of the width of a head; NULL: hidden / heads */
  bool unplaced;                  /* max_position_embeddings may be missing: no table has so many rows */
  const char *positions;          /* key of the longest text's tokens; NULL: max_position_embeddings */
  const char *position_kind;      /* what position_embedding_type may be besides absolute */
  bool has_known_code;            /* auto_map may name code of the model's own, which computes the same */
  /* The same family with the names of weights that the model's own code saves, chosen where the last linear of the
   * first layer has its name there; NULL: there are no such files. */
  const struct aq_arch *renamed;
  const char *foreign;   /* a weight of models with this configuration that are computed in another way; NULL: none */
  bool of_two_parts;     /* is_encoder_decoder may be true: the encoder is run */
  bool bare_first_layer; /* the first layer has no norm before attention */
  bool is_static;        /* the table of tokens is all: no layers, no steps (encoder_static.h) */
  const char *no_graph;  /* why there is no graph of the family (model/graph/), in words; NULL: there is one */
  const char *table_ending; /* of the names of tables; NULL: ".weight" */
  /* Reads what the family alone has; the sizes are there. */
  aq_status (*configure)(const json_t *root, struct aq_model_config *out, aq_error *err);
} aq_arch;

/* Static embeddings of sentence-transformers, whose files name no type. */
extern const aq_arch aq_arch_static_embedding;

/* NULL when no family that is run for that output has the name. */
const aq_arch *aq_arch_find(aq_model_output output, const char *model_type);

/* Of the families with the name of this one, that which the keys of a configuration choose. */
const aq_arch *aq_arch_choose(const aq_arch *arch, const json_t *root);

/* Whether it has a weight of this role. */
bool aq_arch_has(const aq_arch *arch, aq_role role);

/* "bert, roberta, ...": what can be run for an output, for messages. Into out; returns out. */
#define AQ_ARCH_NAMES_SIZE 256
const char *aq_arch_names(aq_model_output output, char out[AQ_ARCH_NAMES_SIZE]);

/* The keys of most configurations. */
#define AQ_ARCH_USUAL_KEYS                                                                \
  .hidden = "hidden_size", .heads = "num_attention_heads", .layers = "num_hidden_layers", \
  .inner = "intermediate_size", .activation = "hidden_act", .epsilon = "layer_norm_eps"

#define ARCH(name) extern const aq_arch aq_arch_##name;
#include "model/arch/arch_list.inc"
#undef ARCH

#endif
