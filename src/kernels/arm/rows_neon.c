/* rows_neon.c - what an encoder does with a row between its dense products, 4 elements at a time; the last few through
 * a small array, filled up with what changes nothing. */
#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "kernels/dispatch.h"
#include "kernels/fits.h"

#define ALL vdupq_n_f32
/* a + b * c, rounded once. */
#define FMA(b, c, a) vfmaq_f32(a, b, c)

/* Up to 4 elements; the lanes past them are `fill`. */
static inline float32x4_t load(const float *x, size_t left, float fill) {
  if (left >= 4) return vld1q_f32(x);
  float v[4] = {fill, fill, fill, fill};
  memcpy(v, x, left * sizeof *x);
  return vld1q_f32(v);
}

static inline void store(float *x, size_t left, float32x4_t v) {
  float all[4];
  if (left >= 4) {
    vst1q_f32(x, v);
    return;
  }
  vst1q_f32(all, v);
  memcpy(x, all, left * sizeof *x);
}

static inline float32x4_t gelu(float32x4_t x) {
  const float32x4_t t = vmulq_f32(x, x);
  float32x4_t p = FMA(ALL(AQ_GELU_P5), t, ALL(AQ_GELU_P4)), q = FMA(ALL(AQ_GELU_Q5), t, ALL(AQ_GELU_Q4));
  p = FMA(p, t, ALL(AQ_GELU_P3));
  q = FMA(q, t, ALL(AQ_GELU_Q3));
  p = FMA(p, t, ALL(AQ_GELU_P2));
  q = FMA(q, t, ALL(AQ_GELU_Q2));
  p = FMA(p, t, ALL(AQ_GELU_P1));
  q = FMA(q, t, ALL(AQ_GELU_Q1));
  p = FMA(p, t, ALL(AQ_GELU_P0));
  q = FMA(q, t, ALL(1));
  const float32x4_t phi = vdivq_f32(vmulq_f32(x, p), q);
  const float32x4_t inner = FMA(x, phi, vmulq_f32(x, ALL(0.5f)));
  return vbslq_f32(vcgtq_f32(vabsq_f32(x), ALL(AQ_GELU_END)), vmaxq_f32(x, ALL(0)), inner);
}

void aq_gelu_f32_neon(float *x, size_t n) {
  for (size_t i = 0; i < n; i += 4) store(x + i, n - i, gelu(load(x + i, n - i, 0)));
}

static inline float32x4_t exponential(float32x4_t x) {
  const float32x4_t at_least = vmaxq_f32(x, ALL(AQ_EXP_LOWEST));
  const int32x4_t power = vcvtnq_s32_f32(vmulq_f32(at_least, ALL(AQ_LOG2_E)));
  const float32x4_t n = vcvtq_f32_s32(power);
  float32x4_t r = vfmsq_f32(at_least, n, ALL(AQ_LN2_HIGH));
  r = vfmsq_f32(r, n, ALL(AQ_LN2_LOW));
  float32x4_t e = FMA(ALL(AQ_EXP_E6), r, ALL(AQ_EXP_E5));
  e = FMA(e, r, ALL(AQ_EXP_E4));
  e = FMA(e, r, ALL(AQ_EXP_E3));
  e = FMA(e, r, ALL(AQ_EXP_E2));
  e = FMA(vmulq_f32(r, r), e, vaddq_f32(r, ALL(1)));
  return vmulq_f32(e, vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(power, vdupq_n_s32(127)), 23)));
}

void aq_softmax_f32_neon(float *x, size_t n, float scale) {
  float32x4_t top = ALL(x[0]), sum = ALL(0);
  for (size_t i = 0; i < n; i += 4) top = vmaxq_f32(top, load(x + i, n - i, x[0]));
  const float32x4_t largest = ALL(vmaxvq_f32(top));
  const size_t whole = n & ~(size_t)3;
  for (size_t i = 0; i < whole; i += 4) {
    const float32x4_t e = exponential(vmulq_n_f32(vsubq_f32(vld1q_f32(x + i), largest), scale));
    sum = vaddq_f32(sum, e);
    vst1q_f32(x + i, e);
  }
  float all = vaddvq_f32(sum);
  if (whole < n) {
    const float32x4_t below = vsubq_f32(load(x + whole, n - whole, 0), largest);
    store(x + whole, n - whole, exponential(vmulq_n_f32(below, scale)));
    for (size_t i = whole; i < n; i++) all += x[i];
  }
  for (size_t i = 0; i < n; i += 4) store(x + i, n - i, vmulq_n_f32(load(x + i, n - i, 0), 1 / all));
}

void aq_norm_f32_neon(const float *x, const float *more, size_t n, const float *gain, const float *shift, float epsilon,
                      float *out) {
  float32x4_t sum = ALL(0), squares = ALL(0);
  for (size_t i = 0; i < n; i += 4) {
    float32x4_t y = load(x + i, n - i, 0);
    if (more != NULL) y = vaddq_f32(y, load(more + i, n - i, 0));
    sum = vaddq_f32(sum, y);
    store(out + i, n - i, y);
  }
  const float average = vaddvq_f32(sum) / (float)n;
  const float32x4_t mean = ALL(average);
  for (size_t i = 0; i < n; i += 4) {
    const float32x4_t from_mean = vsubq_f32(load(out + i, n - i, average), mean);
    squares = FMA(from_mean, from_mean, squares);
  }
  const float factor = 1 / sqrtf(vaddvq_f32(squares) / (float)n + epsilon);
  for (size_t i = 0; i < n; i += 4) {
    const float32x4_t from_mean = vsubq_f32(load(out + i, n - i, 0), mean);
    const float32x4_t g = load(gain + i, n - i, 0), s = load(shift + i, n - i, 0);
    store(out + i, n - i, FMA(vmulq_n_f32(from_mean, factor), g, s));
  }
}

void aq_quantize_u8_neon(const float *x, size_t n, uint8_t *out, float *scale, int32_t *zero) {
  float32x4_t lo = ALL(0), hi = ALL(0);
  for (size_t i = 0; i < n; i += 4) {
    const float32x4_t v = load(x + i, n - i, 0);
    lo = vminq_f32(lo, v);
    hi = vmaxq_f32(hi, v);
  }
  const float lowest = vminvq_f32(lo), range = vmaxvq_f32(hi) - lowest;
  *scale = range < 1e-30f ? 0 : range / 255;
  const float inverse = range < 1e-30f ? 0 : 1 / *scale;
  *zero = (int32_t)lrintf(-lowest * inverse);
  const float32x4_t least = ALL((float)-*zero), most = ALL((float)(255 - *zero));
  for (size_t i = 0; i < n; i += 4) {
    const float32x4_t v = vmulq_n_f32(load(x + i, n - i, 0), inverse);
    const int32x4_t q = vaddq_s32(vcvtnq_s32_f32(vminq_f32(vmaxq_f32(v, least), most)), vdupq_n_s32(*zero));
    const uint16x4_t words = vqmovun_s32(q);
    const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vqmovn_u16(vcombine_u16(words, words))), 0);
    memcpy(out + i, &bytes, AQ_MIN(n - i, (size_t)4));
  }
}
