/* candidate_base.h - what a candidate begins with. */
#ifndef AQ_SEARCH_CANDIDATE_BASE_H
#define AQ_SEARCH_CANDIDATE_BASE_H

#include "search/candidate.h"

/* Makes candidate->base: the original, but for tensors that rules of the plan quantize whatever the search does.
 * values: one a tensor of the source, what replaces its own; NULL entries: quantized here. */
AQ_MUST_CHECK aq_status aq_candidate_make_base(aq_candidate *candidate, const aq_plan *plan, const float *const *values,
                                               aq_error *err);

#endif
