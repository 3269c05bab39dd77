/* operation.h - how every operation of the public header begins and ends. */
#ifndef AQ_OPS_OPERATION_H
#define AQ_OPS_OPERATION_H

#include <stddef.h>

#include "arrowquant.h"

/* What the path form of an operation begins with: opens its source within the memory limit of its options, which any
 * header may have made (NULL: defaults), with names of GGUF tensors as aq_source_options has them. *report (may be
 * NULL) and *err are cleared. */
AQ_MUST_CHECK aq_status aq_operation_open(const char *path, const void *options, const char *names, aq_report **report,
                                          aq_source **out, aq_error *err);

/* The same of an operation that can keep the codes of its source, with the members `names` and `keep_codes` of its
 * options. */
AQ_MUST_CHECK aq_status aq_operation_open_codes(const char *path, const void *options, const char *names,
                                                bool keep_codes, aq_report **report, aq_source **out, aq_error *err);

/* The members `names` and `keep_codes` of such options; NULL and false where the header that made them has none. */
#define AQ_NAMES_OF(options, type) aq_operation_names(options, offsetof(type, names))
#define AQ_CODES_OF(options, type) aq_operation_keeps_codes(options, offsetof(type, keep_codes))
const char *aq_operation_names(const void *options, size_t offset);
bool aq_operation_keeps_codes(const void *options, size_t offset);

/* What an operation ends with: hands `made` out when it succeeded and the caller wants it, and frees it otherwise.
 * Returns `status`. */
aq_status aq_report_finish(aq_status status, aq_report *made, aq_report **report);

#endif
