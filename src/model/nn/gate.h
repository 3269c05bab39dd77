/* gate.h - the gate of a feed-forward block (Shazeer, 2020), row by row, and its derivative:
 *
 *     out = f(a) * b;  d_a = f'(a) * b * d_out;  d_b = f(a) * d_out */
#ifndef AQ_MODEL_NN_GATE_H
#define AQ_MODEL_NN_GATE_H

#include "model/nn/activation.h"

/* x: a, then b, n values each. out: n values. */
void aq_gate_forward(const aq_activation *activation, const aq_kernels *kernels, const float *x, size_t n, float *out);

/* d_x: d_a, then d_b, from d_out, n values, which change. */
void aq_gate_backward(const aq_activation *activation, const aq_kernels *kernels, const float *x, size_t n,
                      float *d_out, float *d_x);

#endif
