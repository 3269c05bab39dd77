/* onnx_codes.c - codes of a weight moved to the range of FORMAT.md.
 *
 * The codes of a weight are its values with a scale of 1 and a zero point of 0, so that onnx_weight.c alone knows how
 * they lie. Unsigned codes of b bits are moved by 2^(b-1), and zero points with them, which is exact. */
#include "io/onnx/onnx_codes.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

static float code_offset(const aq_onnx_weight *w) {
  const aq_onnx_type *type = w->data.type;
  return type->is_signed ? 0.0F : (float)(1U << (type->bits - 1));
}

static aq_quant_type code_type(const aq_onnx_type *type) {
  if (!type->is_integer) return AQ_KEPT;
  return type->bits == 8 ? AQ_INT8 : type->bits == 4 ? AQ_INT4 : type->bits == 2 ? AQ_INT2 : AQ_KEPT;
}

/* Values that follow each other and share a scale; 0: there is no such number. */
static uint64_t find_span(const aq_onnx_weight *w) {
  if (w->block == 0 && !w->is_per_axis) return w->count;
  const uint64_t outer = w->count / (w->axis * w->inner);
  /* Turned, the storage's rows are columns: what shares a scale are rows of the result, or blocks of these. */
  if (w->is_transposed && w->block == 0) return w->inner == 1 ? outer : 0;
  if (w->block == 0) return outer == 1 ? w->inner : 0;
  if (w->is_transposed ? outer > 1 || w->inner == 1 : w->inner > 1) return 0;
  return w->block >= w->axis ? w->axis : w->axis % w->block == 0 ? w->block : 0;
}

aq_code_layout aq_onnx_code_layout(const aq_onnx_weight *w) {
  const aq_code_layout none = {AQ_KEPT, 0};
  if (w->quantized_by == NULL || w->count == 0) return none;
  const uint64_t span = find_span(w);
  return span > 0 ? (aq_code_layout){code_type(w->data.type), span} : none;
}

aq_status aq_onnx_codes_read(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t first, size_t count,
                             int8_t *out, aq_error *err) {
  static const float one = 1;
  const float offset = code_offset(w);
  aq_onnx_weight codes = *w;
  codes.block = 0;
  codes.is_per_axis = false;
  codes.zero_point = 0;
  codes.cached_zero_points = NULL;
  codes.cached_scales = &one;
  float *values = aq_realloc_array(NULL, AQ_MAX(count, (size_t)1), sizeof *values);
  if (values == NULL) return aq_fail_memory(err, count * sizeof *values);
  const aq_status status =
      aq_onnx_weight_read(files, &codes, first * sizeof *values, count * sizeof *values, (uint8_t *)values, err);
  for (size_t i = 0; i < count && status == AQ_OK; i++) out[i] = (int8_t)(values[i] - offset);
  aq_free(values);
  return status;
}

/* ---- scales ---- */

/* The place of number k of the result among those of the storage. */
static uint64_t scale_in_storage(const aq_onnx_weight *w, uint64_t k) {
  if (!w->is_transposed || w->block == 0) return k;
  return k % w->blocks * w->inner + k / w->blocks;
}

/* Numbers [first, first + count) of an array; count is at most AQ_ONNX_CHUNK. */
static aq_status read_numbers(const aq_onnx_files *files, const aq_onnx_weight *w, const aq_onnx_array *array,
                              uint64_t first, size_t count, float *out, aq_error *err) {
  if (!w->is_transposed) return aq_onnx_array_read(files, array, first, count, out, err);
  for (size_t i = 0; i < count; i++) {
    AQ_TRY(aq_onnx_array_read(files, array, scale_in_storage(w, first + i), 1, out + i, err));
  }
  return AQ_OK;
}

static void copy_cached(const aq_onnx_weight *w, const float *cached, uint64_t first, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = cached != NULL ? cached[w->is_per_axis ? first + i : 0] : w->zero_point;
}

static aq_status read_zero_points(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t first, size_t count,
                                  float *out, aq_error *err) {
  const float offset = code_offset(w);
  if (w->block > 0 && w->has_zero_points) {
    AQ_TRY(read_numbers(files, w, &w->zero_points, first, count, out, err));
  } else {
    copy_cached(w, w->block == 0 ? w->cached_zero_points : NULL, first, count, out);
  }
  for (size_t i = 0; i < count; i++) out[i] -= offset;
  return AQ_OK;
}

static aq_status read_scales(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t first, size_t count,
                             float *out, aq_error *err) {
  if (w->block > 0) return read_numbers(files, w, &w->scales, first, count, out, err);
  copy_cached(w, w->cached_scales, first, count, out);
  return AQ_OK;
}

aq_status aq_onnx_code_scales_read(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t first, size_t count,
                                   float *scales, float *zero_points, aq_error *err) {
  for (size_t at = 0; at < count; at += AQ_ONNX_CHUNK) {
    const size_t n = AQ_MIN(count - at, (size_t)AQ_ONNX_CHUNK);
    if (scales != NULL) AQ_TRY(read_scales(files, w, first + at, n, scales + at, err));
    if (zero_points != NULL) AQ_TRY(read_zero_points(files, w, first + at, n, zero_points + at, err));
  }
  return AQ_OK;
}
