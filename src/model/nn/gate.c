/* gate.c - the gate of a feed-forward block. */
#include "model/nn/gate.h"

#include <string.h>

void aq_gate_forward(const aq_gate *gate, const float *x, float *out) {
  const size_t n = gate->n;
  const float *a = gate->is_last ? x + n : x, *b = gate->is_last ? x : x + n;
  memcpy(out, a, n * sizeof *out);
  gate->activation->apply(gate->kernels, out, n);
  for (size_t i = 0; i < n; i++) out[i] *= b[i];
}

/* f(a) is where d_a will be, until the derivative has read it. */
void aq_gate_backward(const aq_gate *gate, const float *x, float *d_out, float *d_x) {
  const size_t n = gate->n;
  const float *a = gate->is_last ? x + n : x, *b = gate->is_last ? x : x + n;
  float *const d_a = gate->is_last ? d_x + n : d_x, *const d_b = gate->is_last ? d_x : d_x + n;
  float *const active = d_a;
  memcpy(active, a, n * sizeof *active);
  gate->activation->apply(gate->kernels, active, n);
  for (size_t i = 0; i < n; i++) {
    d_b[i] = d_out[i] * active[i];
    d_out[i] *= b[i];
  }
  gate->activation->backward(a, active, n, d_out);
  memcpy(d_a, d_out, n * sizeof *d_a);
}
