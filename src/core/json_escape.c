/* json_escape.c - the escapes in strings of JSON (RFC 8259, section 7). */
#include "core/json_escape.h"

#include <stdbool.h>
#include <string.h>

#define UNIT_LENGTH 6 /* \uXXXX */

int aq_json_hex_digit(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A code unit of UTF-16, written as \uXXXX. */
static bool read_unit(const uint8_t *at, size_t left, uint32_t *unit) {
  if (left < UNIT_LENGTH || at[0] != '\\' || at[1] != 'u') return false;
  *unit = 0;
  for (size_t i = 2; i < UNIT_LENGTH; i++) {
    const int digit = aq_json_hex_digit(at[i]);
    if (digit < 0) return false;
    *unit = *unit << 4 | (uint32_t)digit;
  }
  return true;
}

size_t aq_json_unescape(const uint8_t *at, size_t left, uint32_t *c) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  if (left < 2 || at[0] != '\\') return 0;
  const char *name = at[1] != '\0' ? strchr(names, at[1]) : NULL;
  if (name != NULL) {
    *c = (uint8_t)values[name - names];
    return 2;
  }
  uint32_t low;
  if (!read_unit(at, left, c)) return 0;
  if (*c < 0xD800 || *c > 0xDBFF || !read_unit(at + UNIT_LENGTH, left - UNIT_LENGTH, &low)) return UNIT_LENGTH;
  if (low < 0xDC00 || low > 0xDFFF) return UNIT_LENGTH;
  *c = 0x10000 + ((*c - 0xD800) << 10) + (low - 0xDC00);
  return 2 * UNIT_LENGTH;
}
