/* value_formats.h - how a value of a report is written for {member:FORMAT} in a template. */
#ifndef AQ_REPORT_VALUE_FORMATS_H
#define AQ_REPORT_VALUE_FORMATS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define AQ_FORMATTED_SIZE 256 /* what is longer is cut */

/* Writes a value, a member of `object`, into out (AQ_FORMATTED_SIZE bytes). A value that is absent, null or of another
 * type is written as 0 or "-". False when no format has this name. */
bool aq_format_value(const char *name, size_t size, const json_t *value, const json_t *object, char *out);

/* Bands of the mean cosine: "excellent" from this on, "good", "fair", "poor"; "-" for NaN. */
#define AQ_COSINE_EXCELLENT 0.95

#endif
