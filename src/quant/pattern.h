/* pattern.h - choosing tensors by name: one grammar everywhere. An exact name, a glob (* ? [...], over the whole name),
 * or re:REGEX (POSIX extended, found anywhere in the name). A name that holds glob characters still matches itself. */
#ifndef AQ_QUANT_PATTERN_H
#define AQ_QUANT_PATTERN_H

#include <stdbool.h>

#include "arrowquant.h"

typedef struct aq_pattern aq_pattern;
AQ_MUST_CHECK aq_status aq_pattern_create(const char *text, aq_pattern **out, aq_error *err);
bool aq_pattern_matches(const aq_pattern *pattern, const char *name);
bool aq_pattern_is_exact(const aq_pattern *pattern, const char *name); /* it is that very name */
const char *aq_pattern_text(const aq_pattern *pattern);
void aq_pattern_free(aq_pattern *pattern);

#endif
