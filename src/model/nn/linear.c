/* linear.c - one layer y = W x + b. */
#include "model/nn/linear.h"

#include <math.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/nn/panels.h"

void aq_linear_reset(aq_linear *linear) {
  aq_free(linear->panels);
  aq_free(linear->codes);
  aq_free(linear->scales);
  aq_free(linear->sums);
  aq_free(linear->bias);
  *linear = (aq_linear){0};
}

aq_status aq_linear_create(aq_linear *linear, size_t out, size_t in, bool codes, aq_error *err) {
  const size_t rows = aq_panel_rows(out);
  *linear = (aq_linear){.out = (uint32_t)out, .in = (uint32_t)in};
  linear->bias = aq_calloc(rows, sizeof *linear->bias);
  if (codes) {
    linear->codes = aq_calloc(rows, aq_coded_stride(in));
    linear->scales = aq_calloc(rows, sizeof *linear->scales);
    linear->sums = aq_calloc(rows, sizeof *linear->sums);
  } else {
    linear->panels = aq_calloc(rows * in, sizeof *linear->panels);
  }
  const bool whole =
      codes ? linear->codes != NULL && linear->scales != NULL && linear->sums != NULL : linear->panels != NULL;
  if (whole && linear->bias != NULL) return AQ_OK;
  aq_linear_reset(linear);
  return aq_fail_memory(err, rows * in * (codes ? 1 : sizeof(float)));
}

static void put_row_of_codes(aq_linear *linear, size_t row, const int8_t *w, float scale) {
  int32_t sum = 0;
  for (size_t i = 0; i < linear->in; i++) sum += w[i];
  linear->scales[row] = scale;
  linear->sums[row] = sum;
  aq_panels_put_s8(linear->codes, linear->in, row, 1, w, linear->in);
}

void aq_linear_put(aq_linear *linear, size_t first, size_t rows, const float *w, int8_t *scratch) {
  if (linear->panels != NULL) {
    aq_panels_put_f32(linear->panels, linear->in, first, rows, w, linear->in);
    return;
  }
  const aq_kernels *k = aq_kernels_get();
  for (size_t row = 0; row < rows; row++, w += linear->in) {
    aq_range range = aq_range_empty();
    k->range_f32(w, linear->in, &range);
    const float scale = aq_bits_f32(range.max_abs_bits) / 127;
    const float usable = isnormal(scale) ? scale : 0;
    k->quantize_f32(w, linear->in, usable, 0, -127, 127, scratch);
    put_row_of_codes(linear, first + row, scratch, usable);
  }
}

void aq_linear_put_codes(aq_linear *linear, size_t first, size_t rows, const int8_t *w, const void *scales,
                         size_t scale_step) {
  for (size_t row = 0; row < rows; row++, w += linear->in) {
    const float scale = aq_load_f32((const uint8_t *)scales + row * scale_step * sizeof(float));
    put_row_of_codes(linear, first + row, w, scale);
  }
}

static void run_codes(const aq_linear *l, const aq_kernels *kernels, const float *x, size_t m, size_t first,
                      size_t last, aq_coded_rows *coded, float *y) {
  const size_t stride = aq_coded_stride(l->in);
  for (size_t i = 0; i < m; i++) {
    kernels->quantize_u8(x + i * l->in, l->in, coded->codes + i * stride, coded->scales + i, coded->zeros + i);
  }
  const aq_dense_s8 d = {.m = m,
                         .n = last - first,
                         .k = l->in,
                         .a = coded->codes,
                         .lda = stride,
                         .a_scales = coded->scales,
                         .a_zeros = coded->zeros,
                         .panels = l->codes + first * stride,
                         .scales = l->scales + first,
                         .sums = l->sums + first,
                         .bias = l->bias + first,
                         .c = y + first,
                         .ldc = l->out};
  kernels->dense_s8(&d);
}

void aq_linear_run(const aq_linear *linear, const aq_kernels *kernels, const float *x, size_t m, size_t first,
                   size_t last, aq_coded_rows *coded, float *y) {
  if (first >= last) return;
  if (linear->codes != NULL) {
    run_codes(linear, kernels, x, m, first, last, coded, y);
    return;
  }
  const aq_dense_f32 d = {.m = m,
                          .n = last - first,
                          .k = linear->in,
                          .a = x,
                          .lda = linear->in,
                          .panels = linear->panels + first * linear->in,
                          .bias = linear->bias + first,
                          .c = y + first,
                          .ldc = linear->out};
  kernels->dense_f32(&d);
}
