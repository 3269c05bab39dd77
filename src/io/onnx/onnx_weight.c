/* onnx_weight.c - values of a weight: dequantized, and transposed, as they are asked for.
 *
 * Nothing is decoded ahead. A transposed weight is read by columns of the storage, a panel of them at a time: a piece
 * of each row of the storage, whose elements go to as many rows of the result. */
#include "io/onnx/onnx_weight.h"

#include <string.h>

#include "core/bytes.h"
#include "core/error.h"

/* Columns of a panel. */
enum { PANEL = 512 };

bool aq_onnx_weight_is_plain(const aq_onnx_weight *weight) {
  return weight->quantized_by == NULL && !weight->is_transposed && weight->data.type->bits >= 8;
}

/* ---- dequantizing ---- */

/* Which NaN a product gives depends on the processor. */
static float dequantize_one(float code, float zero_point, float scale) {
  const float value = (code - zero_point) * scale;
  return value != value ? aq_bits_f32(0x7fc00000u) : value;
}

/* A scale for each element on the axis, or one for all: these are in memory. */
static void apply_cached(const aq_onnx_weight *w, uint64_t first, size_t count, float *values) {
  uint64_t at = w->is_per_axis ? first / w->inner % w->axis : 0, behind = first % w->inner;
  for (size_t i = 0; i < count; i++) {
    const float zero_point = w->cached_zero_points != NULL ? w->cached_zero_points[at] : w->zero_point;
    values[i] = dequantize_one(values[i], zero_point, w->cached_scales[at]);
    if (!w->is_per_axis || ++behind < w->inner) continue;
    behind = 0;
    at = at + 1 < w->axis ? at + 1 : 0;
  }
}

/* Elements whose blocks lie one after another: on the axis when nothing is behind it, else behind one index of it. */
static size_t run_length(const aq_onnx_weight *w, uint64_t first, size_t count) {
  const uint64_t left = w->inner > 1 ? w->inner - first % w->inner : w->axis - first % w->axis;
  return (size_t)AQ_MIN(left, (uint64_t)count);
}

/* values[0..count) are codes of one run. */
static aq_status apply_blocks(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t first, size_t count,
                              float *values, aq_error *err) {
  float scales[AQ_ONNX_CHUNK], zero_points[AQ_ONNX_CHUNK];
  const uint64_t outer = first / (w->axis * w->inner), at = first / w->inner % w->axis, behind = first % w->inner;
  const uint64_t begin = (outer * w->blocks + at / w->block) * w->inner + behind;
  const bool is_behind = w->inner > 1;
  const size_t n = is_behind ? count : (size_t)((at + count - 1) / w->block - at / w->block + 1);
  AQ_TRY(aq_onnx_array_read(files, &w->scales, begin, n, scales, err));
  if (w->has_zero_points) AQ_TRY(aq_onnx_array_read(files, &w->zero_points, begin, n, zero_points, err));
  for (size_t i = 0; i < count; i++) {
    const size_t k = is_behind ? i : (size_t)((at + i) / w->block - at / w->block);
    values[i] = dequantize_one(values[i], w->has_zero_points ? zero_points[k] : w->zero_point, scales[k]);
  }
  return AQ_OK;
}

static aq_status dequantize(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t first, size_t count,
                            float *out, aq_error *err) {
  while (count > 0) {
    size_t n = AQ_MIN(count, (size_t)AQ_ONNX_CHUNK);
    if (w->block > 0) n = run_length(w, first, n);
    AQ_TRY(aq_onnx_array_read(files, &w->data, first, n, out, err));
    if (w->block > 0) AQ_TRY(apply_blocks(files, w, first, n, out, err));
    if (w->block == 0) apply_cached(w, first, n, out);
    first += n;
    count -= n;
    out += n;
  }
  return AQ_OK;
}

/* ---- in the order of the storage ---- */

static aq_status read_stored(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t first, uint64_t count,
                             uint8_t *out, aq_error *err) {
  if (w->quantized_by == NULL) return aq_onnx_array_read_raw(files, &w->data, first, (size_t)count, out, err);
  float values[AQ_ONNX_CHUNK];
  while (count > 0) {
    const size_t n = (size_t)AQ_MIN(count, (uint64_t)AQ_ONNX_CHUNK);
    AQ_TRY(dequantize(files, w, first, n, values, err));
    memcpy(out, values, n * sizeof *values);
    first += n;
    count -= n;
    out += n * sizeof *values;
  }
  return AQ_OK;
}

/* ---- transposed ---- */

/* Columns [column, column + columns) of the storage, of each the rows [row, row + rows); columns is at most PANEL. */
typedef struct panel {
  uint64_t column, row, rows;
  size_t columns;
} panel;

static aq_status read_panel(const aq_onnx_files *files, const aq_onnx_weight *w, const panel *p, uint8_t *out,
                            aq_error *err) {
  uint8_t piece[PANEL * sizeof(double)];
  const size_t size = aq_dtype_size(aq_onnx_weight_dtype(w));
  const uint64_t width = (uint64_t)w->shape[1];
  for (uint64_t r = 0; r < p->rows; r++) {
    AQ_TRY(read_stored(files, w, (p->row + r) * width + p->column, p->columns, piece, err));
    for (size_t c = 0; c < p->columns; c++) memcpy(out + (c * p->rows + r) * size, piece + c * size, size);
  }
  return AQ_OK;
}

static aq_status read_transposed(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t first, uint64_t count,
                                 uint8_t *out, aq_error *err) {
  const uint64_t height = (uint64_t)w->shape[0];
  const size_t size = aq_dtype_size(aq_onnx_weight_dtype(w));
  while (count > 0) {
    panel p = {.column = first / height, .row = first % height, .columns = 1};
    if (p.row == 0 && count >= height) {
      p.columns = (size_t)AQ_MIN(count / height, (uint64_t)PANEL);
      p.rows = height;
    } else {
      p.rows = AQ_MIN(count, height - p.row);
    }
    AQ_TRY(read_panel(files, w, &p, out, err));
    first += p.columns * p.rows;
    count -= p.columns * p.rows;
    out += p.columns * p.rows * size;
  }
  return AQ_OK;
}

/* ---- bytes ---- */

static aq_status read_elements(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t first, uint64_t count,
                               uint8_t *out, aq_error *err) {
  return (w->is_transposed ? read_transposed : read_stored)(files, w, first, count, out, err);
}

aq_status aq_onnx_weight_read(const aq_onnx_files *files, const aq_onnx_weight *w, uint64_t offset, size_t size,
                              uint8_t *out, aq_error *err) {
  if (aq_onnx_weight_is_plain(w)) return aq_onnx_place_read(files, &w->data.place, offset, size, out, err);
  const size_t element = aq_dtype_size(aq_onnx_weight_dtype(w));
  uint8_t one[sizeof(double)];
  while (size > 0) {
    const size_t skip = (size_t)(offset % element);
    size_t done = size / element * element;
    if (skip == 0 && done > 0) {
      AQ_TRY(read_elements(files, w, offset / element, done / element, out, err));
    } else {
      done = AQ_MIN(size, element - skip);
      AQ_TRY(read_elements(files, w, offset / element, 1, one, err));
      memcpy(out, one + skip, done);
    }
    out += done;
    offset += done;
    size -= done;
  }
  return AQ_OK;
}
