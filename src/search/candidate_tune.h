/* candidate_tune.h - gradient descent from a candidate on (calib/tune/tune.h). */
#ifndef AQ_SEARCH_CANDIDATE_TUNE_H
#define AQ_SEARCH_CANDIDATE_TUNE_H

#include "calib/tune/tune.h"
#include "search/candidate.h"

/* For as many seconds as the options say; the bits of the items and the similarity are measured again. The candidate is
 * unchanged after a failure of the descent. */
AQ_MUST_CHECK aq_status aq_candidate_tune(aq_candidate *candidate, const aq_quantize_options *options,
                                          aq_tune_result *result, aq_error *err);

#endif
