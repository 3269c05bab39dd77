/* token_draw.h - a token drawn from the probabilities that logits give. */
#ifndef AQ_MODEL_NN_TOKEN_DRAW_H
#define AQ_MODEL_NN_TOKEN_DRAW_H

#include <stddef.h>

/* The first token at which the sum of p, which need not come to 1, exceeds u of the whole; n > 0, 0 <= u < 1. Summed in
 * double, in order. */
size_t aq_token_draw(const float *p, size_t n, double u);

#endif
