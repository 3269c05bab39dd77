/* encoded.c - a finished tensor: back to values, to packed bytes, and to the entry of a plan. */
#include "quant/encoded.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

void aq_encoded_reset(aq_encoded *encoded) {
  aq_free(encoded->scales);
  aq_free(encoded->zero_points);
  aq_free(encoded->codes);
  aq_free(encoded->values);
  *encoded = (aq_encoded){.count = 0};
}

/* Of the span that begins at `at`. */
static size_t length_of_span(const aq_encoded *e, uint64_t at) { return (size_t)AQ_MIN(e->span_length, e->count - at); }

static float zero_point_of(const aq_encoded *e, uint64_t span) {
  return e->zero_points != NULL ? e->zero_points[span] : 0;
}

void aq_encoded_decode(const aq_encoded *encoded, float *out) {
  const aq_kernels *k = aq_kernels_get();
  for (uint64_t at = 0, i = 0; at < encoded->count; at += encoded->span_length, i++) {
    k->dequantize_s8(encoded->codes + at, length_of_span(encoded, at), encoded->scales[i], zero_point_of(encoded, i),
                     out + at);
  }
}

void aq_encoded_round(const aq_encoded *encoded, const float *w, int8_t *codes) {
  const aq_kernels *k = aq_kernels_get();
  const int32_t qmin = aq_quant_min(encoded->type), qmax = aq_quant_max(encoded->type);
  for (uint64_t at = 0, i = 0; at < encoded->count; at += encoded->span_length, i++) {
    k->quantize_f32(w + at, length_of_span(encoded, at), encoded->scales[i], zero_point_of(encoded, i), qmin, qmax,
                    codes + at);
  }
}

void aq_encoded_pack(const aq_encoded *encoded, uint64_t first, size_t n, uint8_t *out) {
  aq_pack_codes(encoded->type, encoded->codes + first, n, out);
}

static float *copy_of(const float *numbers, size_t count) {
  float *copy = aq_realloc_array(NULL, count, sizeof *copy);
  return copy != NULL ? memcpy(copy, numbers, count * sizeof *copy) : NULL;
}

aq_status aq_encoded_describe(const aq_encoded *encoded, aq_plan_entry *entry, aq_error *err) {
  const size_t count = (size_t)encoded->span_count;
  const bool shifted = encoded->zero_points != NULL;
  float *scales = copy_of(encoded->scales, count), *zero_points = shifted ? copy_of(encoded->zero_points, count) : NULL;
  if (scales == NULL || (shifted && zero_points == NULL)) {
    aq_free(scales);
    aq_free(zero_points);
    return aq_fail_memory(err, count * sizeof *scales);
  }
  aq_plan_entry_drop_scales(entry);
  entry->scheme.type = encoded->type;
  entry->quant_axis = encoded->quant_axis;
  entry->group_size = encoded->group_size;
  entry->span_length = encoded->span_length;
  entry->scales = scales;
  entry->zero_points = zero_points;
  entry->scale_count = encoded->span_count;
  return AQ_OK;
}
