/* rms_norm.c - the norm of one row by its root mean square. */
#include "model/nn/rms_norm.h"

#include <math.h>

#include "model/nn/sums.h"

void aq_rms_norm(const float *x, size_t n, const float *gain, float epsilon, float *out) {
  const float factor = (float)(1 / sqrt(aq_row_dot(x, x, n) / (double)n + (double)epsilon));
  for (size_t i = 0; i < n; i++) out[i] = x[i] * factor * gain[i];
}
