/* params.h - every parameter of an encoder as plain FP32 arrays that can be changed: what calibration, repair and
 * tuning work on. `aq_weights` is the same model prepared for running; this is the one to compute gradients with. */
#ifndef AQ_MODEL_PARAMS_H
#define AQ_MODEL_PARAMS_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "model/config.h"

#define AQ_NO_TENSOR SIZE_MAX

/* The linear layers of one encoder layer, in the order in which an input meets them. */
enum { AQ_QUERY = 0, AQ_KEY, AQ_VALUE, AQ_ATTENTION_OUT, AQ_UP, AQ_DOWN, AQ_LAYER_LINEARS };

/* y = w x + b. w: out x in, row-major. The weights of query, key and value follow each other in memory, and so do their
 * biases: from those of the query on they are one linear of 3 x hidden outputs. */
typedef struct aq_param_linear {
  uint32_t out, in;
  float *w, *b;
  size_t w_tensor, b_tensor; /* indices in the source */
} aq_param_linear;

typedef struct aq_param_norm { /* hidden values each */
  float *gain, *shift;
  size_t gain_tensor, shift_tensor;
} aq_param_norm;

typedef struct aq_param_layer {
  aq_param_linear linear[AQ_LAYER_LINEARS];
  aq_param_norm attention_norm, last_norm;
} aq_param_layer;

typedef struct aq_params {
  const aq_model_config *config;                       /* the encoder's; outlives the parameters */
  float *words, *positions;                            /* vocabulary x hidden, positions x hidden */
  float *type;                                         /* row 0 of the token types; zeros without them */
  size_t words_tensor, positions_tensor, types_tensor; /* types_tensor may be AQ_NO_TENSOR */
  aq_param_norm first_norm;
  aq_param_layer *layers; /* config->layers */
  float *memory;          /* what all the above point into */
  size_t count;           /* floats there */
} aq_params;

/* Reads all of them. The names and shapes were checked when an encoder of that source was opened; they are here too.
 * Encoders with relative position biases (mpnet) are AQ_ERR_UNSUPPORTED: a pass does not know them. */
AQ_MUST_CHECK aq_status aq_params_load(const aq_source *source, const aq_model_config *config, aq_pool *pool,
                                       aq_params *out, aq_error *err);
/* A copy with memory of its own. */
AQ_MUST_CHECK aq_status aq_params_copy(const aq_params *from, aq_params *out, aq_error *err);
void aq_params_reset(aq_params *params);

/* The values of source tensor `tensor` in the parameters and their number; NULL when the encoder does not use it. Of
 * the token types that is row 0 alone. */
float *aq_params_find(const aq_params *params, size_t tensor, size_t *count);

#endif
