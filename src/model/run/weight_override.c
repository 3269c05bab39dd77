/* weight_override.c - where an encoder keeps one tensor, and putting other values there. Encoders that compute in FP32
 * only: codes would be rounded from the values again. */
#include "model/run/weight_override.h"

#include <string.h>

#include "core/compiler.h"

static size_t rows_of(const aq_linear *linear) { return linear->out / linear->part_count; }

static bool find_in_linear(aq_linear *linear, const char *name, aq_weight_override *out) {
  for (size_t p = 0; p < linear->part_count; p++) {
    if (strcmp(linear->names[p], name) != 0) continue;
    *out = (aq_weight_override){.linear = linear, .first_row = p * rows_of(linear)};
    return true;
  }
  return false;
}

bool aq_weight_override_find(aq_weights *weights, const char *name, aq_weight_override *out) {
  aq_embedding_table *const tables[] = {&weights->words, &weights->positions};
  for (size_t i = 0; i < AQ_COUNT_OF(tables); i++) {
    if (strcmp(tables[i]->info.name, name) != 0) continue;
    *out = (aq_weight_override){.table = tables[i]};
    return true;
  }
  if (weights->type_name != NULL && strcmp(weights->type_name, name) == 0) {
    *out = (aq_weight_override){.type = weights->type, .width = weights->words.width};
    return true;
  }
  if (weights->relative.name != NULL && strcmp(weights->relative.name, name) == 0) {
    *out = (aq_weight_override){.relative = &weights->relative};
    return true;
  }
  for (size_t i = 0; i < weights->layer_count; i++) {
    aq_layer *layer = &weights->layers[i];
    aq_linear *const linears[] = {&layer->qkv, &layer->attention_out, &layer->up, &layer->down};
    for (size_t k = 0; k < AQ_COUNT_OF(linears); k++) {
      if (find_in_linear(linears[k], name, out)) return true;
    }
  }
  return false;
}

void aq_weight_override_set(const aq_weight_override *place, const float *values) {
  if (place->table != NULL) {
    place->table->override = values;
  } else if (place->type != NULL) {
    memcpy(place->type, values, place->width * sizeof *values);
  } else if (place->relative != NULL) {
    aq_position_bias_set(place->relative, values);
  } else {
    aq_linear_put(place->linear, place->first_row, rows_of(place->linear), values, NULL);
  }
}

void aq_weight_override_restore(const aq_weight_override *place, const float *own) {
  if (place->table != NULL) {
    place->table->override = NULL;
  } else {
    aq_weight_override_set(place, own);
  }
}
