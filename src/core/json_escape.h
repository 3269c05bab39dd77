/* json_escape.h - the escapes in strings of JSON. */
#ifndef AQ_CORE_JSON_ESCAPE_H
#define AQ_CORE_JSON_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/* The character of the escape that begins with the backslash at `at`, of at most `left` bytes. Returns the length of
 * the escape, 0 when it is none that JSON has. Two escapes that are a surrogate pair are one character; half of a pair
 * that stands alone is returned as it is. */
size_t aq_json_unescape(const uint8_t *at, size_t left, uint32_t *c);

/* The value of a hexadecimal digit, or -1. */
int aq_json_hex_digit(uint8_t c);

#endif
