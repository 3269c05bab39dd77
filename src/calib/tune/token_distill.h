/* token_distill.h - how far a decoder's next-token predictions q are from its teacher's, p, and the gradient of that:
 *
 *     loss = mean over all tokens of KL(p || q) = mean of sum over the vocabulary of p (ln p - ln q)
 *     d loss / d logits of q = (q - p) / tokens
 *
 * (Hinton, Vinyals and Dean, 2015, arXiv 1503.02531, at temperature 1.) The teacher's logits are made from its states
 * before the head, a block of tokens at a time. */
#ifndef AQ_CALIB_TUNE_TOKEN_DISTILL_H
#define AQ_CALIB_TUNE_TOKEN_DISTILL_H

#include "model/run/decoder_tape.h"

/* Zero-initialise. */
typedef struct aq_token_distill {
  const aq_params *teacher;
  const float *states; /* of the teacher, tokens of the pass x hidden */
  float *reference;    /* of a block: the teacher's logits, x vocabulary */
  double *losses;      /* of its tokens */
  double loss;         /* of the blocks that were differentiated: of the whole pass, when it is done */
} aq_token_distill;

AQ_MUST_CHECK aq_status aq_token_distill_init(aq_token_distill *distill, const aq_params *teacher, aq_error *err);
void aq_token_distill_reset(aq_token_distill *distill);

/* The loss for the next backward pass, one over the texts that the teacher had these states of; distill->loss begins at
 * 0. Both outlive that pass. The gradient does not depend on the number of threads. */
aq_decoder_loss aq_token_distill_begin(aq_token_distill *distill, const float *states);

#endif
