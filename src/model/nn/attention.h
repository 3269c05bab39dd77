/* attention.h - scaled dot-product attention of one head over the tokens of one text (Vaswani et al., 2017), and its
 * derivative. */
#ifndef AQ_MODEL_NN_ATTENTION_H
#define AQ_MODEL_NN_ATTENTION_H

#include "model/nn/disentangled.h"
#include "model/nn/workspace.h"

typedef struct aq_head {
  const float *query, *key, *value; /* of the text's first token; `stride` from token to token */
  size_t stride;
  size_t tokens, width;
  float *out; /* `out_stride` from token to token */
  size_t out_stride;
  const float *relative;              /* biases by distance, see position_bias.h; NULL: none */
  float slope;                        /* of linear biases, see alibi.h; 0: none */
  const aq_head_distances *distances; /* NULL: none */
  uint32_t divisor;                   /* scores are divided by the root of it */
  size_t reach;                       /* a query sees keys that are at most so far away; SIZE_MAX: all */
} aq_head;

/* Head h of a text whose query, key and value stand side by side, a row per token. */
aq_head aq_attention_head(const aq_model_config *config, const float *qkv, size_t tokens, size_t h, float *context);

/* Floats of scratch for texts of `tokens` tokens, and a thread's space made of them. */
size_t aq_attention_floats(size_t width, size_t tokens);
aq_thread_space aq_attention_space(float *scratch, size_t width, size_t tokens);

/* out = softmax((query key' + what distances add) / sqrt(divisor) + bias) value. The space has room for what distances
 * add where there are any. */
void aq_attention_run(const aq_head *head, const aq_kernels *kernels, aq_thread_space *space);

typedef struct aq_head_backward {
  aq_head head;                     /* as it was run; its `out` is not read */
  float *d_query, *d_key, *d_value; /* as far apart as query, key and value */
  const float *d_out;               /* as far apart as out */
} aq_head_backward;

/* Fills d_query, d_key and d_value; what the weights of attention were is computed again. What distances add to the
 * scores is not differentiated: the head has none. scratch: room of aq_attention_backward_floats. */
void aq_attention_backward(const aq_head_backward *gradient, const aq_kernels *kernels, float *scratch);
size_t aq_attention_backward_floats(size_t width, size_t tokens);

#endif
