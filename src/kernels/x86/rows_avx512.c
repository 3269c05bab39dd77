/* rows_avx512.c - what an encoder does with a row between its dense products, 16 elements at a time. Tails go through
 * masks; lanes past the end hold what changes nothing. */
#include <math.h>

#include "kernels/dispatch.h"
#include "kernels/fits.h"
#include "kernels/x86/isa.h"

static inline AQ_AVX512 __mmask16 rest_of(size_t left) {
  const uint32_t mask = left >= 16 ? 0xffffu : (1u << left) - 1;
  return (__mmask16)mask;
}

#define FMA _mm512_fmadd_ps
#define ALL _mm512_set1_ps

static inline AQ_AVX512 __m512 gelu(__m512 x) {
  const __m512 t = _mm512_mul_ps(x, x);
  __m512 p = FMA(ALL(AQ_GELU_P5), t, ALL(AQ_GELU_P4)), q = FMA(ALL(AQ_GELU_Q5), t, ALL(AQ_GELU_Q4));
  p = FMA(p, t, ALL(AQ_GELU_P3));
  q = FMA(q, t, ALL(AQ_GELU_Q3));
  p = FMA(p, t, ALL(AQ_GELU_P2));
  q = FMA(q, t, ALL(AQ_GELU_Q2));
  p = FMA(p, t, ALL(AQ_GELU_P1));
  q = FMA(q, t, ALL(AQ_GELU_Q1));
  p = FMA(p, t, ALL(AQ_GELU_P0));
  q = FMA(q, t, ALL(1));
  const __m512 phi = _mm512_div_ps(_mm512_mul_ps(x, p), q);
  const __mmask16 far = _mm512_cmp_ps_mask(_mm512_abs_ps(x), ALL(AQ_GELU_END), _CMP_GT_OQ);
  const __m512 inner = FMA(x, phi, _mm512_mul_ps(x, ALL(0.5f)));
  return _mm512_mask_max_ps(inner, far, x, _mm512_setzero_ps());
}

AQ_AVX512 void aq_gelu_f32_avx512(float *x, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) _mm512_storeu_ps(x + i, gelu(_mm512_loadu_ps(x + i)));
  if (i == n) return;
  const __mmask16 rest = rest_of(n - i);
  _mm512_mask_storeu_ps(x + i, rest, gelu(_mm512_maskz_loadu_ps(rest, x + i)));
}

static inline AQ_AVX512 __m512 exponential(__m512 x) {
  const __m512 at_least = _mm512_max_ps(x, ALL(AQ_EXP_LOWEST));
  /* To the nearest integer by way of one: without optimisation roundscale is a macro that GCC warns about. */
  const __m512 n = _mm512_cvtepi32_ps(_mm512_cvtps_epi32(_mm512_mul_ps(at_least, ALL(AQ_LOG2_E))));
  __m512 r = _mm512_fnmadd_ps(n, ALL(AQ_LN2_HIGH), at_least);
  r = _mm512_fnmadd_ps(n, ALL(AQ_LN2_LOW), r);
  __m512 e = FMA(ALL(AQ_EXP_E6), r, ALL(AQ_EXP_E5));
  e = FMA(e, r, ALL(AQ_EXP_E4));
  e = FMA(e, r, ALL(AQ_EXP_E3));
  e = FMA(e, r, ALL(AQ_EXP_E2));
  e = FMA(_mm512_mul_ps(r, r), e, _mm512_add_ps(r, ALL(1)));
  return _mm512_scalef_ps(e, n);
}

AQ_AVX512 void aq_softmax_f32_avx512(float *x, size_t n, float scale) {
  __m512 largest = ALL(x[0]), sum = _mm512_setzero_ps();
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 m = rest_of(n - i);
    largest = _mm512_mask_max_ps(largest, m, largest, _mm512_maskz_loadu_ps(m, x + i));
  }
  largest = ALL(_mm512_reduce_max_ps(largest));
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 m = rest_of(n - i);
    const __m512 below = _mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), largest);
    const __m512 e = exponential(_mm512_mul_ps(below, ALL(scale)));
    sum = _mm512_mask_add_ps(sum, m, sum, e);
    _mm512_mask_storeu_ps(x + i, m, e);
  }
  const __m512 factor = ALL(1 / _mm512_reduce_add_ps(sum));
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 m = rest_of(n - i);
    _mm512_mask_storeu_ps(x + i, m, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), factor));
  }
}

AQ_AVX512 void aq_norm_f32_avx512(const float *x, const float *more, size_t n, const float *gain, const float *shift,
                                  float epsilon, float *out) {
  __m512 sum = _mm512_setzero_ps(), squares = sum;
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 m = rest_of(n - i);
    __m512 y = _mm512_maskz_loadu_ps(m, x + i);
    if (more != NULL) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(m, more + i));
    sum = _mm512_add_ps(sum, y);
    _mm512_mask_storeu_ps(out + i, m, y);
  }
  const __m512 mean = ALL(_mm512_reduce_add_ps(sum) / (float)n);
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 m = rest_of(n - i);
    const __m512 from_mean = _mm512_maskz_sub_ps(m, _mm512_maskz_loadu_ps(m, out + i), mean);
    squares = FMA(from_mean, from_mean, squares);
  }
  const __m512 factor = ALL(1 / sqrtf(_mm512_reduce_add_ps(squares) / (float)n + epsilon));
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 m = rest_of(n - i);
    const __m512 from_mean = _mm512_sub_ps(_mm512_maskz_loadu_ps(m, out + i), mean);
    const __m512 g = _mm512_maskz_loadu_ps(m, gain + i), s = _mm512_maskz_loadu_ps(m, shift + i);
    _mm512_mask_storeu_ps(out + i, m, FMA(_mm512_mul_ps(from_mean, factor), g, s));
  }
}

AQ_AVX512 void aq_quantize_u8_avx512(const float *x, size_t n, uint8_t *out, float *scale, int32_t *zero) {
  __m512 lo = _mm512_setzero_ps(), hi = lo;
  for (size_t i = 0; i < n; i += 16) {
    const __m512 v = _mm512_maskz_loadu_ps(rest_of(n - i), x + i);
    lo = _mm512_min_ps(v, lo);
    hi = _mm512_max_ps(v, hi);
  }
  const float lowest = _mm512_reduce_min_ps(lo), range = _mm512_reduce_max_ps(hi) - lowest;
  *scale = range < 1e-30f ? 0 : range / 255;
  const float inverse = range < 1e-30f ? 0 : 1 / *scale;
  *zero = (int32_t)lrintf(-lowest * inverse);
  const __m512 least = ALL((float)-*zero), most = ALL((float)(255 - *zero));
  const __m512i add = _mm512_set1_epi32(*zero);
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 m = rest_of(n - i);
    const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), ALL(inverse));
    const __m512i q = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(v, least), most));
    _mm512_mask_cvtepi32_storeu_epi8(out + i, m, _mm512_add_epi32(q, add));
  }
}
