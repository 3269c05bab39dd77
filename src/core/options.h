/* options.h - reading an options struct of a caller that may be older than the library. */
#ifndef AQ_CORE_OPTIONS_H
#define AQ_CORE_OPTIONS_H

#include "arrowquant.h"

/* An options struct of a newer or older caller: its size says how much of it there is. Copies what is there over the
 * defaults in `into` (of `size` bytes); NULL options leave the defaults. */
AQ_MUST_CHECK aq_status aq_options_read(void *into, size_t size, const void *options, aq_error *err);

#endif
