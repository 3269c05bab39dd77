/* arch.h - families of encoders that can be run, each a description: what its configuration calls things, and which
 * weights it has. A family is one file here and one line in arch_list.inc; loading, running, statistics, planning and
 * tuning read the list of weights that model/description.h makes of it.
 *
 * All of them are BERT (Devlin et al., 2018): learned absolute positions, attention over all tokens, a norm after each
 * half of a layer. They differ in names, in where positions begin, in whether there are token types, and in whether
 * attention has biases by distance as well. */
#ifndef AQ_MODEL_ARCH_ARCH_H
#define AQ_MODEL_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/role.h"

/* Sizes of weights, as the configuration has them. */
typedef enum aq_dim {
  AQ_DIM_NONE = 0, /* columns: the weight is a vector */
  AQ_DIM_HIDDEN,
  AQ_DIM_INNER,
  AQ_DIM_VOCABULARY,
  AQ_DIM_POSITIONS,
  AQ_DIM_TYPES,
  AQ_DIM_BUCKETS,
  AQ_DIM_HEADS
} aq_dim;

typedef enum aq_weight_kind {
  AQ_WEIGHT_TABLE = 0, /* rows are looked up */
  AQ_WEIGHT_LINEAR,    /* rows x cols: outputs x inputs; a bias goes with it */
  AQ_WEIGHT_NORM,      /* a gain and a shift */
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

typedef struct aq_arch {
  const char *model_type;                                             /* in config.json */
  const char *hidden, *heads, *layers, *inner, *activation, *epsilon; /* keys in config.json; epsilon NULL: 1e-12 */
  bool after_padding;                                                 /* positions begin after pad_token_id */
  uint32_t first_position;                                            /* else here */
  int32_t padding;               /* without after_padding: the token without a position of its own; -1: there is none */
  const aq_weight_spec *weights; /* that of the token table first, those of a layer together */
  size_t weight_count;
} aq_arch;

const aq_arch *aq_arch_find(const char *model_type); /* NULL when unknown */

/* Whether it has a weight of this role. */
bool aq_arch_has(const aq_arch *arch, aq_role role);

/* "bert, roberta, ...": what is known, for messages. Into out; returns out. */
#define AQ_ARCH_NAMES_SIZE 256
const char *aq_arch_names(char out[AQ_ARCH_NAMES_SIZE]);

/* The keys of most configurations. */
#define AQ_ARCH_USUAL_KEYS                                                                \
  .hidden = "hidden_size", .heads = "num_attention_heads", .layers = "num_hidden_layers", \
  .inner = "intermediate_size", .activation = "hidden_act", .epsilon = "layer_norm_eps"

#define ARCH(name) extern const aq_arch aq_arch_##name;
#include "model/arch/arch_list.inc"
#undef ARCH

#endif
