/* causal_backward.h - the derivative of causal attention (causal_attention.h) over a whole text, for the heads of
 * queries that share a head of keys and values. */
#ifndef AQ_MODEL_NN_CAUSAL_BACKWARD_H
#define AQ_MODEL_NN_CAUSAL_BACKWARD_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

typedef struct aq_causal_backward {
  const float *query, *key, *value; /* of the first token: `heads` heads of queries one after another, one of keys and
                                       one of values; `stride` from token to token */
  float *d_query, *d_key, *d_value; /* as far apart, and filled */
  size_t stride;
  const float *d_out; /* as the queries; `out_stride` from token to token */
  size_t out_stride;
  size_t tokens;
  uint32_t heads, width;
  uint32_t window; /* tokens that each sees, itself the last; UINT32_MAX: all before it */
  float scale;     /* of the scores */
} aq_causal_backward;

/* What the weights of attention were is computed again. The sums over queries go head by head, each from its first
 * token to its last. scratch: room of aq_causal_backward_floats. */
void aq_causal_backward_run(const aq_causal_backward *group, const aq_kernels *kernels, float *scratch);
size_t aq_causal_backward_floats(size_t width, size_t tokens);

#endif
