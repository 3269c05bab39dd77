/* gguf_blocks_grid.c - IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S: 256 values, of which eight (or four) are a
 * point of a grid; signs and scales are beside it. */
#include "io/gguf/gguf_blocks.h"
#include "io/gguf/gguf_grids.h"

static const float steps_iq2[4] = {8, 25, 43, 0}; /* no point has a 3 */
static const float steps_iq3_xxs[8] = {4, 12, 20, 28, 36, 44, 52, 62};
static const float steps_iq3_s[8] = {1, 3, 5, 7, 9, 11, 13, 15};

/* Without a branch: signs look random. */
static float signed_value(float value, uint32_t signs, int i) {
  return aq_bits_f32(aq_f32_bits(value) ^ (signs >> i & 1) << 31);
}

/* Eight signs of which seven are stored: the number of minus signs is even. */
static uint32_t even_signs(uint32_t seven) {
  uint32_t parity = seven ^ seven >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return seven | (parity & 1) << 7;
}

static void decode_point_iq2(uint16_t point, uint32_t signs, float scale, float *out) {
  for (int i = 0; i < 8; i++) out[i] = signed_value(scale * steps_iq2[point >> (2 * i) & 3], signs, i);
}

static void decode_point_iq3(uint16_t point, const float steps[8], uint32_t signs, float scale, float *out) {
  for (int i = 0; i < 4; i++) out[i] = signed_value(scale * steps[point >> (3 * i) & 7], signs, i);
}

/* The scale of IQ2: d * (.5 + code) / 4. */
static float scale_iq2(float d, uint32_t code) { return d * (0.5F + (float)code) * 0.25F; }

/* An FP16 scale; for each of 8 runs of 32 values 32 bits that are four numbers of points, and 32 of four times seven
 * signs and a scale of four bits. */
void aq_gguf_decode_iq2_xxs(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 66) {
    const float d = aq_gguf_load_f16(blocks);
    for (int run = 0; run < 8; run++) {
      const uint8_t *numbers = blocks + 2 + 8 * run;
      const uint32_t rest = aq_load_u32(numbers + 4);
      const float scale = scale_iq2(d, rest >> 28);
      for (int k = 0; k < 4; k++, out += 8)
        decode_point_iq2(aq_gguf_grid_iq2_xxs[numbers[k]], even_signs(rest >> (7 * k) & 127), scale, out);
    }
  }
}

/* An FP16 scale; 32 times 16 bits, a number of 9 and seven signs; 16 scales of four bits. */
void aq_gguf_decode_iq2_xs(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 74) {
    const float d = aq_gguf_load_f16(blocks);
    const uint8_t *scales = blocks + 66;
    for (int k = 0; k < 32; k++, out += 8) {
      const uint32_t code = aq_load_u16(blocks + 2 + 2 * k);
      const float scale = scale_iq2(d, (uint32_t)(scales[k / 4] >> (4 * (k / 2 % 2)) & 15));
      decode_point_iq2(aq_gguf_grid_iq2_xs[code & 511], even_signs(code >> 9), scale, out);
    }
  }
}

/* An FP16 scale; low bytes of 32 numbers, 32 bytes of signs, high two bits of the numbers, 16 scales of four bits. */
void aq_gguf_decode_iq2_s(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 82) {
    const float d = aq_gguf_load_f16(blocks);
    const uint8_t *low = blocks + 2, *signs = blocks + 34, *high = blocks + 66, *scales = blocks + 74;
    for (int k = 0; k < 32; k++, out += 8) {
      const int number = low[k] | (high[k / 4] >> (2 * (k % 4)) & 3) << 8;
      const float scale = scale_iq2(d, (uint32_t)(scales[k / 4] >> (4 * (k / 2 % 2)) & 15));
      decode_point_iq2(aq_gguf_grid_iq2_s[number], signs[k], scale, out);
    }
  }
}

/* An FP16 scale; 64 numbers; for each of 8 runs 32 bits of four times seven signs and a scale of four bits. */
void aq_gguf_decode_iq3_xxs(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 98) {
    const float d = aq_gguf_load_f16(blocks);
    for (int run = 0; run < 8; run++) {
      const uint32_t rest = aq_load_u32(blocks + 66 + 4 * run);
      const float scale = d * (0.5F + (float)(rest >> 28)) * 0.5F;
      for (int k = 0; k < 8; k++, out += 4) {
        const uint32_t signs = even_signs(rest >> (7 * (k / 2)) & 127) >> (4 * (k % 2));
        decode_point_iq3(aq_gguf_grid_iq3_xxs[blocks[2 + 8 * run + k]], steps_iq3_xxs, signs, scale, out);
      }
    }
  }
}

/* An FP16 scale; low bytes of 64 numbers, their high bits, 32 bytes of signs, 8 scales of four bits. */
void aq_gguf_decode_iq3_s(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 110) {
    const float d = aq_gguf_load_f16(blocks);
    const uint8_t *low = blocks + 2, *high = blocks + 66, *signs = blocks + 74, *scales = blocks + 106;
    for (int k = 0; k < 64; k++, out += 4) {
      const int number = low[k] | (high[k / 8] >> (k % 8) & 1) << 8;
      const float scale = d * (float)(1 + 2 * (scales[k / 16] >> (4 * (k / 8 % 2)) & 15));
      decode_point_iq3(aq_gguf_grid_iq3_s[number], steps_iq3_s, (uint32_t)signs[k / 2] >> (4 * (k % 2)), scale, out);
    }
  }
}

/* All values of a point of IQ1 are moved by an eighth, up or down. */
static void decode_point_iq1(uint16_t point, int is_down, float scale, float *out) {
  const float shift = is_down != 0 ? -0.125F : 0.125F;
  for (int i = 0; i < 8; i++) out[i] = scale * ((float)((point >> (2 * i) & 3) - 1) + shift);
}

/* An FP16 scale; low bytes of 32 numbers; for each of 8 runs 16 bits: four times the high three bits of a number, a
 * scale of three bits, and the direction. */
void aq_gguf_decode_iq1_s(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 50) {
    const float d = aq_gguf_load_f16(blocks);
    for (int run = 0; run < 8; run++) {
      const int rest = aq_load_u16(blocks + 34 + 2 * run);
      const float scale = d * (float)(2 * (rest >> 12 & 7) + 1);
      for (int k = 0; k < 4; k++, out += 8) {
        const int number = blocks[2 + 4 * run + k] | (rest >> (3 * k) & 7) << 8;
        decode_point_iq1(aq_gguf_grid_iq1[number], rest & 0x8000, scale, out);
      }
    }
  }
}

/* Low bytes of 32 numbers; of each the high three bits and the direction; four times 16 bits, of which the lower twelve
 * are four scales of three bits and the upper four a quarter of the FP16 scale. */
void aq_gguf_decode_iq1_m(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 56) {
    uint32_t half = 0;
    for (int k = 0; k < 4; k++) half |= (uint32_t)(aq_load_u16(blocks + 48 + 2 * k) >> 12) << (4 * k);
    const float d = aq_gguf_f16((uint16_t)half);
    for (int k = 0; k < 32; k++, out += 8) {
      const int high = blocks[32 + k / 2] >> (4 * (k % 2)), scales = aq_load_u16(blocks + 48 + 2 * (k / 8));
      const float scale = d * (float)(2 * (scales >> (3 * (k / 2 % 4)) & 7) + 1);
      decode_point_iq1(aq_gguf_grid_iq1[blocks[k] | (high & 7) << 8], high & 8, scale, out);
    }
  }
}
