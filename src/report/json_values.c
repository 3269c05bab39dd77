/* json_values.c - C values as JSON values, and back. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "report/report.h"

json_t *aq_json_real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

/* Length of the UTF-8 sequence that begins at s, or 0 when none does (RFC 3629: no surrogates, nothing longer than
 * needed, nothing past U+10FFFF). The zero at the end of the string stops every look ahead. */
static size_t utf8_length(const unsigned char *s) {
  if (s[0] < 0x80) return 1;
  const size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
  if (s[0] < 0xC2 || s[0] > 0xF4) return 0;
  const unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
  if (s[1] < low || s[1] > high) return 0;
  for (size_t i = 2; i < length; i++) {
    if ((s[i] & 0xC0) != 0x80) return 0;
  }
  return length;
}

static json_t *repaired_string(const char *text) {
  static const char replacement[] = "\xEF\xBF\xBD";
  aq_buffer fixed = {0};
  json_t *out = NULL;
  const unsigned char *s = (const unsigned char *)text;
  while (*s != '\0') {
    const size_t length = utf8_length(s);
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
