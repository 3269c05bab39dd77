/* weights.h - the weights of an encoder, prepared for running: a store of the model's list of weights. */
#ifndef AQ_MODEL_WEIGHTS_H
#define AQ_MODEL_WEIGHTS_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "model/description.h"
#include "model/nn/disentangled.h"
#include "model/nn/embedding_table.h"
#include "model/nn/linear.h"
#include "model/nn/position_bias.h"
#include "model/nn/rope.h"

typedef struct aq_norm {
  float *gain, *shift;
} aq_norm;

/* By the role that a step of the layer names. Linears that read the same activation are stacked in the first: query,
 * key and value in the query. */
typedef struct aq_layer {
  aq_linear linear[AQ_ROLE_COUNT];
  aq_norm norm[AQ_ROLE_COUNT];
} aq_layer;

/* Of a module behind the pooling, one of the two; always FP32. */
typedef struct aq_module_weights {
  aq_linear linear;
  aq_norm norm;
} aq_module_weights;

typedef struct aq_weights {
  aq_embedding_table words, positions, distance_rows;
  float *type;                        /* rows of the token types that are used; without them one of zeros */
  aq_position_bias relative;          /* empty without biases by distance */
  aq_disentangled distances;          /* zeros until distance_weights.h makes them of distance_rows; empty without */
  aq_norm embedding_norm, final_norm; /* final: behind the last layer; empty without */
  aq_norm distance_norm;              /* of distance_rows; empty without */
  aq_linear projection;               /* of what the tables give, always FP32; empty without */
  aq_rope rope[2];                    /* of layers that see the whole text, and of local ones; empty without */
  aq_layer *layers;
  size_t layer_count;
  aq_module_weights *modules;
  size_t module_count;
} aq_weights;

/* Reads and prepares all weights on the pool; with `codes` the layers' weights are codes of 8 bits, those that are
 * stored so as they are, others rounded. The model must stay open. */
AQ_MUST_CHECK aq_status aq_weights_load(const aq_model *model, bool codes, aq_pool *pool, aq_weights *out,
                                        aq_error *err);

/* Where the values of a weight of the model are. One of the four pointers is set, or none when no step of the encoder
 * runs weights of its role. */
typedef struct aq_weight_slot {
  aq_embedding_table *table;
  aq_linear *linear;
  size_t first_row; /* in the linear */
  float *vector;    /* aq_weight_floats of them */
  aq_position_bias *relative;
} aq_weight_slot;
aq_weight_slot aq_weights_slot(aq_weights *weights, const aq_model *model, const aq_weight *weight);

/* What a step of a layer runs: the linear, or the norm, with its role. */
const aq_linear *aq_weights_linear(const aq_weights *weights, uint32_t layer, aq_role role);
const aq_norm *aq_weights_norm(const aq_weights *weights, uint32_t layer, aq_role role);

void aq_weights_reset(aq_weights *weights);

#endif
