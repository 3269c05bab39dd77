/* decoder_spec.h - a decoder as its configuration describes it: what each layer does, and what all share. */
#ifndef AQ_MODEL_DECODER_SPEC_H
#define AQ_MODEL_DECODER_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "model/nn/activation.h"
#include "model/nn/rope.h"

#define AQ_NO_WINDOW UINT32_MAX
#define AQ_NO_ROPE UINT32_MAX

/* One layer. Which norms it has beside those before its two blocks, of queries and keys and of what a block adds to the
 * stream, the list of weights says. */
typedef struct aq_layer_spec {
  uint32_t heads, kv_heads, width; /* of the attention: kv_heads divides heads */
  float scale;                     /* of its scores */
  uint32_t window;                 /* tokens that a query sees, itself the last of them; AQ_NO_WINDOW: all before it */
  uint32_t rope;                   /* index of its rotary positions; AQ_NO_ROPE: it has none */
  const aq_activation *activation; /* of the gate of the feed-forward block */
  uint32_t inner;                  /* width of that block */
} aq_layer_spec;

enum { AQ_ROPES_MAX = 2 };

typedef struct aq_decoder_config {
  aq_layer_spec *layers; /* aq_model_config.layers of them */
  aq_rope ropes[AQ_ROPES_MAX];
  uint32_t biased;       /* roles of linears that have a bias: bits */
  float embedding_scale; /* of a token's row, 1 where nothing says so */
  float logit_cap;       /* logits are cap tanh(x / cap); 0: they are not capped */
  bool gains_add_one;    /* a norm's gain is 1 more than what is stored */
  bool tied;             /* the table of tokens is the head, where the source has no other */
} aq_decoder_config;

#endif
