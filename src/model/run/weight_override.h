/* weight_override.h - other values for one weight of an open encoder, and its own back again. For encoders that compute
 * in FP32 only: codes would be rounded from the values again. */
#ifndef AQ_MODEL_RUN_WEIGHT_OVERRIDE_H
#define AQ_MODEL_RUN_WEIGHT_OVERRIDE_H

#include "model/weights.h"

typedef struct aq_weight_override {
  const aq_weight *weight;
  aq_weight_slot slot;
} aq_weight_override;

/* Finds a weight by its tensor. False when the encoder does not use it, as it does not use a pooler's. */
bool aq_weight_override_find(const aq_model *model, aq_weights *weights, size_t tensor, aq_weight_override *out);

/* Puts other values, as many as the tensor has, in place of those there. A table keeps pointing to them. What is made
 * of the weight stays as it is: aq_distance_weights_make follows this and the next. */
void aq_weight_override_set(const aq_weight_override *at, const float *values);

/* Puts the tensor's own values back. A table has kept its own and does not look at `own`. */
void aq_weight_override_restore(const aq_weight_override *at, const float *own);

#endif
