/* json_set.h - one member of a JSON object set or removed in its text, all other bytes unchanged: what another program
 * wrote in its own way (numbers of any precision, NaN, the order of the keys) is not rewritten. */
#ifndef AQ_CORE_JSON_SET_H
#define AQ_CORE_JSON_SET_H

#include "arrowquant.h"
#include "core/buffer.h"

/* Appends to `out` the object in `text`, where member `key` of its first level is `value`, a JSON text: in the place of
 * the one that is there, else before all others. A key with escapes is not found. AQ_ERR_FORMAT: the text does not
 * begin with an object or ends within it; beyond that its syntax is not checked. */
AQ_MUST_CHECK aq_status aq_json_set(const char *text, size_t size, const char *key, const char *value, aq_buffer *out,
                                    aq_error *err);

/* Appends the object without member `key` of its first level, and without the comma that set it apart; as it is when it
 * has none. The same errors. */
AQ_MUST_CHECK aq_status aq_json_remove(const char *text, size_t size, const char *key, aq_buffer *out, aq_error *err);

#endif
