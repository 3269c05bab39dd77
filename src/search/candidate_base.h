/* candidate_base.h - what a candidate begins with. */
#ifndef AQ_SEARCH_CANDIDATE_BASE_H
#define AQ_SEARCH_CANDIDATE_BASE_H

#include "search/candidate.h"

/* Makes candidate->base: the original, but for tensors that rules of the plan quantize whatever the search does.
 * encoded: one a tensor of the source; those that are finished are decoded, the others quantized here. */
AQ_MUST_CHECK aq_status aq_candidate_make_base(aq_candidate *candidate, const aq_plan *plan, const aq_encoded *encoded,
                                               aq_error *err);

#endif
