/* name_prefix.h - do the names of two sources differ by something in front of all of them? */
#ifndef AQ_OPS_NAME_PREFIX_H
#define AQ_OPS_NAME_PREFIX_H

#include <stdbool.h>

#include "io/source.h"

/* True when both have the same tensors, and all names of one are those of the other behind a prefix that ends with a
 * dot ("bert."). It goes into `prefix`, cut to its size; *is_second: it is the second source that has it. */
bool aq_name_prefix_find(const aq_source *first, const aq_source *second, char *prefix, size_t size, bool *is_second);

#endif
