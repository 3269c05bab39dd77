/* adam.c - Adam on an array. */
#include "calib/tune/adam.h"

float aq_adam_correction(uint32_t t) { return (float)(sqrt(1 - pow(AQ_ADAM_B2, t)) / (1 - pow(AQ_ADAM_B1, t))); }

void aq_adam_step(size_t n, const float *restrict g, float rate, float *restrict m, float *restrict v,
                  float *restrict x) {
  for (size_t i = 0; i < n; i++) x[i] -= rate * aq_adam_direction(g[i], &m[i], &v[i]);
}
