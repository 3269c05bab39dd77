/* window_divergence.h - how far a decoder's predictions of the next token are from the original's, on windows of
 * tokens, at the positions that count (calib/text_windows.h).
 *
 * The original is not run again for each decoder that is measured: its states before the head are kept, which are far
 * smaller than its logits, and its logits are made from them a block at a time. */
#ifndef AQ_CALIB_WINDOW_DIVERGENCE_H
#define AQ_CALIB_WINDOW_DIVERGENCE_H

#include "core/pool.h"
#include "core/progress.h"
#include "model/params.h"

/* Windows of tokens, and what the original makes of them. The caller owns all of it. */
typedef struct aq_window_set {
  const int32_t *const *ids;
  const uint32_t *lengths;
  size_t count;
  const float *states; /* before the head: tokens of all windows x hidden */
} aq_window_set;

/* Fills `states`, of all tokens of the windows x hidden. */
AQ_MUST_CHECK aq_status aq_window_states(const aq_params *original, const int32_t *const *ids, const uint32_t *lengths,
                                         size_t count, aq_pool *pool, float *states, aq_error *err);

/* The mean KL(original || params) over the positions that count, in nats; 0 when there are none. Depends on the number
 * of threads as little as logits do: not at all. progress, which may be NULL, is asked before each window whether to go
 * on. AQ_ERR_NONFINITE when a logit is NaN or infinite. */
AQ_MUST_CHECK aq_status aq_window_divergence(const aq_params *original, const aq_window_set *on,
                                             const aq_params *params, aq_pool *pool, aq_progress *progress,
                                             double *mean, aq_error *err);

/* Bytes that it takes beside the parameters, for windows of so many tokens together. */
uint64_t aq_window_divergence_bytes(const aq_model *model, size_t tokens);

#endif
