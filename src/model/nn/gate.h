/* gate.h - the gate of a feed-forward block (Shazeer, 2020), row by row, and its derivative:
 *
 *     out = f(a) * b;  d_a = f'(a) * b * d_out;  d_b = f(a) * d_out */
#ifndef AQ_MODEL_NN_GATE_H
#define AQ_MODEL_NN_GATE_H

#include <stdbool.h>

#include "model/nn/activation.h"

typedef struct aq_gate {
  const aq_activation *activation; /* f */
  const aq_kernels *kernels;
  size_t n;     /* values of a, of b, and of out */
  bool is_last; /* a row has b before a */
} aq_gate;

/* x: a row of 2 n values. out: n values. */
void aq_gate_forward(const aq_gate *gate, const float *x, float *out);

/* d_x: d_a and d_b where x has a and b, from d_out, n values, which change. */
void aq_gate_backward(const aq_gate *gate, const float *x, float *d_out, float *d_x);

#endif
