/* finite_weight.h - weights that are not finite: a model with one has no embeddings. */
#ifndef AQ_MODEL_FINITE_WEIGHT_H
#define AQ_MODEL_FINITE_WEIGHT_H

#include "arrowquant.h"

/* AQ_ERR_NONFINITE names the tensor. Weights are checked when they are loaded: rounding to codes, and some activations,
 * would turn what is not finite into numbers. */
AQ_MUST_CHECK aq_status aq_check_finite_weight(const aq_source *source, size_t tensor, const float *values,
                                               size_t count, aq_error *err);

#endif
