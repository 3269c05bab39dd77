/* add_rows.h - the inner loop of what is computed with matrices in double: a row plus multiples of others. */
#ifndef AQ_QUANT_ADD_ROWS_H
#define AQ_QUANT_ADD_ROWS_H

#include <stddef.h>

/* Sides of the blocks that matrices are cut into: a block of b takes 32 KiB. */
#define AQ_ADD_BLOCK ((size_t)64)

/* y[j] += a[0] * b[0][j], then a[1] * b[1][j], ..., each product and each sum rounded once. b: k rows, ldb apart. */
static inline void aq_add_rows(double *restrict y, size_t n, const double *restrict a, size_t k,
                               const double *restrict b, size_t ldb) {
  size_t p = 0;
  for (; p + 4 <= k; p += 4) {
    const double *const b0 = b + p * ldb, *const b1 = b0 + ldb, *const b2 = b1 + ldb, *const b3 = b2 + ldb;
    const double a0 = a[p], a1 = a[p + 1], a2 = a[p + 2], a3 = a[p + 3];
    for (size_t j = 0; j < n; j++) y[j] = (((y[j] + a0 * b0[j]) + a1 * b1[j]) + a2 * b2[j]) + a3 * b3[j];
  }
  for (; p < k; p++) {
    const double *const row = b + p * ldb, x = a[p];
    for (size_t j = 0; j < n; j++) y[j] += x * row[j];
  }
}

#endif
