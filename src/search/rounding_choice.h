/* rounding_choice.h - feedback or rounding to nearest, decided for each matrix of a candidate by itself. */
#ifndef AQ_SEARCH_ROUNDING_CHOICE_H
#define AQ_SEARCH_ROUNDING_CHOICE_H

#include "search/candidate.h"

/* Measures, on the texts that are there to choose by, the outputs of the original with one matrix replaced, once as the
 * candidate has it and once rounded to nearest. Where that is better, the candidate has those codes from then on, and
 * to_nearest of its items is set, to which roundings that follow keep. Follows a rounding with feedback. */
AQ_MUST_CHECK aq_status aq_candidate_choose_rounding(aq_candidate *candidate, aq_error *err);

#endif
