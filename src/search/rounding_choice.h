/* rounding_choice.h - feedback or rounding to nearest, decided for each matrix of a candidate by itself. */
#ifndef AQ_SEARCH_ROUNDING_CHOICE_H
#define AQ_SEARCH_ROUNDING_CHOICE_H

#include "search/candidate.h"

/* Measures, on the texts that are there to choose by, the outputs of the original with one matrix replaced, once as the
 * candidate has it and once rounded to nearest; sets to_nearest of the items where that is better. Follows a rounding
 * with feedback; roundings that follow keep to it. *changed: some matrix is to be rounded to nearest. */
AQ_MUST_CHECK aq_status aq_candidate_choose_rounding(aq_candidate *candidate, bool *changed, aq_error *err);

#endif
