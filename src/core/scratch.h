/* scratch.h - a file without a name, for what is too large for memory and needed again: the system removes it with its
 * last user, however the process ends. */
#ifndef AQ_CORE_SCRATCH_H
#define AQ_CORE_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

typedef struct aq_scratch aq_scratch;

/* In the folder of `beside`, a path that need not exist; NULL: in $TMPDIR, or in /var/tmp, as /tmp may be memory. */
AQ_MUST_CHECK aq_status aq_scratch_create(const char *beside, aq_scratch **out, aq_error *err);
void aq_scratch_free(aq_scratch *scratch); /* accepts NULL */

/* A place of so many bytes, which are undefined until they are written. Any thread may call these; the places that
 * threads write at the same time do not overlap. AQ_ERR_DISK_FULL names the folder and how much it was to hold. */
uint64_t aq_scratch_reserve(aq_scratch *scratch, uint64_t size);
AQ_MUST_CHECK aq_status aq_scratch_write(aq_scratch *scratch, uint64_t at, const void *bytes, size_t size,
                                         aq_error *err);
AQ_MUST_CHECK aq_status aq_scratch_read(const aq_scratch *scratch, uint64_t at, void *bytes, size_t size,
                                        aq_error *err);

#endif
