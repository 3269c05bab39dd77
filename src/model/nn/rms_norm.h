/* rms_norm.h - the norm of one row by its root mean square (Zhang and Sennrich, 2019):
 *
 *     out = gain * x / sqrt(mean(x * x) + epsilon) */
#ifndef AQ_MODEL_NN_RMS_NORM_H
#define AQ_MODEL_NN_RMS_NORM_H

#include <stddef.h>

/* n > 0; out may be x. The sum of squares is taken in double, in the order of kernels.h. */
void aq_rms_norm(const float *x, size_t n, const float *gain, float epsilon, float *out);

#endif
