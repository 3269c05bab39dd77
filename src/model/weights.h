/* weights.h - the weights of an encoder, found by name in a source, checked against the configuration and prepared. */
#ifndef AQ_MODEL_WEIGHTS_H
#define AQ_MODEL_WEIGHTS_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "model/config.h"
#include "model/nn/embedding_table.h"
#include "model/nn/linear.h"
#include "model/nn/position_bias.h"

typedef struct aq_norm {
  float *gain, *shift;
} aq_norm;

typedef struct aq_layer {
  aq_linear qkv; /* query, key and value, stacked */
  aq_linear attention_out, up, down;
  aq_norm attention_norm, last_norm;
} aq_layer;

typedef struct aq_weights {
  aq_embedding_table words, positions;
  float *type;               /* row 0 of the token types; zeros without them */
  const char *type_name;     /* of their tensor; it belongs to the source; NULL without them */
  aq_position_bias relative; /* empty without biases by distance */
  aq_norm first_norm;
  aq_layer *layers;
  size_t layer_count;
} aq_weights;

/* Reads and prepares all weights on the pool; with `codes` the layers' weights are codes of 8 bits, those that are
 * stored so as they are, others rounded. AQ_ERR_NOT_FOUND and AQ_ERR_FORMAT name a tensor that is missing or has
 * another shape than the configuration says. The source must stay open. */
AQ_MUST_CHECK aq_status aq_weights_load(const aq_source *source, const aq_model_config *config, bool codes,
                                        aq_pool *pool, aq_weights *out, aq_error *err);
void aq_weights_reset(aq_weights *weights);

#endif
