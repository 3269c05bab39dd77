/* row_norm.h - a norm of activations as they are, of the kind that the model has (layer_norm.h, rms_norm.h), with what
 * its derivative needs, and the derivative; rows of n values one after another. */
#ifndef AQ_MODEL_NN_ROW_NORM_H
#define AQ_MODEL_NN_ROW_NORM_H

#include <stdbool.h>
#include <stddef.h>

#include "model/params.h"

typedef struct aq_row_norm {
  const float *gain, *shift; /* gain NULL: rows stay as they are. shift NULL: there is none */
  size_t n;
  float epsilon;
  bool by_mean_square;
} aq_row_norm;

/* That of a layer, or outside of them, with a role; the model may be without it. */
aq_row_norm aq_row_norm_of(const aq_params *params, uint32_t layer, aq_role role);

/* out = gain * z + shift; z: rows x n, scale: rows. z may be out, then it is lost. Without a gain z and scale stay as
 * they are. */
void aq_row_norm_forward(const aq_row_norm *norm, const float *x, size_t rows, float *z, float *scale, float *out);

/* d_x from d_out, and from what the forward pass read and made. */
void aq_row_norm_backward(const aq_row_norm *norm, const float *d_out, const float *x, const float *z,
                          const float *scale, size_t rows, float *d_x);

#endif
