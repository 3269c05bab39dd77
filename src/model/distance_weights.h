/* distance_weights.h - what disentangled attention has of the weights of a model (nn/disentangled.h): keys and queries
 * of the rows of its table of distances, by the linears of each layer. */
#ifndef AQ_MODEL_DISTANCE_WEIGHTS_H
#define AQ_MODEL_DISTANCE_WEIGHTS_H

#include "model/weights.h"

/* Makes them for the layers in which `changed` is read, or for all layers: NULL. Does nothing for other models and
 * other weights. AQ_ERR_NONFINITE names the table where it has a value that is not finite. */
AQ_MUST_CHECK aq_status aq_distance_weights_make(const aq_model *model, aq_weights *weights, const aq_weight *changed,
                                                 aq_pool *pool, aq_error *err);

#endif
