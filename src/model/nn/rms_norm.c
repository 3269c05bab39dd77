/* rms_norm.c - the norm of one row by its root mean square. */
#include "model/nn/rms_norm.h"

#include <math.h>

#include "model/nn/sums.h"

float aq_rms_factor(const float *x, size_t n, float epsilon) {
  return (float)(1 / sqrt(aq_row_dot(x, x, n) / (double)n + (double)epsilon));
}

void aq_rms_norm(const float *x, size_t n, const float *gain, float epsilon, float *out) {
  const float factor = aq_rms_factor(x, n, epsilon);
  for (size_t i = 0; i < n; i++) out[i] = x[i] * factor * gain[i];
}

void aq_rms_norm_backward(const float *d_out, const float *x, size_t n, const float *gain, float epsilon, float *d_x) {
  const float factor = aq_rms_factor(x, n, epsilon);
  for (size_t i = 0; i < n; i++) d_x[i] = gain[i] * d_out[i];
  const float along = (float)((double)factor * (double)factor * aq_row_dot(d_x, x, n) / (double)n);
  for (size_t i = 0; i < n; i++) d_x[i] = factor * (d_x[i] - x[i] * along);
}

void aq_rms_norm_gain_gradient(const float *d_out, const float *x, size_t n, float epsilon, double *d_gain) {
  const double factor = (double)aq_rms_factor(x, n, epsilon);
  for (size_t i = 0; i < n; i++) d_gain[i] += (double)d_out[i] * (double)x[i] * factor;
}
