/* code_check.h - whether codes have all values of the tensor that they were taken from, which is tried on every value,
 * by several threads. */
#ifndef AQ_IO_CODE_CHECK_H
#define AQ_IO_CODE_CHECK_H

#include "io/source.h"

typedef struct aq_code_check aq_code_check;

/* threads 0: the CPUs that this process may use. */
AQ_MUST_CHECK aq_status aq_code_check_create(uint32_t threads, aq_code_check **out, aq_error *err);
void aq_code_check_free(aq_code_check *check); /* NULL is fine */

/* *same: all values of tensor `index` are finite, and those of `coded` and `decoded` have the same bits. The result, a
 * failure too, is that of reading the values in their order up to the first that differs, at any number of threads. */
AQ_MUST_CHECK aq_status aq_code_check_run(aq_code_check *check, const aq_source *decoded, const aq_source *coded,
                                          size_t index, bool *same, aq_error *err);

#endif
