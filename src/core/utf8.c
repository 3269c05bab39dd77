/* utf8.c - UTF-8: which bytes are well formed, and the repair of those that are not. Names and texts end up in JSON, in
 * other tools' string columns and in tokenizers, all of which refuse anything else. */
#include "core/utf8.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"

/* Well-formed sequences by their first byte, and what the second may be; the others are 80..BF (Unicode, table 3-7). */
static const struct form {
  uint8_t first, last, second_least, second_most;
  size_t width;
} forms[] = {{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
             {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
             {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};

/* Length of the longest beginning of a well-formed sequence at p; *complete when it is a whole one. At least 1. */
static size_t measure_subpart(const uint8_t *p, size_t size, bool *complete) {
  *complete = p[0] < 0x80;
  for (size_t i = 0; i < AQ_COUNT_OF(forms); i++) {
    const struct form *form = &forms[i];
    if (p[0] < form->first || p[0] > form->last) continue;
    size_t length = 1;
    while (length < form->width && length < size) {
      const uint8_t least = length == 1 ? form->second_least : 0x80, most = length == 1 ? form->second_most : 0xBF;
      if (p[length] < least || p[length] > most) break;
      length++;
    }
    *complete = length == form->width;
    return length;
  }
  return 1;
}

size_t aq_utf8_length(const uint8_t *text, size_t size) {
  bool complete;
  const size_t length = measure_subpart(text, size, &complete);
  return complete ? length : 0;
}

size_t aq_utf8_valid(const uint8_t *text, size_t size) {
  size_t i = 0;
  while (i < size) {
    if (size - i >= 8 && (aq_load_u64(text + i) & UINT64_C(0x8080808080808080)) == 0) {
      i += 8;
      continue;
    }
    const size_t length = aq_utf8_length(text + i, size - i);
    if (length == 0) return i;
    i += length;
  }
  return size;
}

bool aq_utf8_ok(const char *text) {
  const size_t size = strlen(text);
  return aq_utf8_valid((const uint8_t *)text, size) == size;
}

aq_status aq_utf8_repair(const uint8_t *text, size_t size, aq_buffer *out, aq_error *err) {
  static const uint8_t replacement[] = {0xEF, 0xBF, 0xBD};
  size_t i = 0;
  while (i < size) {
    const size_t good = aq_utf8_valid(text + i, size - i);
    AQ_TRY(aq_buffer_append(out, text + i, good, err));
    i += good;
    if (i == size) break;
    bool complete;
    i += measure_subpart(text + i, size - i, &complete);
    AQ_TRY(aq_buffer_append(out, replacement, sizeof replacement, err));
  }
  return AQ_OK;
}
