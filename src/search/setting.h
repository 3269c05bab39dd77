/* setting.h - targets of formats that have one setting, a type and a group size, for all codes: there is no lambda to
 * find, but one of a few settings. */
#ifndef AQ_SEARCH_SETTING_H
#define AQ_SEARCH_SETTING_H

#include "arrowquant.h"
#include "search/backend.h"
#include "search/budget.h"
#include "search/problem.h"

/* Leaves the candidate of the setting with the smallest predicted loss of those that keep to the budget.
 * AQ_ERR_ARGUMENT, which names what can be reached: none does. */
AQ_MUST_CHECK aq_status aq_setting_search_size(aq_search_problem *problem, aq_search_backend *backend,
                                               const aq_budget *budget, const aq_quantize_options *options,
                                               aq_error *err);

/* Leaves the candidate of the smallest setting that has a similarity on held-out texts, and on those that nothing was
 * decided by. *reached: what the candidate has; less than `similarity`: none has it. For a backend that runs the model.
 */
AQ_MUST_CHECK aq_status aq_setting_search_quality(aq_search_problem *problem, aq_search_backend *backend,
                                                  double similarity, double *reached, aq_error *err);

#endif
