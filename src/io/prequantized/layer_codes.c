/* layer_codes.c - codes of a layer moved to the range of FORMAT.md, and its scales in the order of the flattened
 * tensor.
 *
 * Codes u of b bits become u - 2^(b-1), and zero points move with them, which is exact. Signed codes are taken as they
 * are. Codes of 5 to 7 bits are those of int8 that use a part of its range. */
#include "io/prequantized/layer_codes.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

enum { CHUNK = 1024 };

/* What is subtracted from codes and zero points. */
static float code_offset(const aq_coded_layer *l) {
  return l->codes.packing == AQ_PACKED_NUMBERS ? 0.0F : (float)(1U << (l->codes.bits - 1));
}

static aq_quant_type code_type(const aq_coded_layer *l) {
  const aq_coded_matrix *m = &l->codes;
  if (m->packing == AQ_PACKED_NUMBERS) return m->dtype == AQ_I8 ? AQ_INT8 : AQ_KEPT;
  if (m->packing == AQ_PACKED_EXPONENTS) return AQ_KEPT;
  return m->bits <= 2 ? AQ_INT2 : m->bits == 3 ? AQ_INT3 : m->bits == 4 ? AQ_INT4 : AQ_INT8;
}

/* Values of the flattened layer that share a scale; 0: no such number. */
static uint64_t find_span(const aq_coded_layer *l) {
  if (l->column_block < l->columns) {
    return l->row_block == 1 && l->columns % l->column_block == 0 ? l->column_block : 0;
  }
  if (l->row_block == 1) return l->columns;
  return l->row_block >= l->rows && l->matrices == 1 ? l->rows * l->columns : 0;
}

/* Whether the list of groups says of every column what its place says. */
static aq_status check_list(const aq_source *source, const aq_coded_layer *l, bool *is_in_order, aq_error *err) {
  uint32_t groups[CHUNK];
  *is_in_order = true;
  for (uint64_t at = 0; l->groups != AQ_NO_TENSOR && *is_in_order && at < l->columns; at += CHUNK) {
    const size_t n = (size_t)AQ_MIN(l->columns - at, (uint64_t)CHUNK);
    AQ_TRY(aq_source_read_bytes(source, l->groups, at * sizeof *groups, n * sizeof *groups, groups, err));
    for (size_t i = 0; i < n; i++) *is_in_order &= groups[i] == (at + i) / l->column_block;
  }
  return AQ_OK;
}

aq_status aq_layer_code_layout(const aq_source *source, const aq_coded_layer *l, aq_code_layout *out, aq_error *err) {
  const bool is_plain = l->values == NULL && l->scale_values == NULL && !(l->factor < 1.0F || l->factor > 1.0F);
  bool is_in_order = false;
  *out = (aq_code_layout){AQ_KEPT, 0};
  if (!is_plain || l->rows == 0 || l->columns == 0 || l->column_block == 0) return AQ_OK;
  const uint64_t span = find_span(l);
  if (span == 0) return AQ_OK;
  AQ_TRY(check_list(source, l, &is_in_order, err));
  if (is_in_order) *out = (aq_code_layout){code_type(l), span};
  return AQ_OK;
}

aq_status aq_layer_codes_read(const aq_source *source, const aq_coded_layer *l, uint64_t first, size_t count,
                              int8_t *out, aq_error *err) {
  const float offset = code_offset(l);
  float *codes = aq_realloc_array(NULL, count > 0 ? count : 1, sizeof *codes);
  if (codes == NULL) return aq_fail_memory(err, count * sizeof *codes);
  const aq_status status = aq_coded_layer_read_codes(source, l, first, count, codes, err);
  for (size_t i = 0; i < count && status == AQ_OK; i++) out[i] = (int8_t)(codes[i] - offset);
  aq_free(codes);
  return status;
}

/* ---- scales ---- */

/* Zero points of the part, whose scales are known. */
static aq_status find_zero_points(const aq_source *source, const aq_coded_layer *l, uint64_t matrix,
                                  const aq_coded_part *part, const float *scales, aq_coded_room *room, float *out,
                                  aq_error *err) {
  const size_t n = part->rows * part->columns;
  const float offset = code_offset(l);
  for (size_t i = 0; i < n; i++) out[i] = l->zero_point;
  if (l->zero_points.tensor != AQ_NO_TENSOR) {
    AQ_TRY(aq_coded_matrix_read(source, &l->zero_points, matrix, part, room, out, err));
    AQ_TRY(aq_coded_layer_shift_zero_points(source, l, out, n, err));
  }
  for (size_t i = 0; i < n; i++) out[i] -= offset;
  if (l->biases.tensor == AQ_NO_TENSOR) return AQ_OK;
  float biases[CHUNK];
  AQ_TRY(aq_coded_matrix_read(source, &l->biases, matrix, part, room, biases, err));
  for (size_t i = 0; i < n; i++) {
    const bool has_scale = scales[i] < 0 || scales[i] > 0;
    out[i] = has_scale ? (float)((double)out[i] - (double)biases[i] / (double)scales[i]) : 0.0F;
  }
  return AQ_OK;
}

/* A part of the scales: whole rows of them, or a range of one row; at most CHUNK. */
static size_t cut_part(const aq_coded_layer *l, uint64_t first, uint64_t count, uint64_t *matrix, aq_coded_part *part) {
  const uint64_t rows = l->scales.rows, columns = l->scales.columns, row = first / columns;
  const uint64_t most = AQ_MIN(count, (uint64_t)CHUNK);
  *matrix = row / rows;
  *part = (aq_coded_part){row % rows, first % columns, 1, 0};
  part->columns = (size_t)AQ_MIN(columns - part->column, most);
  if (part->columns == columns) part->rows = (size_t)AQ_MIN(most / columns, rows - part->row);
  return part->rows * part->columns;
}

aq_status aq_layer_code_scales_read(const aq_source *source, const aq_coded_layer *l, uint64_t first, size_t count,
                                    float *scales, float *zero_points, aq_error *err) {
  aq_coded_room room = {NULL, 0};
  float own[CHUNK];
  aq_status status = AQ_OK;
  while (count > 0 && status == AQ_OK) {
    uint64_t matrix;
    aq_coded_part part;
    const size_t n = cut_part(l, first, count, &matrix, &part);
    float *to = scales != NULL ? scales : own;
    status = aq_coded_matrix_read(source, &l->scales, matrix, &part, &room, to, err);
    if (status == AQ_OK && zero_points != NULL) {
      status = find_zero_points(source, l, matrix, &part, to, &room, zero_points, err);
    }
    if (scales != NULL) scales += n;
    if (zero_points != NULL) zero_points += n;
    first += n;
    count -= n;
  }
  aq_free(room.bytes);
  return status;
}
