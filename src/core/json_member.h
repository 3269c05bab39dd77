/* json_member.h - members of JSON objects that came from a file. A member that is missing or null has a
 * default; one of the wrong kind is AQ_ERR_FORMAT. `object` may be NULL. Texts live as long as the object. */
#ifndef AQ_CORE_JSON_MEMBER_H
#define AQ_CORE_JSON_MEMBER_H

#include <jansson.h>
#include <stdbool.h>

#include "arrowquant.h"

AQ_MUST_CHECK aq_status aq_json_bool(const json_t *object, const char *key, bool otherwise, bool *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_json_text(const json_t *object, const char *key, const char *otherwise, const char **out,
                                     aq_error *err);
AQ_MUST_CHECK aq_status aq_json_integer(const json_t *object, const char *key, int64_t otherwise, int64_t *out,
                                        aq_error *err);

/* False for a value that says nothing: missing, null, false, "", [] and {}. */
bool aq_json_is_set(const json_t *value);

#endif
