/* rms_norm.h - the norm of one row by its root mean square (Zhang and Sennrich, 2019):
 *
 *     out = gain * x / sqrt(mean(x * x) + epsilon) */
#ifndef AQ_MODEL_NN_RMS_NORM_H
#define AQ_MODEL_NN_RMS_NORM_H

#include <stddef.h>

/* 1 / sqrt(mean(x * x) + epsilon); n > 0. */
float aq_rms_factor(const float *x, size_t n, float epsilon);

/* n > 0; out may be x. The sum of squares is taken in double, in the order of kernels.h. */
void aq_rms_norm(const float *x, size_t n, const float *gain, float epsilon, float *out);

/* d_x from d_out, the gradient at what the norm made of x; d_x may be d_out. With f = 1 / sqrt(mean(x * x) + epsilon):
 *
 *     g = gain * d_out;  d_x = f (g - x f^2 mean(g * x)) */
void aq_rms_norm_backward(const float *d_out, const float *x, size_t n, const float *gain, float epsilon, float *d_x);

/* d_gain += d_out * x * f */
void aq_rms_norm_gain_gradient(const float *d_out, const float *x, size_t n, float epsilon, double *d_gain);

#endif
