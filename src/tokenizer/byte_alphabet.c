/* byte_alphabet.c - the characters that stand for bytes in a byte-level vocabulary (bytes_to_unicode of GPT-2). The
 * bytes that do not stand for themselves are 0 to 32, 127 to 160 and 173. */
#include "tokenizer/byte_alphabet.h"

#include "core/utf8.h"

#define FIRST_SHIFTED 0x100u

uint32_t aq_byte_character(uint8_t byte) {
  if (byte <= 32) return FIRST_SHIFTED + byte;
  if (byte >= 127 && byte <= 160) return FIRST_SHIFTED + 33 + (byte - 127u);
  return byte == 173 ? FIRST_SHIFTED + 67 : byte;
}

int aq_character_byte(uint32_t c) {
  if (c < FIRST_SHIFTED) return aq_byte_character((uint8_t)c) == c ? (int)c : -1;
  if (c <= FIRST_SHIFTED + 32) return (int)(c - FIRST_SHIFTED);
  if (c < FIRST_SHIFTED + 67) return (int)(c - FIRST_SHIFTED - 33 + 127);
  return c == FIRST_SHIFTED + 67 ? 173 : -1;
}

size_t aq_byte_alphabet_write(const uint8_t *bytes, size_t size, uint8_t *out) {
  size_t written = 0;
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] > 32 && bytes[i] < 127) {
      out[written++] = bytes[i];
    } else {
      written += aq_utf8_put(aq_byte_character(bytes[i]), out + written);
    }
  }
  return written;
}
