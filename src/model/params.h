/* params.h - every parameter of a model as plain FP32 arrays that can be changed: what calibration, bias correction
 * and tuning work on. `aq_weights` is the same list prepared for running; this is the one to compute gradients with. */
#ifndef AQ_MODEL_PARAMS_H
#define AQ_MODEL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "model/description.h"
#include "model/nn/position_bias.h"

typedef struct aq_params {
  const aq_model *model; /* outlives the parameters */
  float **values;        /* one array a weight of the model's list, aq_weight_floats long */
  const float *type;     /* of encoders: row 0 of the token types; zeros without them */
  float *memory;         /* what the above point into, in the order of the list; of an overlay, what is replaced */
  size_t count;          /* floats there */
  /* Of encoders that have it: the table of biases by distance as attention reads it. Made when the parameters are
   * loaded or copied; nobody changes that table afterwards. */
  aq_position_bias relative;
} aq_params;

/* Reads all of them. Encoders that a tape does not know are AQ_ERR_UNSUPPORTED: those of other layers than BERT's, with
 * another pooling than the mean or the first token, with modules behind it, or truncated embeddings. */
AQ_MUST_CHECK aq_status aq_params_load(const aq_model *model, aq_pool *pool, aq_params *out, aq_error *err);
/* A copy with memory of its own. */
AQ_MUST_CHECK aq_status aq_params_copy(const aq_params *from, aq_params *out, aq_error *err);
/* The values of `from`, which outlives it, but for the weights of the list that are `replaced`: they have memory of
 * their own, and begin as copies. So have those of their groups. */
AQ_MUST_CHECK aq_status aq_params_overlay(const aq_params *from, const bool *replaced, aq_params *out, aq_error *err);
void aq_params_reset(aq_params *params);

/* The values of source tensor `tensor` in the parameters and their number; NULL when the model does not use it. Of the
 * token types that is row 0 alone. */
float *aq_params_find(const aq_params *params, size_t tensor, size_t *count);

/* y = w x + b. w: out x in, row-major. b NULL: without. */
typedef struct aq_param_linear {
  uint32_t out, in;
  float *w, *b;
} aq_param_linear;

typedef struct aq_param_norm { /* as many values as the norm takes, each */
  float *gain, *shift;         /* shift NULL: without. The gain as it is stored (aq_decoder_config.gains_add_one) */
} aq_param_norm;

/* A linear of a layer; the model has it. */
aq_param_linear aq_params_linear(const aq_params *params, uint32_t layer, aq_role role);
/* The one with all linears that read the same activation as one, of which it is the first: query, key and value. */
aq_param_linear aq_params_joined(const aq_params *params, uint32_t layer, aq_role first);
aq_param_norm aq_params_norm(const aq_params *params, uint32_t layer, aq_role role);
/* A table outside of layers. */
float *aq_params_table(const aq_params *params, aq_role role);
/* What a decoder makes its logits with: its head, or the table of tokens where it has none of its own. */
aq_param_linear aq_params_head(const aq_params *params);

#endif
