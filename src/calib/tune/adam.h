/* adam.h - one step of Adam (Kingma and Ba, 2014, arXiv 1412.6980), for loops over arrays:
 *
 *     m = b1 m + (1 - b1) g    v = b2 v + (1 - b2) g^2    x -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + e)
 *
 * with b1 = .9 and b2 = .98. e = 1e-12 is to be taken beside sqrt(v) itself: gradients here are small. */
#ifndef AQ_CALIB_TUNE_ADAM_H
#define AQ_CALIB_TUNE_ADAM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define AQ_ADAM_B1 0.9
#define AQ_ADAM_B2 0.98
#define AQ_ADAM_E 1e-12F

/* What makes up for m and v having begun at 0; t >= 1 counts steps. */
float aq_adam_correction(uint32_t t);

/* Takes a gradient in; what is returned, times the rate and the correction, is to be subtracted. */
static inline float aq_adam_direction(float g, float *m, float *v) {
  *m = (float)AQ_ADAM_B1 * *m + (float)(1 - AQ_ADAM_B1) * g;
  *v = (float)AQ_ADAM_B2 * *v + (float)(1 - AQ_ADAM_B2) * (g * g);
  return *m / (sqrtf(*v) + AQ_ADAM_E);
}

/* x of n values; rate includes the correction. */
void aq_adam_step(size_t n, const float *restrict g, float rate, float *restrict m, float *restrict v,
                  float *restrict x);

#endif
