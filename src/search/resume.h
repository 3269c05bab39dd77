/* resume.h - a table of an earlier run as the beginning of another. */
#ifndef AQ_SEARCH_RESUME_H
#define AQ_SEARCH_RESUME_H

#include "arrowquant.h"
#include "search/candidate.h"

/* Takes types, scales, codes and adjusted vectors of the planned tensors from a table of the same model, instead of
 * making them at a lambda, and measures. AQ_ERR_NO_MATCH when the table is of another model, AQ_ERR_ARGUMENT when it
 * does not have a planned tensor in codes without zero points. */
AQ_MUST_CHECK aq_status aq_resume_from_table(const char *path, const aq_run_options *run, aq_candidate *candidate,
                                             aq_error *err);

#endif
