/* layer_norm.h - the norm of one row (Ba et al., 2016) with what its derivative needs, and the derivative.
 *
 *     z = (y - mean(y)) * scale, scale = 1 / sqrt(variance(y) + epsilon); out = gain * z + shift
 *     g = gain * d_out; d_y = scale * (g - mean(g) - z * mean(g * z)) */
#ifndef AQ_MODEL_NN_LAYER_NORM_H
#define AQ_MODEL_NN_LAYER_NORM_H

#include <stddef.h>

/* y = x + z as z is given; x NULL: y = z. z becomes the z above. shift NULL: there is none. Returns scale. */
float aq_layer_norm_forward(const float *x, size_t n, const float *gain, const float *shift, float epsilon, float *z,
                            float *out);
/* out = gain * z + shift, as the norm gave it; out may be z, shift NULL. */
void aq_layer_norm_output(const float *z, size_t n, const float *gain, const float *shift, float *out);
void aq_layer_norm_backward(const float *d_out, const float *z, float scale, const float *gain, size_t n, float *d_y);

#endif
