/* utf8.h - UTF-8: which bytes are well formed (Unicode, table 3-7: no overlong forms, no surrogates, nothing past
 * U+10FFFF), the characters of a text, and the repair of a text that is not quite UTF-8. */
#ifndef AQ_CORE_UTF8_H
#define AQ_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

#define AQ_REPLACEMENT 0xFFFDu

/* Number of bytes at the beginning that are well formed; `size` when all are. Zeros are characters like others. */
size_t aq_utf8_valid(const uint8_t *text, size_t size);

/* True when a zero-terminated text is well formed. */
bool aq_utf8_ok(const char *text);

/* Number of bytes of the character at the beginning of a text, 0 when it is malformed or cut short; size > 0. */
size_t aq_utf8_length(const uint8_t *text, size_t size);

/* Appends the text with each maximal subpart of an ill-formed sequence replaced by U+FFFD (Unicode, section 3.9,
 * "U+FFFD Substitution of Maximal Subparts"). */
AQ_MUST_CHECK aq_status aq_utf8_repair(const uint8_t *text, size_t size, aq_buffer *out, aq_error *err);

/* Length of the character that begins with this byte of a well-formed text. */
static inline size_t aq_utf8_width(uint8_t lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

/* The character at p, in a well-formed text; *width receives its length. */
static inline uint32_t aq_utf8_get(const uint8_t *p, size_t *width) {
  *width = aq_utf8_width(p[0]);
  switch (*width) {
    case 1:
      return p[0];
    case 2:
      return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    case 3:
      return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    default:
      return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
  }
}

/* Writes a character, at most 4 bytes; returns their number. */
static inline size_t aq_utf8_put(uint32_t c, uint8_t *out) {
  if (c < 0x80) {
    out[0] = (uint8_t)c;
    return 1;
  }
  const size_t width = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = width - 1; i > 0; i--, c >>= 6) out[i] = (uint8_t)(0x80 | (c & 0x3F));
  out[0] = (uint8_t)((0xF00u >> width & 0xFFu) | c);
  return width;
}

#endif
