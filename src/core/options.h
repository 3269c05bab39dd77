/* options.h - structs that a caller fills, of an older or a newer header than the library's own. */
#ifndef AQ_CORE_OPTIONS_H
#define AQ_CORE_OPTIONS_H

#include "arrowquant.h"
#include "core/compiler.h"

/* Copies the caller's options over the defaults in `into`, which has `size` bytes in this library. What an older caller
 * does not have keeps its default (zero); what only a newer caller has must be zero. NULL options are the defaults. */
AQ_MUST_CHECK aq_status aq_options_read(void *into, size_t size, const void *options, aq_error *err);

/* The same promise for structs of a fixed size: their reserved members are zero. `what` names the struct. */
AQ_MUST_CHECK aq_status aq_reserved_check(const uint64_t *reserved, size_t count, const char *what, aq_error *err);
#define AQ_RESERVED_CHECK(object, what, err) \
  aq_reserved_check((object)->reserved, AQ_COUNT_OF((object)->reserved), what, err)

#endif
