/* coded_linear.c - linears as codes, from the matrices of a source. */
#include "model/coded_linear.h"

#include <math.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/finite_weight.h"
#include "quant/scheme.h"

#define CHUNK_ROWS ((size_t)64) /* a multiple of 8: their codes begin at a byte, whatever the width */

/* ---- codes of rows ---- */

static bool scales_fit(const aq_tensor *stored) {
  const uint8_t *scales = stored->scales, *zeros = stored->zero_points;
  for (uint64_t i = 0; i < stored->num_scales; i++) {
    if (aq_load_f32(zeros + i * sizeof(float)) != 0 || !isfinite(aq_load_f32(scales + i * sizeof(float)))) return false;
  }
  return true;
}

aq_status aq_row_codes_load(const aq_source *source, size_t tensor, aq_tensor *stored, aq_error *err) {
  const aq_tensor_info *info = aq_source_tensor(source, tensor);
  *stored = (aq_tensor){.data = NULL};
  if (info->quant_type == AQ_KEPT || info->group_size != 0) return AQ_OK;
  const aq_status status = aq_source_load(source, tensor, stored, err);
  if (status == AQ_ERR_UNSUPPORTED) return AQ_OK;
  AQ_TRY(status);
  if (!scales_fit(stored)) aq_tensor_release(stored);
  return AQ_OK;
}

/* ---- a linear ---- */

typedef struct coded_matrices {
  const aq_source *source;
  const aq_weight *weights;
  size_t count;
  aq_tensor *stored; /* a matrix each; data NULL: not codes of rows */
} coded_matrices;

/* Whether codes stored in 8 bits, as those of tables with a target are, would fit in 4: all are -8..7. */
static bool are_small(const aq_tensor *stored) {
  const uint8_t *codes = stored->data;
  uint8_t large = 0;
  for (uint64_t i = 0; i < stored->data_bytes; i++) large |= (uint8_t)(codes[i] + 8) & 0xf0;
  return large == 0;
}

static aq_linear_form form_of(const coded_matrices *c) {
  for (size_t i = 0; i < c->count; i++) {
    const aq_tensor_info *info = aq_source_tensor(c->source, c->weights[i].tensor);
    if (c->stored[i].data == NULL) return AQ_LINEAR_S8;
    if (info->quant_type == AQ_INT8 && !are_small(&c->stored[i])) return AQ_LINEAR_S8;
  }
  return AQ_LINEAR_S4;
}

static void put_codes(const coded_matrices *c, size_t i, aq_linear *linear, size_t row, int8_t *codes) {
  const aq_weight *w = &c->weights[i];
  const aq_tensor_info *info = aq_source_tensor(c->source, w->tensor);
  const size_t bits = aq_quant_type_bits(info->quant_type), step = info->quant_axis < 0 ? 0 : 1;
  const uint8_t *data = c->stored[i].data, *scales = c->stored[i].scales;
  for (size_t first = 0; first < w->rows; first += CHUNK_ROWS) {
    const size_t rows = AQ_MIN(w->rows - first, CHUNK_ROWS);
    aq_unpack_codes(info->quant_type, data + first * w->cols * bits / 8, rows * w->cols, codes);
    aq_linear_put_codes(linear, row + first, rows, codes, scales + first * step * sizeof(float), step);
  }
}

static aq_status put_values(const coded_matrices *c, size_t i, aq_linear *linear, size_t row, int8_t *codes,
                            aq_error *err) {
  const aq_weight *w = &c->weights[i];
  float *values = aq_realloc_array(NULL, CHUNK_ROWS * w->cols, sizeof *values);
  aq_status status = values != NULL ? AQ_OK : aq_fail_memory(err, CHUNK_ROWS * w->cols * sizeof *values);
  for (size_t first = 0; first < w->rows && status == AQ_OK; first += CHUNK_ROWS) {
    const size_t rows = AQ_MIN(w->rows - first, CHUNK_ROWS), count = rows * w->cols;
    status = aq_source_read_f32(c->source, w->tensor, first * w->cols, count, values, err);
    if (status == AQ_OK) status = aq_check_finite_weight(c->source, w->tensor, values, count, err);
    if (status == AQ_OK) aq_linear_put(linear, row + first, rows, values, codes);
  }
  aq_free(values);
  return status;
}

static aq_status check_width(const aq_source *source, const aq_weight *w, aq_error *err) {
  if (w->cols <= AQ_DENSE_S8_K_MAX) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "its rows have %u columns, and codes are computed with up to %d", w->cols,
                AQ_DENSE_S8_K_MAX);
  (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Compute in fp32");
  return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, aq_source_tensor(source, w->tensor)->name);
}

static aq_status fill_linear(const coded_matrices *c, aq_linear *linear, size_t *rounded, aq_error *err) {
  const size_t cols = c->weights[0].cols;
  size_t rows = 0, row = 0;
  for (size_t i = 0; i < c->count; i++) {
    AQ_TRY(aq_row_codes_load(c->source, c->weights[i].tensor, &c->stored[i], err));
    rows += c->weights[i].rows;
  }
  AQ_TRY(aq_linear_create(linear, rows, cols, form_of(c), err));
  int8_t *codes = aq_malloc(CHUNK_ROWS * cols);
  aq_status status = codes != NULL ? AQ_OK : aq_fail_memory(err, CHUNK_ROWS * cols);
  for (size_t i = 0; i < c->count && status == AQ_OK; row += c->weights[i++].rows) {
    if (c->stored[i].data != NULL) {
      put_codes(c, i, linear, row, codes);
    } else {
      status = put_values(c, i, linear, row, codes, err);
      (*rounded)++;
    }
  }
  aq_free(codes);
  return status;
}

aq_status aq_coded_linear_load(aq_linear *linear, const aq_source *source, const aq_weight *weights, size_t count,
                               size_t *rounded, aq_error *err) {
  *rounded = 0;
  AQ_TRY(check_width(source, &weights[0], err));
  coded_matrices c = {source, weights, count, aq_calloc(count, sizeof *c.stored)};
  if (c.stored == NULL) return aq_fail_memory(err, count * sizeof *c.stored);
  const aq_status status = fill_linear(&c, linear, rounded, err);
  for (size_t i = 0; i < count; i++) aq_tensor_release(&c.stored[i]);
  aq_free(c.stored);
  return status;
}
