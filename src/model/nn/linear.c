/* linear.c - one layer y = W x + b. */
#include "model/nn/linear.h"

#include <math.h>

#include "core/bytes.h"
#include "core/compiler.h"
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

/* Of a row of codes in its panel. */
static size_t row_bytes(const aq_linear *l) { return aq_coded_stride(l->in) / (l->form == AQ_LINEAR_S4 ? 2 : 1); }

aq_status aq_linear_create(aq_linear *linear, size_t out, size_t in, aq_linear_form form, aq_error *err) {
  const size_t rows = aq_panel_rows(out);
  const bool codes = form != AQ_LINEAR_F32;
  *linear = (aq_linear){.out = (uint32_t)out, .in = (uint32_t)in, .form = form};
  linear->bias = aq_calloc(rows, sizeof *linear->bias);
  if (codes) {
    linear->codes = aq_calloc(rows, row_bytes(linear));
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

aq_status aq_coded_rows_create(aq_coded_rows *coded, size_t rows, size_t widest, bool two_codes, aq_error *err) {
  const size_t stride = aq_coded_stride(widest), all = two_codes ? 2 * rows : rows;
  coded->codes = aq_calloc(all, stride);
  coded->scales = aq_calloc(all, sizeof *coded->scales);
  coded->zeros = aq_calloc(all, sizeof *coded->zeros);
  bool whole = coded->codes != NULL && coded->scales != NULL && coded->zeros != NULL;
  if (two_codes) {
    coded->rest = aq_calloc(widest, sizeof *coded->rest);
    coded->strip = aq_calloc(all * AQ_STRIP, sizeof *coded->strip);
    whole = whole && coded->rest != NULL && coded->strip != NULL;
  }
  return whole ? AQ_OK : aq_fail_memory(err, all * stride);
}

void aq_coded_rows_reset(aq_coded_rows *coded) {
  aq_free(coded->codes);
  aq_free(coded->scales);
  aq_free(coded->zeros);
  aq_free(coded->rest);
  aq_free(coded->strip);
  *coded = (aq_coded_rows){.codes = NULL};
}

static void put_codes(aq_linear *linear, size_t first, size_t rows, const int8_t *w) {
  for (size_t row = 0; row < rows; row++) {
    int32_t sum = 0;
    for (size_t i = 0; i < linear->in; i++) sum += w[row * linear->in + i];
    linear->sums[first + row] = sum;
  }
  if (linear->form == AQ_LINEAR_S4) {
    aq_panels_put_s4((uint8_t *)linear->codes, linear->in, first, rows, w, linear->in);
  } else {
    aq_panels_put_s8(linear->codes, linear->in, first, rows, w, linear->in);
  }
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
    linear->scales[first + row] = usable;
    put_codes(linear, first + row, 1, scratch);
  }
}

void aq_linear_put_codes(aq_linear *linear, size_t first, size_t rows, const int8_t *w, const void *scales,
                         size_t scale_step) {
  for (size_t row = 0; row < rows; row++) {
    linear->scales[first + row] = aq_load_f32((const uint8_t *)scales + row * scale_step * sizeof(float));
  }
  put_codes(linear, first, rows, w);
}

/* Rows of codes in, outputs [first, first + n) out, ldc apart. */
static void multiply_codes(const aq_linear *l, const aq_kernels *kernels, const aq_coded_rows *coded, size_t rows,
                           size_t first, size_t n, const float *bias, float *c, size_t ldc) {
  const size_t stride = aq_coded_stride(l->in);
  const aq_dense_s8 d = {.m = rows,
                         .n = n,
                         .k = l->in,
                         .a = coded->codes,
                         .lda = stride,
                         .a_scales = coded->scales,
                         .a_zeros = coded->zeros,
                         .panels = l->codes + first * row_bytes(l),
                         .scales = l->scales + first,
                         .sums = l->sums + first,
                         .bias = bias,
                         .c = c,
                         .ldc = ldc};
  if (l->form == AQ_LINEAR_S4) {
    kernels->dense_s4(&d);
  } else {
    kernels->dense_s8(&d);
  }
}

static void run_codes(const aq_linear *l, const aq_kernels *kernels, const float *x, size_t m, size_t first,
                      size_t last, const aq_coded_rows *coded, float *y) {
  const size_t stride = aq_coded_stride(l->in);
  for (size_t i = 0; i < m; i++) {
    kernels->quantize_u8(x + i * l->in, l->in, coded->codes + i * stride, coded->scales + i, coded->zeros + i);
  }
  multiply_codes(l, kernels, coded, m, first, last - first, l->bias + first, y + first, l->out);
}

/* ---- inputs as two codes ---- */

/* Rows 2 i and 2 i + 1 of the codes are row i of x, and what the first leaves of it. */
static void code_twice(const aq_linear *l, const aq_kernels *kernels, const float *x, size_t m,
                       const aq_coded_rows *coded) {
  const size_t stride = aq_coded_stride(l->in);
  for (size_t i = 0; i < m; i++, x += l->in) {
    const size_t row = 2 * i;
    uint8_t *codes = coded->codes + row * stride;
    kernels->quantize_u8(x, l->in, codes, &coded->scales[row], &coded->zeros[row]);
    const float scale = coded->scales[row];
    const int32_t zero = coded->zeros[row];
    for (size_t k = 0; k < l->in; k++) coded->rest[k] = x[k] - (float)(codes[k] - zero) * scale;
    kernels->quantize_u8(coded->rest, l->in, codes + stride, &coded->scales[row + 1], &coded->zeros[row + 1]);
  }
}

/* y = (product of the first codes + product of the second) + bias, strip by strip. */
static void run_two_codes(const aq_linear *l, const aq_kernels *kernels, const float *x, size_t m, size_t first,
                          size_t last, const aq_coded_rows *coded, float *y) {
  static const float no_bias[AQ_STRIP];
  code_twice(l, kernels, x, m, coded);
  for (size_t j = first; j < last; j += AQ_STRIP) {
    const size_t n = AQ_MIN(last - j, (size_t)AQ_STRIP);
    multiply_codes(l, kernels, coded, 2 * m, j, n, no_bias, coded->strip, AQ_STRIP);
    for (size_t i = 0; i < m; i++) {
      const float *one = coded->strip + 2 * i * AQ_STRIP, *two = one + AQ_STRIP, *bias = l->bias + j;
      float *to = y + i * l->out + j;
      for (size_t c = 0; c < n; c++) to[c] = (one[c] + two[c]) + bias[c];
    }
  }
}

void aq_linear_run(const aq_linear *linear, const aq_kernels *kernels, const float *x, size_t m, size_t first,
                   size_t last, const aq_coded_rows *coded, float *y) {
  if (first >= last) return;
  if (linear->codes != NULL) {
    if (coded->rest != NULL) {
      run_two_codes(linear, kernels, x, m, first, last, coded, y);
    } else {
      run_codes(linear, kernels, x, m, first, last, coded, y);
    }
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
