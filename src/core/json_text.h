/* json_text.h - JSON from a file that is not trusted. */
#ifndef AQ_CORE_JSON_TEXT_H
#define AQ_CORE_JSON_TEXT_H

#include <jansson.h>

#include "arrowquant.h"

/* Parses a text that must be one object. Duplicate keys, invalid UTF-8 and U+0000 in strings are errors; `offset` is
 * where the text begins in its file. The caller owns *out. */
AQ_MUST_CHECK aq_status aq_json_parse_object(const char *text, size_t size, uint64_t offset, json_t **out,
                                             aq_error *err);

/* The same for a text that Python wrote and reads: its NaN and infinities are texts ("NaN"), integers beyond 64 bits
 * are reals, so that they are errors only where a number is wanted. *out is NULL after a failure. */
AQ_MUST_CHECK aq_status aq_json_parse_python(const char *text, size_t size, json_t **out, aq_error *err);

/* The same for a text in which no integer is needed: all numbers are reals, so that one beyond 64 bits is no error. */
AQ_MUST_CHECK aq_status aq_json_parse_reals(const char *text, size_t size, json_t **out, aq_error *err);

#endif
