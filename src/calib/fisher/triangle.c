/* triangle.c - lower triangles to squares and back. What lies above the diagonal is written in tiles that stay in the
 * first-level cache. */
#include "calib/fisher/triangle.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "kernels/kernels.h"

#define TILE ((size_t)32)

/* ---- all values ---- */

typedef struct division {
  float *triangle;
  size_t n;
  double divisor;
} division;

/* TILE rows. */
static aq_status divide_rows(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const division *d = ctx;
  const size_t row = (size_t)item * TILE, end = AQ_MIN(row + TILE, d->n);
  float *values = d->triangle + aq_triangle_row(row);
  const size_t count = aq_triangle_row(end) - aq_triangle_row(row);
  (void)worker;
  for (size_t i = 0; i < count; i++) values[i] = (float)((double)values[i] / d->divisor);
  aq_range range = aq_range_empty();
  aq_kernels_get()->range_f32(values, count, &range);
  AQ_FAIL_IF(!aq_range_is_finite(&range), AQ_ERR_NONFINITE, "the sums go beyond what FP32 holds");
  return AQ_OK;
}

aq_status aq_triangle_divide(aq_pool *pool, float *triangle, size_t n, double divisor, aq_error *err) {
  division d = {triangle, n, divisor};
  return aq_pool_run(pool, (n + TILE - 1) / TILE, divide_rows, &d, err);
}

double aq_triangle_trace(const float *triangle, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)triangle[aq_triangle_row(i) + i];
  return sum;
}

/* ---- squares ---- */

void aq_triangle_pack(const float *square, size_t n, float *triangle) {
  for (size_t i = 0; i < n; i++, triangle += i) memcpy(triangle, square + i * n, (i + 1) * sizeof *triangle);
}

void aq_triangle_expand_lower(const float *triangle, size_t n, float *square) {
  for (size_t i = 0; i < n; i++, triangle += i, square += n) {
    memcpy(square, triangle, (i + 1) * sizeof *square);
    memset(square + i + 1, 0, (n - i - 1) * sizeof *square);
  }
}

/* What is above the diagonal in the columns [row, row + rows) and the rows [column, column + TILE). */
static void mirror_tile(float *square, size_t n, size_t row, size_t column, size_t rows) {
  for (size_t i = row; i < row + rows; i++) {
    const size_t end = AQ_MIN(column + TILE, i);
    for (size_t j = column; j < end; j++) square[j * n + i] = square[i * n + j];
  }
}

void aq_triangle_expand(const float *triangle, size_t n, float *square) {
  for (size_t i = 0; i < n; i++, triangle += i) memcpy(square + i * n, triangle, (i + 1) * sizeof *square);
  for (size_t row = 0; row < n; row += TILE) {
    for (size_t column = 0; column <= row; column += TILE) {
      mirror_tile(square, n, row, column, AQ_MIN(n - row, TILE));
    }
  }
}
