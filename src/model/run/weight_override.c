/* weight_override.c - other values for one weight of an open encoder. */
#include "model/run/weight_override.h"

#include <string.h>

bool aq_weight_override_find(const aq_model *model, aq_weights *weights, size_t tensor, aq_weight_override *out) {
  const aq_weight *weight = aq_model_find_tensor(model, tensor);
  if (weight == NULL) return false;
  *out = (aq_weight_override){weight, aq_weights_slot(weights, model, weight)};
  return true;
}

void aq_weight_override_set(const aq_weight_override *at, const float *values) {
  const aq_weight_slot *slot = &at->slot;
  if (slot->table != NULL) {
    slot->table->override = values;
  } else if (slot->vector != NULL) {
    memcpy(slot->vector, values, aq_weight_floats(at->weight) * sizeof *values);
  } else if (slot->relative != NULL) {
    aq_position_bias_set(slot->relative, values);
  } else {
    aq_linear_put(slot->linear, slot->first_row, at->weight->rows, values, NULL);
  }
}

void aq_weight_override_restore(const aq_weight_override *at, const float *own) {
  if (at->slot.table != NULL) {
    at->slot.table->override = NULL;
  } else {
    aq_weight_override_set(at, own);
  }
}
