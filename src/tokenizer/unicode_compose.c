/* unicode_compose.c - compatibility decomposition and composition of characters: utf8proc's, and where its version is
 * later than the reference's. */
#include "tokenizer/unicode_compose.h"

#include <stdbool.h>
#include <utf8proc.h>

#include "core/compiler.h"

/* What Unicode gave a decomposition after version 9. In order. */
static const struct {
  uint32_t first, last;
} later_ranges[] = {{0x32FF, 0x32FF},   {0xA7F1, 0xA7F4},   {0xAB69, 0xAB69},   {0x105C9, 0x105E4}, {0x10781, 0x107BA},
                    {0x11383, 0x113D0}, {0x11938, 0x11938}, {0x16121, 0x1612F}, {0x16D68, 0x16D6A}, {0x1CCD6, 0x1CCF9},
                    {0x1E030, 0x1E06D}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};

static bool is_later(uint32_t c) {
  size_t i = 0;
  while (i < AQ_COUNT_OF(later_ranges) && c > later_ranges[i].last) i++;
  return i < AQ_COUNT_OF(later_ranges) && c >= later_ranges[i].first;
}

size_t aq_char_decompose_compatible(uint32_t c, uint32_t out[AQ_MAX_COMPATIBLE]) {
  utf8proc_int32_t parts[AQ_MAX_COMPATIBLE];
  int boundary = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char((utf8proc_int32_t)c, parts, AQ_MAX_COMPATIBLE,
                                                         UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
  if (count < 1 || count > AQ_MAX_COMPATIBLE || is_later(c)) {
    out[0] = c;
    return 1;
  }
  for (utf8proc_ssize_t i = 0; i < count; i++) out[i] = (uint32_t)parts[i];
  return (size_t)count;
}

#define HANGUL_T_BASE 0x11A7u

uint32_t aq_char_compose(uint32_t first, uint32_t second) {
  uint32_t parts[AQ_MAX_DECOMPOSED];
  utf8proc_int32_t pair[2] = {(utf8proc_int32_t)first, (utf8proc_int32_t)second};
  if (second < 0x300) return 0;          /* no character before is the second of a pair */
  if (second == HANGUL_T_BASE) return 0; /* one before the first final consonant; utf8proc lets it go */
  const utf8proc_ssize_t count = utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  if (count != 1) return 0;
  return aq_char_decompose((uint32_t)pair[0], parts) > 1 ? (uint32_t)pair[0] : 0; /* else it is later than that */
}
