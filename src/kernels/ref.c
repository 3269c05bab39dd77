/* ref.c - every kernel in plain C: the definition that the instruction sets must equal, bit for bit.
 *
 * Written to be read, not to be fast; a set may hand its last few elements over to it. Arithmetic is IEEE 754 in the
 * type that is written, rounded to nearest even after every operation: the build forbids contraction, and what would
 * forbid the rest is refused here.
 *
 * NaN in quantize_f32 and fit_sums is the caller's mistake; so that nothing undefined follows, its code is qmin. */
#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "core/bytes.h"
#include "kernels/dispatch.h"

#if defined(__FAST_MATH__)
#error "fast-math changes what is written to files"
#endif
#if FLT_EVAL_METHOD != 0
#error "needs float arithmetic in float (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

void aq_range_f32_ref(const float *x, size_t n, aq_range *range) {
  for (size_t i = 0; i < n; i++) {
    const uint32_t magnitude = aq_f32_bits(x[i]) & 0x7fffffff;
    if (x[i] < range->min) range->min = x[i];
    if (x[i] > range->max) range->max = x[i];
    if (magnitude > range->max_abs_bits) range->max_abs_bits = magnitude;
  }
}

static int32_t code_of(float x, float scale, float zero_point, int32_t qmin, int32_t qmax) {
  const float lowest = (float)qmin, highest = (float)qmax;
  float t = scale == 0 ? 0 : x / scale + zero_point;
  t = t > lowest ? t : lowest;
  t = t < highest ? t : highest;
  return (int32_t)lrintf(t);
}

void aq_quantize_f32_ref(const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax,
                         int8_t *q) {
  for (size_t i = 0; i < n; i++) q[i] = (int8_t)code_of(x[i], scale, zero_point, qmin, qmax);
}

void aq_dequantize_s8_ref(const int8_t *q, size_t n, float scale, float zero_point, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = ((float)q[i] - zero_point) * scale;
}

/* Codes become unsigned by adding 2^(bits-1) and then follow each other in a bit stream, lowest bit first; for 4 and 2
 * bits that is two and four a byte. What a code out of range loses is its high bits. */
static void pack(const int8_t *q, size_t n, unsigned bits, uint8_t *out) {
  const int32_t bias = 1 << (bits - 1), mask = (1 << bits) - 1;
  uint32_t held = 0;
  unsigned count = 0;
  for (size_t i = 0; i < n; i++) {
    held |= (uint32_t)((q[i] + bias) & mask) << count;
    count += bits;
    if (count >= 8) {
      *out++ = (uint8_t)held;
      held >>= 8;
      count -= 8;
    }
  }
  if (count > 0) *out = (uint8_t)held;
}

static void unpack(const uint8_t *in, size_t n, unsigned bits, int8_t *q) {
  const int32_t bias = 1 << (bits - 1), mask = (1 << bits) - 1;
  uint32_t held = 0;
  unsigned count = 0;
  for (size_t i = 0; i < n; i++) {
    if (count < bits) {
      held |= (uint32_t)*in++ << count;
      count += 8;
    }
    q[i] = (int8_t)((int32_t)(held & (uint32_t)mask) - bias);
    held >>= bits;
    count -= bits;
  }
}

void aq_pack4_ref(const int8_t *q, size_t n, uint8_t *out) { pack(q, n, 4, out); }
void aq_pack3_ref(const int8_t *q, size_t n, uint8_t *out) { pack(q, n, 3, out); }
void aq_pack2_ref(const int8_t *q, size_t n, uint8_t *out) { pack(q, n, 2, out); }
void aq_unpack4_ref(const uint8_t *in, size_t n, int8_t *q) { unpack(in, n, 4, q); }
void aq_unpack3_ref(const uint8_t *in, size_t n, int8_t *q) { unpack(in, n, 3, q); }
void aq_unpack2_ref(const uint8_t *in, size_t n, int8_t *q) { unpack(in, n, 2, q); }

/* NaN in all conversions as the hardware has it (F16C, AArch64 FCVT): sign kept, quiet bit set, payload aligned at the
 * top, what does not fit cut off. */
static float f16_value(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff;
  if (exponent == 31) return aq_bits_f32(sign | 0x7f800000 | (fraction != 0 ? 0x400000 : 0) | fraction << 13);
  if (exponent == 0) return aq_bits_f32(sign | aq_f32_bits((float)fraction * 0x1p-24f));
  return aq_bits_f32(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

static uint16_t f16_nearest(float x) {
  const uint32_t bits = aq_f32_bits(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  uint32_t half;
  if (magnitude > 0x7f800000) {
    half = 0x7e00 | (magnitude >> 13 & 0x3ff);
  } else if (magnitude >= 0x477ff000) { /* 65520, half way from the largest F16 to the next power of two */
    half = 0x7c00;
  } else if (magnitude < 0x38800000) { /* below 2^-14 F16 counts in steps of 2^-24 */
    half = (uint32_t)lrintf(aq_bits_f32(magnitude) * 0x1p24f);
  } else {
    const uint32_t rebiased = magnitude - ((uint32_t)(127 - 15) << 23);
    half = (rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13;
  }
  return (uint16_t)(sign | half);
}

static float bf16_value(uint16_t brain) {
  const bool nan = (brain & 0x7fff) > 0x7f80;
  return aq_bits_f32((uint32_t)(brain | (nan ? 0x40 : 0)) << 16);
}

static uint16_t bf16_nearest(float x) {
  const uint32_t bits = aq_f32_bits(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void aq_f16_to_f32_ref(const void *in, size_t n, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = f16_value(aq_load_u16((const uint8_t *)in + 2 * i));
}

void aq_bf16_to_f32_ref(const void *in, size_t n, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = bf16_value(aq_load_u16((const uint8_t *)in + 2 * i));
}

void aq_f64_to_f32_ref(const void *in, size_t n, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = (float)aq_load_f64((const uint8_t *)in + 8 * i);
}

void aq_f32_to_f16_ref(const float *in, size_t n, void *out) {
  for (size_t i = 0; i < n; i++) aq_store_u16((uint8_t *)out + 2 * i, f16_nearest(in[i]));
}

void aq_f32_to_bf16_ref(const float *in, size_t n, void *out) {
  for (size_t i = 0; i < n; i++) aq_store_u16((uint8_t *)out + 2 * i, bf16_nearest(in[i]));
}

void aq_fit_sums_ref(const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax,
                     aq_fit_sums *sums) {
  for (size_t i = 0; i < n; i++) {
    const int32_t q = code_of(x[i], scale, zero_point, qmin, qmax);
    const double value = (double)x[i];
    sums->x[i % 8] += value;
    sums->xx[i % 8] += value * value;
    sums->qx[i % 8] += q * value;
    sums->q += q;
    sums->qq += q * q;
  }
}

/* The difference is rounded to double once (it is exact unless the two are 2^29 apart), its square once more: here a
 * fused multiply-add would make a difference. */
void aq_diff_sums_ref(const float *a, const float *b, size_t n, aq_diff_sums *sums) {
  for (size_t i = 0; i < n; i++) {
    const double va = (double)a[i], vb = (double)b[i], error = va - vb;
    sums->aa[i % 8] += va * va;
    sums->bb[i % 8] += vb * vb;
    sums->ab[i % 8] += va * vb;
    sums->ee[i % 8] += error * error;
    if (fabs(error) > sums->max_abs_err) sums->max_abs_err = fabs(error);
  }
}

void aq_rank_update_f32_ref(const aq_rank_update *u) {
  for (size_t i = 0; i < u->m; i++) {
    float *const c = u->c + i * u->ldc;
    for (size_t p = u->k; p-- > 0;) {
      const float x = u->a[i * u->a_row + p * u->a_step], *const b = u->b + p * u->ldb;
      for (size_t j = 0; j < u->n; j++) c[j] += x * b[j];
    }
  }
}
