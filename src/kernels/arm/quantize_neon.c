/* quantize_neon.c - FP32 to codes and back. Division, not the reciprocal estimate; FMAXNM and FMINNM, which like ref.c
 * take the bound when the other operand is a NaN. */
#include <arm_neon.h>

#include "kernels/dispatch.h"

typedef struct grid {
  float32x4_t scale, zero_point, lowest, highest;
} grid;

static inline int32x4_t codes_of(const grid *g, const float *x) {
  const float32x4_t t = vaddq_f32(vdivq_f32(vld1q_f32(x), g->scale), g->zero_point);
  return vcvtnq_s32_f32(vminnmq_f32(vmaxnmq_f32(t, g->lowest), g->highest));
}

static inline int16x8_t words_of(const grid *g, const float *x) {
  return vcombine_s16(vmovn_s32(codes_of(g, x)), vmovn_s32(codes_of(g, x + 4)));
}

void aq_quantize_f32_neon(const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax,
                          int8_t *q) {
  if (scale == 0) {
    aq_quantize_f32_ref(x, n, scale, zero_point, qmin, qmax, q);
    return;
  }
  const grid g = {vdupq_n_f32(scale), vdupq_n_f32(zero_point), vdupq_n_f32((float)qmin), vdupq_n_f32((float)qmax)};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    vst1q_s8(q + i, vcombine_s8(vmovn_s16(words_of(&g, x + i)), vmovn_s16(words_of(&g, x + i + 8))));
  }
  if (i + 8 <= n) {
    vst1_s8(q + i, vmovn_s16(words_of(&g, x + i)));
    i += 8;
  }
  aq_quantize_f32_ref(x + i, n - i, scale, zero_point, qmin, qmax, q + i);
}

void aq_dequantize_s8_neon(const int8_t *q, size_t n, float scale, float zero_point, float *x) {
  const float32x4_t step = vdupq_n_f32(scale), zero = vdupq_n_f32(zero_point);
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const int16x8_t words = vmovl_s8(vld1_s8(q + i));
    const float32x4_t low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
    const float32x4_t high = vcvtq_f32_s32(vmovl_high_s16(words));
    vst1q_f32(x + i, vmulq_f32(vsubq_f32(low, zero), step));
    vst1q_f32(x + i + 4, vmulq_f32(vsubq_f32(high, zero), step));
  }
  aq_dequantize_s8_ref(q + i, n - i, scale, zero_point, x + i);
}
