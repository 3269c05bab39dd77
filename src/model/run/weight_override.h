/* weight_override.h - where an encoder keeps one tensor, and putting other values there: how a change of that tensor
 * alone is tried without opening the model again. */
#ifndef AQ_MODEL_RUN_WEIGHT_OVERRIDE_H
#define AQ_MODEL_RUN_WEIGHT_OVERRIDE_H

#include "model/weights.h"

/* One of the four is set. */
typedef struct aq_weight_override {
  aq_embedding_table *table;
  aq_linear *linear;
  size_t first_row; /* in the linear */
  aq_position_bias *relative;
  float *type;  /* row 0 of the token types */
  size_t width; /* of that row */
} aq_weight_override;

/* Finds a matrix by its tensor's name. False when the encoder does not use it, as it does not use a pooler's. */
bool aq_weight_override_find(aq_weights *weights, const char *name, aq_weight_override *out);

/* Puts other values, as many as the tensor has, in place of those there. A table keeps pointing to them. */
void aq_weight_override_set(const aq_weight_override *place, const float *values);

/* Puts the tensor's own values back. A table has kept its own and does not look at `own`. */
void aq_weight_override_restore(const aq_weight_override *place, const float *own);

#endif
