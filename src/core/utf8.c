/* utf8.c - is a text UTF-8? Names end up in JSON and in other tools' string columns, which refuse anything else. */
#include "core/utf8.h"

#include <string.h>

#include "core/compiler.h"

/* Reads one character and moves past it; false, somewhere in it, when it is malformed. A terminating zero is no
 * continuation byte. */
static bool step(const uint8_t **at) {
  static const struct {
    uint8_t mask, lead;
    uint32_t least; /* what shorter forms hold */
  } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
  const uint8_t *p = *at;
  for (size_t i = 0; i < AQ_COUNT_OF(forms); i++) {
    if ((*p & forms[i].mask) != forms[i].lead) continue;
    uint32_t value = *p & (uint8_t)~forms[i].mask;
    for (size_t k = 1; k <= i; k++) {
      if ((p[k] & 0xc0) != 0x80) return false;
      value = value << 6 | (p[k] & 0x3f);
    }
    *at = p + i + 1;
    return value >= forms[i].least && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  }
  return false;
}

bool aq_utf8_ok(const char *text) {
  const uint8_t *p = (const uint8_t *)text;
  while (*p != 0) {
    if (!step(&p)) return false;
  }
  return true;
}

size_t aq_utf8_valid(const uint8_t *bytes, size_t size) {
  const uint8_t *at = bytes, *const end = bytes + size;
  while (end - at >= 4) {
    const uint8_t *next = at;
    if (!step(&next)) return (size_t)(at - bytes);
    at = next;
  }
  /* The last characters in front of zeros, so that none is looked for beyond the end. */
  uint8_t tail[8] = {0};
  const size_t left = (size_t)(end - at);
  if (left > 0) memcpy(tail, at, left);
  size_t good = 0;
  for (const uint8_t *next = tail; good < left && step(&next);) good = (size_t)(next - tail);
  return (size_t)(at - bytes) + good;
}
