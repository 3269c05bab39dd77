/* token_loss.h - how much a token surprises: the negative logarithm of the probability that logits give it, in nats. */
#ifndef AQ_MODEL_NN_TOKEN_LOSS_H
#define AQ_MODEL_NN_TOKEN_LOSS_H

#include <stddef.h>

/* log(sum of exp(logits[i] - logits[token])) over n > 0 logits, token < n; in double, summed in the order of kernels.h.
 * Not finite when a logit is not. */
double aq_token_loss(const float *logits, size_t n, size_t token);

#endif
