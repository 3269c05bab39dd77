/* sums.h - sums over a row in the order of kernels.h: eight lanes of double, which compilers keep in registers. */
#ifndef AQ_MODEL_NN_SUMS_H
#define AQ_MODEL_NN_SUMS_H

#include <stddef.h>

#include "kernels/kernels.h"

static inline double aq_row_sum(const float *x, size_t n) {
  double lane[8] = {0};
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; j++) lane[j] += (double)x[i + j];
  }
  for (size_t j = 0; i < n; i++, j++) lane[j] += (double)x[i];
  return aq_lanes_total(lane);
}

static inline double aq_row_dot(const float *x, const float *y, size_t n) {
  double lane[8] = {0};
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; j++) lane[j] += (double)x[i + j] * (double)y[i + j];
  }
  for (size_t j = 0; i < n; i++, j++) lane[j] += (double)x[i] * (double)y[i];
  return aq_lanes_total(lane);
}

#endif
