/* rounding.h - the codes of one matrix of an encoder, whose type and scales are chosen, with error feedback and a
 * descent on single codes (docs/schemes/feedback.md). */
#ifndef AQ_SEARCH_ROUNDING_H
#define AQ_SEARCH_ROUNDING_H

#include "calib/fisher/fisher_factors.h"
#include "core/pool.h"
#include "quant/encoded.h"

/* Of w (rows x cols) into encoded->codes, which has room for them. lambda: the price of a bit. bits: what the codes are
 * expected to take; where they are fine, feedback is not damped. pool: NULL: the calling thread; the result does not
 * depend on it. */
AQ_MUST_CHECK aq_status aq_rounding_with_feedback(const aq_fisher_factors *factors, const float *w, double lambda,
                                                  double bits, aq_pool *pool, aq_encoded *encoded, aq_error *err);

#endif
