/* layer_norm.c - the norm of one row and its derivative; sums in double. */
#include "model/nn/layer_norm.h"

#include <math.h>

#include "model/nn/sums.h"

float aq_layer_norm_forward(const float *x, size_t n, const float *gain, const float *shift, float epsilon, float *z,
                            float *out) {
  for (size_t i = 0; x != NULL && i < n; i++) z[i] += x[i];
  const float mean = (float)(aq_row_sum(z, n) / (double)n);
  for (size_t i = 0; i < n; i++) z[i] -= mean;
  /* The mean was rounded: what is left of it counts in the variance alone, at 2^-48 of its square. */
  const float scale = (float)(1 / sqrt(aq_row_dot(z, z, n) / (double)n + (double)epsilon));
  for (size_t i = 0; i < n; i++) z[i] *= scale;
  aq_layer_norm_output(z, n, gain, shift, out);
  return scale;
}

void aq_layer_norm_output(const float *z, size_t n, const float *gain, const float *shift, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = gain[i] * z[i];
  for (size_t i = 0; shift != NULL && i < n; i++) out[i] += shift[i];
}

void aq_layer_norm_backward(const float *d_out, const float *z, float scale, const float *gain, size_t n, float *d_y) {
  for (size_t i = 0; i < n; i++) d_y[i] = gain[i] * d_out[i];
  const float mean = (float)(aq_row_sum(d_y, n) / (double)n);
  const float along = (float)(aq_row_dot(d_y, z, n) / (double)n);
  for (size_t i = 0; i < n; i++) d_y[i] = scale * (d_y[i] - mean - z[i] * along);
}
