/* gguf_blocks_ternary.c - TQ1_0 and TQ2_0: values -1, 0 and 1 times an FP16 scale.
 *
 * TQ1_0 has five digits of base 3 in a byte, as a fraction of 256: times 3^n, the byte's overflow dropped, it is a
 * fraction whose first digit is digit n, which times 3 moves in front. */
#include "io/gguf/gguf_blocks.h"

static float digit_of(uint8_t fraction, uint8_t power) {
  const uint8_t moved = (uint8_t)(fraction * power);
  return (float)((moved * 3 >> 8) - 1);
}

/* Digit n of `bytes` bytes, for n = 0, 1, ...: the digits of all bytes stand beside each other. */
static float *decode_digits(const uint8_t *in, int bytes, int digits, float d, float *out) {
  static const uint8_t powers[5] = {1, 3, 9, 27, 81};
  for (int n = 0; n < digits; n++) {
    for (int i = 0; i < bytes; i++) *out++ = d * digit_of(in[i], powers[n]);
  }
  return out;
}

/* 32 bytes of 5 digits, 16 of 5, 4 of 4; the scale. */
void aq_gguf_decode_tq1_0(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 54) {
    const float d = aq_gguf_load_f16(blocks + 52);
    out = decode_digits(blocks, 32, 5, d, out);
    out = decode_digits(blocks + 32, 16, 5, d, out);
    out = decode_digits(blocks + 48, 4, 4, d, out);
  }
}

/* 64 bytes of codes of two bits: bits 2 * n of 32 bytes are 32 values. A code of 3 is the value 2. */
void aq_gguf_decode_tq2_0(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 66) {
    const float d = aq_gguf_load_f16(blocks + 64);
    for (int run = 0; run < 8; run++, out += 32) {
      const uint8_t *bytes = blocks + 32 * (run / 4);
      for (int i = 0; i < 32; i++) out[i] = d * (float)((bytes[i] >> (2 * (run % 4)) & 3) - 1);
    }
  }
}
