/* triangle.h - symmetric and lower triangular matrices as their lower triangle, row by row: row i has i + 1 values.
 * Half the memory of a square, and what is computed of a symmetric matrix anyway. */
#ifndef AQ_CALIB_FISHER_TRIANGLE_H
#define AQ_CALIB_FISHER_TRIANGLE_H

#include <stddef.h>

#include "arrowquant.h"
#include "core/pool.h"

/* Where a row begins; with the number of rows, the floats of the whole. */
static inline size_t aq_triangle_row(size_t row) { return row * (row + 1) / 2; }

/* Divides every value. AQ_ERR_NONFINITE when a result is no number. */
AQ_MUST_CHECK aq_status aq_triangle_divide(aq_pool *pool, float *triangle, size_t n, double divisor, aq_error *err);

double aq_triangle_trace(const float *triangle, size_t n);

/* The lower triangle of an n x n matrix. */
void aq_triangle_pack(const float *square, size_t n, float *triangle);
/* n x n: the symmetric matrix, or the lower triangular one with zeros above the diagonal. */
void aq_triangle_expand(const float *triangle, size_t n, float *square);
void aq_triangle_expand_lower(const float *triangle, size_t n, float *square);

#endif
