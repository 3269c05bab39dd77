/* symmetric.c - the upper half of symmetric matrices, copied in tiles that stay in the first-level cache. */
#include "calib/fisher/symmetric.h"

#include "core/compiler.h"
#include "core/error.h"
#include "kernels/kernels.h"

#define TILE ((size_t)32)

typedef struct job {
  float *matrix;
  size_t n;
  double divisor;
} job;

static void finish_tile(const job *m, size_t row, size_t column, size_t rows) {
  for (size_t i = row; i < row + rows; i++) {
    const size_t end = AQ_MIN(column + TILE, i + 1);
    for (size_t j = column; j < end; j++) {
      const float value = (float)((double)m->matrix[i * m->n + j] / m->divisor);
      m->matrix[i * m->n + j] = value;
      m->matrix[j * m->n + i] = value;
    }
  }
}

/* TILE rows. What it writes above the diagonal is in their columns, which no other item touches. */
static aq_status finish_rows(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const job *m = ctx;
  const size_t row = (size_t)item * TILE, rows = AQ_MIN(m->n - row, TILE);
  (void)worker;
  for (size_t column = 0; column <= row; column += TILE) finish_tile(m, row, column, rows);
  aq_range range = aq_range_empty();
  for (size_t i = row; i < row + rows; i++) aq_kernels_get()->range_f32(m->matrix + i * m->n, i + 1, &range);
  AQ_FAIL_IF(range.max_abs_bits >= 0x7f800000U, AQ_ERR_NONFINITE, "the sums go beyond what FP32 holds");
  return AQ_OK;
}

aq_status aq_symmetric_finish(aq_pool *pool, float *matrix, size_t n, double divisor, aq_error *err) {
  job m = {matrix, n, divisor};
  return aq_pool_run(pool, (n + TILE - 1) / TILE, finish_rows, &m, err);
}
