/* row_norm.c - a norm of activations as they are. */
#include "model/nn/row_norm.h"

#include <string.h>

#include "model/nn/layer_norm.h"
#include "model/nn/rms_norm.h"

aq_row_norm aq_row_norm_of(const aq_params *params, uint32_t layer, aq_role role) {
  const aq_model_config *c = &params->model->config;
  const aq_param_norm norm = aq_params_norm(params, layer, role);
  return (aq_row_norm){norm.gain, norm.shift, c->hidden, c->epsilon, c->has_rms_norms};
}

/* The same bits as aq_rms_norm gives. */
static float divide_by_mean_square(const aq_row_norm *norm, const float *x, float *z, float *out) {
  const float factor = aq_rms_factor(x, norm->n, norm->epsilon);
  for (size_t i = 0; i < norm->n; i++) z[i] = x[i] * factor;
  aq_layer_norm_output(z, norm->n, norm->gain, norm->shift, out);
  return factor;
}

static float subtract_and_divide(const aq_row_norm *norm, const float *x, float *z, float *out) {
  memcpy(z, x, norm->n * sizeof *z);
  return aq_layer_norm_forward(NULL, norm->n, norm->gain, norm->shift, norm->epsilon, z, out);
}

void aq_row_norm_forward(const aq_row_norm *norm, const float *x, size_t rows, float *z, float *scale, float *out) {
  const size_t n = norm->n;
  if (norm->gain == NULL) {
    memcpy(out, x, rows * n * sizeof *out);
    return;
  }
  for (size_t t = 0; t < rows; t++, x += n, z += n, out += n) {
    scale[t] = (norm->by_mean_square ? divide_by_mean_square : subtract_and_divide)(norm, x, z, out);
  }
}

void aq_row_norm_backward(const aq_row_norm *norm, const float *d_out, const float *x, const float *z,
                          const float *scale, size_t rows, float *d_x) {
  const size_t n = norm->n;
  if (norm->gain == NULL) {
    memcpy(d_x, d_out, rows * n * sizeof *d_x);
    return;
  }
  for (size_t t = 0; t < rows; t++, d_out += n, x += n, z += n, d_x += n) {
    if (norm->by_mean_square) {
      aq_rms_norm_backward(d_out, x, n, norm->gain, norm->epsilon, d_x);
    } else {
      aq_layer_norm_backward(d_out, z, scale[t], norm->gain, n, d_x);
    }
  }
}
