/* causal_attention.h - scaled dot-product attention in which a token sees itself and what is before it, of heads of
 * queries that share keys and values (Ainslie et al., 2023), within a window or not. */
#ifndef AQ_MODEL_NN_CAUSAL_ATTENTION_H
#define AQ_MODEL_NN_CAUSAL_ATTENTION_H

#include "kernels/kernels.h"
#include "model/nn/kv_cache.h"

typedef struct aq_causal_group {
  const aq_kv_cache *cache; /* has keys and values of all positions below first + tokens */
  uint32_t kv_head;
  const float *query; /* of the first token: `heads` heads, one after another; `stride` from token to token */
  size_t stride;
  uint32_t heads;       /* that share kv_head */
  size_t first, tokens; /* position of the first token, and how many there are */
  uint32_t window;      /* tokens that each sees, itself the last; UINT32_MAX: all before it */
  float scale;          /* of the scores */
  float *out;           /* as the queries; `out_stride` from token to token */
  size_t out_stride;
} aq_causal_group;

/* Floats of scratch for a head of that width in texts of up to `context` tokens. */
size_t aq_causal_attention_floats(size_t width, size_t context);

/* out = softmax(scale query key') value over the keys that each token sees. What a token gets does not depend on which
 * tokens come with it. */
void aq_causal_attention_run(const aq_causal_group *group, const aq_kernels *kernels, float *scratch);

#endif
