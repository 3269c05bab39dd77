/* gate.c - the gate of a feed-forward block. */
#include "model/nn/gate.h"

#include <string.h>

void aq_gate_forward(const aq_activation *activation, const aq_kernels *kernels, const float *x, size_t n, float *out) {
  memcpy(out, x, n * sizeof *out);
  activation->apply(kernels, out, n);
  for (size_t i = 0; i < n; i++) out[i] *= x[n + i];
}

/* f(a) is where d_a will be, until the derivative has read it. */
void aq_gate_backward(const aq_activation *activation, const aq_kernels *kernels, const float *x, size_t n,
                      float *d_out, float *d_x) {
  float *const active = d_x;
  memcpy(active, x, n * sizeof *active);
  activation->apply(kernels, active, n);
  for (size_t i = 0; i < n; i++) {
    d_x[n + i] = d_out[i] * active[i];
    d_out[i] *= x[n + i];
  }
  activation->backward(x, active, n, d_out);
  memcpy(d_x, d_out, n * sizeof *d_x);
}
