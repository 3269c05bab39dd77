/* fisher_sensitivity.h - what texts say of the items of a search: the sensitivities of an encoder's matrices
 * (calib/fisher/fisher_factors.h), and something harmless for what the encoder does not use. */
#ifndef AQ_SEARCH_FISHER_SENSITIVITY_H
#define AQ_SEARCH_FISHER_SENSITIVITY_H

#include "search/calibration.h"
#include "search/problem.h"

/* Those of the matrix that is this tensor of the source, or is tied to it; NULL: the encoder does not use it. */
const aq_fisher_factors *aq_fisher_factors_of(const aq_calibration *calibration, const aq_source *source,
                                              size_t tensor);

/* Sets the sensitivity of every item. The calibration outlives the problem's use. */
AQ_MUST_CHECK aq_status aq_fisher_sensitivity_set(const aq_calibration *calibration, aq_search_problem *problem,
                                                  aq_error *err);

#endif
