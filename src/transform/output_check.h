/* output_check.h - is there room for an output, and is it no input? */
#ifndef AQ_TRANSFORM_OUTPUT_CHECK_H
#define AQ_TRANSFORM_OUTPUT_CHECK_H

#include "arrowquant.h"

/* Refuses an output that is a file which the source reads, one shard of many or an index among them. */
AQ_MUST_CHECK aq_status aq_check_output(const aq_source *source, const char *output, aq_error *err);

/* Fails when the folder of `output` has less than half of `estimate` bytes free: compression may save some, not that
 * much. */
AQ_MUST_CHECK aq_status aq_check_space(const char *output, uint64_t estimate, aq_error *err);

#endif
