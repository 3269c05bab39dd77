/* pack_neon.c - codes to bit streams and back. For 4 and 2 bits the structure loads and stores put the codes of a byte
 * into separate registers; for 3 bits neighbours are joined and parted by shifts. */
#include <arm_neon.h>

#include "core/bytes.h"
#include "kernels/dispatch.h"

/* 16 codes with the bias added and nothing above the mask. */
static inline uint8x16_t fields(int8x16_t q, int8_t bias, uint8_t mask) {
  return vandq_u8(vreinterpretq_u8_s8(vaddq_s8(q, vdupq_n_s8(bias))), vdupq_n_u8(mask));
}

static inline int8x16_t codes(uint8x16_t v, uint8_t mask, int8_t bias) {
  return vsubq_s8(vreinterpretq_s8_u8(vandq_u8(v, vdupq_n_u8(mask))), vdupq_n_s8(bias));
}

void aq_pack4_neon(const int8_t *q, size_t n, uint8_t *out) {
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const int8x16x2_t v = vld2q_s8(q + i);
    vst1q_u8(out + i / 2, vorrq_u8(fields(v.val[0], 8, 15), vshlq_n_u8(fields(v.val[1], 8, 15), 4)));
  }
  aq_pack4_ref(q + i, n - i, out + i / 2);
}

/* 2 qwords, in each the 24 bits of 8 codes. */
static inline uint8x16_t eights3(const int8_t *q) {
  const uint16x8_t words = vreinterpretq_u16_u8(fields(vld1q_s8(q), 4, 7));
  const uint16x8_t pairs = vorrq_u16(words, vshrq_n_u16(words, 5)); /* 6 bits, and rests above them */
  const uint32x4_t dwords = vreinterpretq_u32_u16(vandq_u16(pairs, vdupq_n_u16(0x3f)));
  const uint32x4_t fours = vorrq_u32(dwords, vshrq_n_u32(dwords, 10)); /* 12 bits, and rests */
  const uint64x2_t qwords = vreinterpretq_u64_u32(vandq_u32(fours, vdupq_n_u32(0xfff)));
  return vreinterpretq_u8_u64(vorrq_u64(qwords, vshrq_n_u64(qwords, 20)));
}

void aq_pack3_neon(const int8_t *q, size_t n, uint8_t *out) {
  static const uint8_t places[16] = {0, 1, 2, 8, 9, 10, 16, 17, 18, 24, 25, 26, 255, 255, 255, 255};
  const uint8x16_t gather = vld1q_u8(places);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const uint8x16x2_t eights = {{eights3(q + i), eights3(q + i + 16)}};
    const uint8x16_t all = vqtbl2q_u8(eights, gather);
    uint8_t *const to = out + i / 8 * 3;
    vst1_u8(to, vget_low_u8(all));
    aq_store_u32(to + 8, vgetq_lane_u32(vreinterpretq_u32_u8(all), 2));
  }
  aq_pack3_ref(q + i, n - i, out + i / 8 * 3);
}

void aq_pack2_neon(const int8_t *q, size_t n, uint8_t *out) {
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const int8x16x4_t v = vld4q_s8(q + i);
    const uint8x16_t low = vorrq_u8(fields(v.val[0], 2, 3), vshlq_n_u8(fields(v.val[1], 2, 3), 2));
    const uint8x16_t high = vorrq_u8(fields(v.val[2], 2, 3), vshlq_n_u8(fields(v.val[3], 2, 3), 2));
    vst1q_u8(out + i / 4, vorrq_u8(low, vshlq_n_u8(high, 4)));
  }
  aq_pack2_ref(q + i, n - i, out + i / 4);
}

void aq_unpack4_neon(const uint8_t *in, size_t n, int8_t *q) {
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const uint8x16_t v = vld1q_u8(in + i / 2);
    const int8x16x2_t apart = {{codes(v, 15, 8), codes(vshrq_n_u8(v, 4), 15, 8)}};
    vst2q_s8(q + i, apart);
  }
  aq_unpack4_ref(in + i / 2, n - i, q + i);
}

/* 16 codes from the words in which their pairs begin. */
static inline int8x16_t codes3(uint8x16_t windows) {
  static const int16_t down[8] = {0, -6, -4, -2, 0, -6, -4, -2};
  const uint16x8_t pairs = vshlq_u16(vreinterpretq_u16_u8(windows), vld1q_s16(down));
  const uint16x8_t first = vandq_u16(pairs, vdupq_n_u16(0x0007));
  const uint16x8_t second = vandq_u16(vshlq_n_u16(pairs, 5), vdupq_n_u16(0x0700));
  return codes(vreinterpretq_u8_u16(vorrq_u16(first, second)), 7, 4);
}

void aq_unpack3_neon(const uint8_t *in, size_t n, int8_t *q) {
  /* Pair k of the 32 codes is the six bits from bit 6k: in the word that begins in its first byte. */
  static const uint8_t places[2][16] = {{0, 1, 0, 1, 1, 2, 2, 3, 3, 4, 3, 4, 4, 5, 5, 6},
                                        {6, 7, 6, 7, 7, 8, 8, 9, 9, 10, 9, 10, 10, 11, 11, 12}};
  const uint8x16_t low = vld1q_u8(places[0]), high = vld1q_u8(places[1]);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const uint8_t *const from = in + i / 8 * 3;
    const uint8x8_t last = vcreate_u8(aq_load_u32(from + 8));
    const uint8x16_t bytes = vcombine_u8(vld1_u8(from), last);
    vst1q_s8(q + i, codes3(vqtbl1q_u8(bytes, low)));
    vst1q_s8(q + i + 16, codes3(vqtbl1q_u8(bytes, high)));
  }
  aq_unpack3_ref(in + i / 8 * 3, n - i, q + i);
}

void aq_unpack2_neon(const uint8_t *in, size_t n, int8_t *q) {
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const uint8x16_t v = vld1q_u8(in + i / 4);
    const int8x16x4_t apart = {
        {codes(v, 3, 2), codes(vshrq_n_u8(v, 2), 3, 2), codes(vshrq_n_u8(v, 4), 3, 2), codes(vshrq_n_u8(v, 6), 3, 2)}};
    vst4q_s8(q + i, apart);
  }
  aq_unpack2_ref(in + i / 4, n - i, q + i);
}
