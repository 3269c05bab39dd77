/* attention_backward.h - the derivative of attention of one head over one text. */
#ifndef AQ_MODEL_NN_ATTENTION_BACKWARD_H
#define AQ_MODEL_NN_ATTENTION_BACKWARD_H

#include "kernels/kernels.h"

typedef struct aq_head_backward {
  const float *query, *key, *value; /* of the text's first token; `stride` from token to token */
  float *d_query, *d_key, *d_value; /* as far apart */
  size_t stride;
  const float *d_out; /* `out_stride` from token to token */
  size_t out_stride;
  size_t tokens, width;
} aq_head_backward;

/* Fills d_query, d_key and d_value; what the weights of attention were is computed again. scratch: room of
 * aq_attention_backward_floats. */
void aq_attention_backward(const aq_head_backward *head, const aq_kernels *kernels, float *scratch);
size_t aq_attention_backward_floats(size_t width, size_t tokens);

#endif
