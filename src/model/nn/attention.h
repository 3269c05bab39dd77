/* attention.h - scaled dot-product attention of one head over the tokens of one text (Vaswani et al., 2017). */
#ifndef AQ_MODEL_NN_ATTENTION_H
#define AQ_MODEL_NN_ATTENTION_H

#include "model/nn/workspace.h"

typedef struct aq_head {
  const float *query, *key, *value; /* of the text's first token; `stride` from token to token */
  size_t stride;
  size_t tokens, width;
  float *out; /* `out_stride` from token to token */
  size_t out_stride;
  const float *relative; /* biases by distance, see position_bias.h; NULL: none */
} aq_head;

/* Floats of scratch for texts of `tokens` tokens, and a thread's space made of them. */
size_t aq_attention_floats(size_t width, size_t tokens);
aq_thread_space aq_attention_space(float *scratch, size_t width, size_t tokens);

/* out = softmax(query key' / sqrt(width) + bias) value. */
void aq_attention_run(const aq_head *head, const aq_kernels *kernels, aq_thread_space *space);

#endif
