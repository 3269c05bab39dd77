/* base64.c - three bytes are four characters of six bits, the highest bits first. */
#include "core/base64.h"

#define PAD '='
#define INVALID 64U

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t aq_base64_length(size_t size) { return (size / 3 + (size % 3 != 0)) * 4; }

size_t aq_base64_room(size_t length) { return length / 4 * 3; }

void aq_base64_encode(const uint8_t *bytes, size_t size, char *text) {
  for (size_t i = 0; i < size; i += 3) {
    const size_t left = size - i;
    const uint32_t second = left > 1 ? bytes[i + 1] : 0, third = left > 2 ? bytes[i + 2] : 0;
    const uint32_t bits = (uint32_t)bytes[i] << 16 | second << 8 | third;
    *text++ = alphabet[bits >> 18];
    *text++ = alphabet[bits >> 12 & 63];
    *text++ = left > 1 ? alphabet[bits >> 6 & 63] : PAD;
    *text++ = left > 2 ? alphabet[bits & 63] : PAD;
  }
  *text = '\0';
}

/* The six bits of a character; INVALID for one that is not of the alphabet. ASCII, whatever the locale. */
static uint32_t bits_of(char c) {
  if (c >= 'A' && c <= 'Z') return (uint32_t)(c - 'A');
  if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a') + 26;
  if (c >= '0' && c <= '9') return (uint32_t)(c - '0') + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : INVALID;
}

/* The four characters' bits in one number; padding counts as zeros. False when one is not of the alphabet. */
static bool join_group(const char *group, size_t padding, uint32_t *bits) {
  uint32_t joined = 0, wrong = 0;
  for (size_t k = 0; k < 4; k++) {
    const uint32_t six = k + padding < 4 ? bits_of(group[k]) : 0;
    wrong |= six & INVALID;
    joined = joined << 6 | (six & 63);
  }
  *bits = joined;
  return wrong == 0;
}

bool aq_base64_decode(const char *text, size_t length, uint8_t *bytes, size_t *size) {
  size_t padding = 0;
  if (length % 4 != 0) return false;
  while (length > 0 && padding < 2 && text[length - 1 - padding] == PAD) padding++;
  for (size_t i = 0; i < length; i += 4) {
    const size_t missing = i + 4 == length ? padding : 0;
    uint32_t bits;
    if (!join_group(text + i, missing, &bits)) return false;
    if ((bits & ((1U << 8 * missing) - 1)) != 0) return false;
    for (size_t k = 0; k + missing < 3; k++) *bytes++ = (uint8_t)(bits >> (16 - 8 * k));
  }
  *size = aq_base64_room(length) - padding;
  return true;
}
