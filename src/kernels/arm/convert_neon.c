/* convert_neon.c - floating-point types to FP32 and from it. FCVT treats NaN as ref.c does; BF16 is integer work. */
#include <arm_neon.h>

#include "kernels/dispatch.h"

void aq_f16_to_f32_neon(const void *in, size_t n, float *out) {
  const uint8_t *const from = in;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const float16x8_t halves = vreinterpretq_f16_u8(vld1q_u8(from + 2 * i));
    vst1q_f32(out + i, vcvt_f32_f16(vget_low_f16(halves)));
    vst1q_f32(out + i + 4, vcvt_high_f32_f16(halves));
  }
  aq_f16_to_f32_ref(from + 2 * i, n - i, out + i);
}

/* All ones where the FP32 with these bits is a NaN. */
static inline uint32x4_t is_nan(uint32x4_t bits) {
  return vcgtq_u32(vandq_u32(bits, vdupq_n_u32(0x7fffffff)), vdupq_n_u32(0x7f800000));
}

static inline void store_bf16_values(float *out, uint32x4_t bits) {
  const uint32x4_t quiet = vandq_u32(is_nan(bits), vdupq_n_u32(0x400000));
  vst1q_f32(out, vreinterpretq_f32_u32(vorrq_u32(bits, quiet)));
}

void aq_bf16_to_f32_neon(const void *in, size_t n, float *out) {
  const uint8_t *const from = in;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const uint16x8_t words = vreinterpretq_u16_u8(vld1q_u8(from + 2 * i));
    store_bf16_values(out + i, vshll_n_u16(vget_low_u16(words), 16));
    store_bf16_values(out + i + 4, vshll_high_n_u16(words, 16));
  }
  aq_bf16_to_f32_ref(from + 2 * i, n - i, out + i);
}

void aq_f64_to_f32_neon(const void *in, size_t n, float *out) {
  const uint8_t *const from = in;
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const float64x2_t low = vreinterpretq_f64_u8(vld1q_u8(from + 8 * i));
    const float64x2_t high = vreinterpretq_f64_u8(vld1q_u8(from + 8 * i + 16));
    vst1q_f32(out + i, vcvt_high_f32_f64(vcvt_f32_f64(low), high));
  }
  aq_f64_to_f32_ref(from + 8 * i, n - i, out + i);
}

void aq_f32_to_f16_neon(const float *in, size_t n, void *out) {
  uint8_t *const to = out;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const float16x8_t halves = vcvt_high_f16_f32(vcvt_f16_f32(vld1q_f32(in + i)), vld1q_f32(in + i + 4));
    vst1q_u8(to + 2 * i, vreinterpretq_u8_f16(halves));
  }
  aq_f32_to_f16_ref(in + i, n - i, to + 2 * i);
}

/* The BF16 in the high half of each dword. */
static inline uint16x8_t nearest_bf16(const float *x) {
  const uint32x4_t bits = vreinterpretq_u32_f32(vld1q_f32(x));
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  return vreinterpretq_u16_u32(vbslq_u32(is_nan(bits), quiet, rounded));
}

void aq_f32_to_bf16_neon(const float *in, size_t n, void *out) {
  uint8_t *const to = out;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const uint16x8_t high_halves = vuzp2q_u16(nearest_bf16(in + i), nearest_bf16(in + i + 4));
    vst1q_u8(to + 2 * i, vreinterpretq_u8_u16(high_halves));
  }
  aq_f32_to_bf16_ref(in + i, n - i, to + 2 * i);
}
