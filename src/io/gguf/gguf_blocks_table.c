/* gguf_blocks_table.c - IQ4_NL, IQ4_XS, MXFP4, NVFP4: a code of four bits numbers one of 16 values, which is multiplied
 * by a scale. The first half of a run has the low halves of its bytes, the second half the high ones. */
#include "io/gguf/gguf_blocks.h"

/* Values of IQ4_NL and IQ4_XS. */
static const float nonlinear[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* Twice the values of E2M1 (OCP Microscaling Formats, 1.0); scales are halves in turn. The zero with a sign has none.
 */
static const float e2m1_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void decode_run(const uint8_t *bytes, int count, float scale, const float table[16], float *out) {
  for (int i = 0; i < count; i++) {
    out[i] = scale * table[bytes[i] & 15];
    out[i + count] = scale * table[bytes[i] >> 4];
  }
}

/* An FP16 scale and 16 bytes of codes. */
void aq_gguf_decode_iq4_nl(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 18, out += 32)
    decode_run(blocks + 2, 16, aq_gguf_load_f16(blocks), nonlinear, out);
}

/* An FP16 scale; of eight scales of 32 values the high two bits (16 bits) and the low four (4 bytes); the codes. */
void aq_gguf_decode_iq4_xs(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 136) {
    const float d = aq_gguf_load_f16(blocks);
    const int high = aq_load_u16(blocks + 2);
    for (int run = 0; run < 8; run++, out += 32) {
      const int low = blocks[4 + run / 2] >> (4 * (run % 2)) & 15;
      const int scale = (low | (high >> (2 * run) & 3) << 4) - 32;
      decode_run(blocks + 8 + 16 * run, 16, d * (float)scale, nonlinear, out);
    }
  }
}

/* Half of 2^(exponent - 127), of which the first two are subnormal. */
static float half_power(uint8_t exponent) {
  return aq_bits_f32(exponent < 2 ? 0x00200000u << exponent : (uint32_t)(exponent - 1) << 23);
}

/* An exponent of 8 bits and 16 bytes of codes. */
void aq_gguf_decode_mxfp4(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 17, out += 32)
    decode_run(blocks + 1, 16, half_power(blocks[0]), e2m1_doubled, out);
}

/* Half of an E4M3 without sign; the one NaN stands for zero. */
static float half_e4m3(uint8_t byte) {
  const int exponent = byte >> 3 & 15;
  const float fraction = (float)(byte & 7);
  if (byte == 0 || byte == 0x7f) return 0;
  if (exponent == 0) return fraction * 0x1p-10F;
  return (8 + fraction) * aq_bits_f32((uint32_t)(exponent + 127 - 7 - 3 - 1) << 23);
}

/* Four scales of 16 values each, then 8 bytes of codes for each. */
void aq_gguf_decode_nvfp4(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 36) {
    for (int run = 0; run < 4; run++, out += 16)
      decode_run(blocks + 4 + 8 * run, 8, half_e4m3(blocks[run]), e2m1_doubled, out);
  }
}
