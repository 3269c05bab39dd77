/* json_values.c - C values as JSON values, and back. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/utf8.h"
#include "report/report.h"

json_t *aq_json_real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

/* Every byte that is no part of a character becomes U+FFFD by itself. */
static json_t *repaired_string(const char *text) {
  static const char replacement[] = "\xEF\xBF\xBD";
  aq_buffer fixed = {0};
  json_t *out = NULL;
  const uint8_t *s = (const uint8_t *)text, *const end = s + strlen(text);
  while (s < end) {
    const size_t length = aq_utf8_length(s, (size_t)(end - s));
    const aq_status st = length > 0 ? aq_buffer_append(&fixed, s, length, NULL)
                                    : aq_buffer_append(&fixed, replacement, sizeof replacement - 1, NULL);
    if (st != AQ_OK) goto done;
    s += length > 0 ? length : 1;
  }
  out = json_stringn((const char *)fixed.data, fixed.size);
done:
  aq_buffer_reset(&fixed);
  return out;
}

json_t *aq_json_string(const char *text) {
  if (text == NULL) return json_null();
  json_t *plain = json_string(text);
  return plain != NULL ? plain : repaired_string(text);
}

json_t *aq_json_count(uint64_t value) { return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value); }

const json_t *aq_json_get(const json_t *object, const char *key) { return json_object_get(object, key); }

const char *aq_json_get_string(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text != NULL ? text : "";
}

double aq_json_get_real(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

uint64_t aq_json_get_count(const json_t *object, const char *key) {
  const json_int_t value = json_integer_value(json_object_get(object, key));
  return value > 0 ? (uint64_t)value : 0;
}

bool aq_json_get_flag(const json_t *object, const char *key) { return json_is_true(json_object_get(object, key)); }
