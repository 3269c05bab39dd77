/* scan.h - reads the tensors that a data-free search plans, once or twice, for what search/data_free.h makes of them.
 */
#ifndef AQ_SEARCH_SCAN_H
#define AQ_SEARCH_SCAN_H

#include "core/pool.h"
#include "io/source.h"
#include "quant/plan.h"
#include "search/data_free.h"

/* scans: one a tensor of the source, zero-initialised. All of them know name and shape afterwards; those of open
 * entries of the plan (method rd, no scales) their rows too, a query's or key's bias counted with them. The scans are
 * to be reset also after a failure. */
AQ_MUST_CHECK aq_status aq_scan_open_tensors(const aq_source *source, const aq_plan *plan, aq_pool *pool,
                                             aq_tensor_scan *scans, aq_error *err);

#endif
