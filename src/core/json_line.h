/* json_line.h - one member of a JSON object that is a line of a file.
 *
 * More is taken than RFC 8259 allows, as Python's json and what writes with it do: NaN, Infinity and -Infinity are
 * values, numbers may have any size, a member may be there twice (the last one counts), and only the member that is
 * asked for has to be text that Unicode knows. */
#ifndef AQ_CORE_JSON_LINE_H
#define AQ_CORE_JSON_LINE_H

#include "arrowquant.h"
#include "core/buffer.h"

/* Appends the text of member `name`, as UTF-8, which may hold U+0000. AQ_ERR_FORMAT: the line is no such object, or the
 * member is missing, no string, or holds half a surrogate pair or bytes that are not UTF-8. */
AQ_MUST_CHECK aq_status aq_json_line_text(const uint8_t *line, size_t size, const char *name, aq_buffer *out,
                                          aq_error *err);

#endif
