/* gguf_blocks_32.c - Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: 32 values, an FP16 scale d, in the types _1 an FP16 minimum m.
 *
 * Value i < 16 has the low half of byte i, value i + 16 the high half; the fifth bit of value i is bit i of 32 bits. In
 * the types _0 codes are centred and the value is d * (q - centre), in the others d * q + m. */
#include "io/gguf/gguf_blocks.h"

enum { VALUES = 32, HALF = 16 };

void aq_gguf_decode_q4_0(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 18, out += VALUES) {
    const float d = aq_gguf_load_f16(blocks);
    const uint8_t *codes = blocks + 2;
    for (int i = 0; i < HALF; i++) {
      out[i] = d * (float)((codes[i] & 15) - 8);
      out[i + HALF] = d * (float)((codes[i] >> 4) - 8);
    }
  }
}

void aq_gguf_decode_q4_1(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 20, out += VALUES) {
    const float d = aq_gguf_load_f16(blocks), m = aq_gguf_load_f16(blocks + 2);
    const uint8_t *codes = blocks + 4;
    for (int i = 0; i < HALF; i++) {
      out[i] = d * (float)(codes[i] & 15) + m;
      out[i + HALF] = d * (float)(codes[i] >> 4) + m;
    }
  }
}

/* The codes of five bits of a block. */
static void unpack_five_bits(const uint8_t *high, const uint8_t *low, int32_t codes[VALUES]) {
  const uint32_t fifth = aq_load_u32(high);
  for (int i = 0; i < HALF; i++) {
    codes[i] = (int32_t)((low[i] & 15u) | (fifth >> i & 1) << 4);
    codes[i + HALF] = (int32_t)((uint32_t)low[i] >> 4 | (fifth >> (i + HALF) & 1) << 4);
  }
}

void aq_gguf_decode_q5_0(const uint8_t *blocks, size_t count, float *out) {
  int32_t codes[VALUES];
  for (size_t b = 0; b < count; b++, blocks += 22, out += VALUES) {
    const float d = aq_gguf_load_f16(blocks);
    unpack_five_bits(blocks + 2, blocks + 6, codes);
    for (int i = 0; i < VALUES; i++) out[i] = d * (float)(codes[i] - 16);
  }
}

void aq_gguf_decode_q5_1(const uint8_t *blocks, size_t count, float *out) {
  int32_t codes[VALUES];
  for (size_t b = 0; b < count; b++, blocks += 24, out += VALUES) {
    const float d = aq_gguf_load_f16(blocks), m = aq_gguf_load_f16(blocks + 2);
    unpack_five_bits(blocks + 4, blocks + 8, codes);
    for (int i = 0; i < VALUES; i++) out[i] = d * (float)codes[i] + m;
  }
}

void aq_gguf_decode_q8_0(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 34, out += VALUES) {
    const float d = aq_gguf_load_f16(blocks);
    const uint8_t *codes = blocks + 2;
    for (int i = 0; i < VALUES; i++) out[i] = (float)(int8_t)codes[i] * d;
  }
}
