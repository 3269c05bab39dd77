/* gguf_blocks_k.c - Q2_K to Q6_K and Q8_K: 256 values in runs of 16 or 32, whose scales are codes of 4, 6 or 8 bits for
 * one FP16 scale of the block; Q2_K, Q4_K and Q5_K have minimums in the same form, which are subtracted.
 *
 * A run of 32 values has the same two (or four) bits of 32 consecutive bytes: run c of Q4_K has bits 4 * (c % 2) of
 * bytes 32 * (c / 2) and on, run c of Q2_K and Q3_K bits 2 * (c % 4) of bytes 32 * (c / 4) and on. */
#include "io/gguf/gguf_blocks.h"

enum { VALUES = 256, RUN = 32, RUNS = VALUES / RUN };

/* 16 bytes of scales (low half) and minimums (high half) of 16 values each, 64 of codes, d, dmin. */
void aq_gguf_decode_q2_k(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 84) {
    const uint8_t *scales = blocks, *codes = blocks + 16;
    const float d = aq_gguf_load_f16(blocks + 80), dmin = aq_gguf_load_f16(blocks + 82);
    for (int half_run = 0; half_run < 2 * RUNS; half_run++, out += RUN / 2) {
      const int run = half_run / 2, shift = 2 * (run % 4);
      const uint8_t *bytes = codes + RUN * (run / 4) + RUN / 2 * (half_run % 2);
      const float scale = d * (float)(scales[half_run] & 15), minimum = dmin * (float)(scales[half_run] >> 4);
      for (int i = 0; i < RUN / 2; i++) out[i] = scale * (float)(bytes[i] >> shift & 3) - minimum;
    }
  }
}

/* Scale j of 16 has its low four bits in half j / 8 of byte j % 8, its high two in bits 2 * (j / 4) of byte 8 + j % 4.
 */
static int32_t scale_of_q3_k(const uint8_t *scales, int j) {
  const int low = scales[j % 8] >> (4 * (j / 8)) & 15, high = scales[8 + j % 4] >> (2 * (j / 4)) & 3;
  return (low | high << 4) - 32;
}

/* 32 bytes of third bits (a bit a run; 4 is subtracted where it is not set), 64 of codes, 12 of scales, d. */
void aq_gguf_decode_q3_k(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 110) {
    const uint8_t *third = blocks, *codes = blocks + 32, *scales = blocks + 96;
    const float d = aq_gguf_load_f16(blocks + 108);
    for (int half_run = 0; half_run < 2 * RUNS; half_run++, out += RUN / 2) {
      const int run = half_run / 2, shift = 2 * (run % 4), side = RUN / 2 * (half_run % 2);
      const uint8_t *bytes = codes + RUN * (run / 4) + side, *bits = third + side;
      const float scale = d * (float)scale_of_q3_k(scales, half_run);
      for (int i = 0; i < RUN / 2; i++) {
        const int code = (bytes[i] >> shift & 3) + 4 * (bits[i] >> run & 1) - 4;
        out[i] = scale * (float)code;
      }
    }
  }
}

/* The scale and the minimum of run c of 8, six bits each, from 12 bytes. */
static void unpack_scale_min(const uint8_t *s, int c, int *scale, int *minimum) {
  if (c < 4) {
    *scale = s[c] & 63;
    *minimum = s[c + 4] & 63;
  } else {
    *scale = (s[c + 4] & 15) | s[c - 4] >> 6 << 4;
    *minimum = s[c + 4] >> 4 | s[c] >> 6 << 4;
  }
}

/* d, dmin, 12 bytes of scales and minimums, 128 of codes. */
void aq_gguf_decode_q4_k(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 144) {
    const float d = aq_gguf_load_f16(blocks), dmin = aq_gguf_load_f16(blocks + 2);
    const uint8_t *codes = blocks + 16;
    for (int run = 0; run < RUNS; run++, out += RUN) {
      int sc, m;
      unpack_scale_min(blocks + 4, run, &sc, &m);
      const float scale = d * (float)sc, minimum = dmin * (float)m;
      const uint8_t *bytes = codes + RUN * (run / 2);
      const int shift = 4 * (run % 2);
      for (int i = 0; i < RUN; i++) out[i] = scale * (float)(bytes[i] >> shift & 15) - minimum;
    }
  }
}

/* The same with 32 bytes of fifth bits, a bit a run, before the codes. */
void aq_gguf_decode_q5_k(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 176) {
    const float d = aq_gguf_load_f16(blocks), dmin = aq_gguf_load_f16(blocks + 2);
    const uint8_t *fifth = blocks + 16, *codes = blocks + 48;
    for (int run = 0; run < RUNS; run++, out += RUN) {
      int sc, m;
      unpack_scale_min(blocks + 4, run, &sc, &m);
      const float scale = d * (float)sc, minimum = dmin * (float)m;
      const uint8_t *bytes = codes + RUN * (run / 2);
      const int shift = 4 * (run % 2);
      for (int i = 0; i < RUN; i++) {
        const int code = (bytes[i] >> shift & 15) | (fifth[i] >> run & 1) << 4;
        out[i] = scale * (float)code - minimum;
      }
    }
  }
}

/* 128 bytes of low halves, 64 of high two bits, 16 signed scales of 16 values each, d. Of four runs the first two have
 * the low halves of 64 bytes, the others the high halves. */
void aq_gguf_decode_q6_k(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 210) {
    const uint8_t *low = blocks, *high = blocks + 128, *scales = blocks + 192;
    const float d = aq_gguf_load_f16(blocks + 208);
    for (int half_run = 0; half_run < 2 * RUNS; half_run++, out += RUN / 2) {
      const int run = half_run / 2, quarter = run % 4, side = RUN / 2 * (half_run % 2);
      const uint8_t *four = low + 64 * (run / 4) + RUN * (quarter % 2) + side, *two = high + RUN * (run / 4) + side;
      const int four_shift = 4 * (quarter / 2), two_shift = 2 * quarter;
      const float scale = d * (float)(int8_t)scales[half_run];
      for (int i = 0; i < RUN / 2; i++) {
        const int code = ((four[i] >> four_shift & 15) | (two[i] >> two_shift & 3) << 4) - 32;
        out[i] = scale * (float)code;
      }
    }
  }
}

/* An FP32 scale, 256 signed codes, and 16 sums of codes, which no value needs. */
void aq_gguf_decode_q8_k(const uint8_t *blocks, size_t count, float *out) {
  for (size_t b = 0; b < count; b++, blocks += 292, out += VALUES) {
    const float d = aq_load_f32(blocks);
    for (int i = 0; i < VALUES; i++) out[i] = d * (float)(int8_t)blocks[4 + i];
  }
}
