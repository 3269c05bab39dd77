/* operation.h - how every operation of the public header begins and ends. */
#ifndef AQ_OPS_OPERATION_H
#define AQ_OPS_OPERATION_H

#include "arrowquant.h"

/* What the path form of an operation begins with: opens its source within the memory limit of its options, which any
 * header may have made (NULL: defaults). *report (may be NULL) and *err are cleared. */
AQ_MUST_CHECK aq_status aq_operation_open(const char *path, const void *options, aq_report **report, aq_source **out,
                                          aq_error *err);

/* What an operation ends with: hands `made` out when it succeeded and the caller wants it, and frees it otherwise.
 * Returns `status`. */
aq_status aq_report_finish(aq_status status, aq_report *made, aq_report **report);

#endif
