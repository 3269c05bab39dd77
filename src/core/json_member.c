/* json_member.c - members of JSON objects that came from a file. */
#include "core/json_member.h"

#include "core/error.h"

static const json_t *member(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_null(value) ? NULL : value;
}

aq_status aq_json_bool(const json_t *object, const char *key, bool otherwise, bool *out, aq_error *err) {
  const json_t *value = member(object, key);
  AQ_FAIL_IF(value != NULL && !json_is_boolean(value), AQ_ERR_FORMAT, "'%s' is neither true nor false", key);
  *out = value != NULL ? json_is_true(value) : otherwise;
  return AQ_OK;
}

aq_status aq_json_text(const json_t *object, const char *key, const char *otherwise, const char **out, aq_error *err) {
  const json_t *value = member(object, key);
  AQ_FAIL_IF(value != NULL && !json_is_string(value), AQ_ERR_FORMAT, "'%s' is not a text", key);
  *out = value != NULL ? json_string_value(value) : otherwise;
  return AQ_OK;
}

aq_status aq_json_integer(const json_t *object, const char *key, int64_t otherwise, int64_t *out, aq_error *err) {
  const json_t *value = member(object, key);
  AQ_FAIL_IF(value != NULL && !json_is_integer(value), AQ_ERR_FORMAT, "'%s' is not a whole number", key);
  *out = value != NULL ? json_integer_value(value) : otherwise;
  return AQ_OK;
}

bool aq_json_is_set(const json_t *value) {
  switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:
    case JSON_FALSE:
      return false;
    case JSON_STRING:
      return json_string_length(value) > 0;
    case JSON_ARRAY:
      return json_array_size(value) > 0;
    case JSON_OBJECT:
      return json_object_size(value) > 0;
    default:
      return true;
  }
}
