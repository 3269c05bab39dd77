/* rows_avx2.c - what an encoder does with a row between its dense products, 8 elements at a time; the last few through
 * a small array, filled up with what changes nothing. */
#include <math.h>
#include <string.h>

#include "kernels/dispatch.h"
#include "kernels/fits.h"
#include "kernels/x86/isa.h"

#define FMA _mm256_fmadd_ps
#define ALL _mm256_set1_ps

/* Up to 8 elements; the lanes past them are `fill`. */
static inline AQ_AVX2 __m256 load(const float *x, size_t left, float fill) {
  if (left >= 8) return _mm256_loadu_ps(x);
  float v[8] = {fill, fill, fill, fill, fill, fill, fill, fill};
  memcpy(v, x, left * sizeof *x);
  return _mm256_loadu_ps(v);
}

static inline AQ_AVX2 void store(float *x, size_t left, __m256 v) {
  float all[8];
  if (left >= 8) {
    _mm256_storeu_ps(x, v);
    return;
  }
  _mm256_storeu_ps(all, v);
  memcpy(x, all, left * sizeof *x);
}

static inline AQ_AVX2 float total(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline AQ_AVX2 float largest_of(__m256 v) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

static inline AQ_AVX2 __m256 gelu(__m256 x) {
  const __m256 t = _mm256_mul_ps(x, x);
  __m256 p = FMA(ALL(AQ_GELU_P5), t, ALL(AQ_GELU_P4)), q = FMA(ALL(AQ_GELU_Q5), t, ALL(AQ_GELU_Q4));
  p = FMA(p, t, ALL(AQ_GELU_P3));
  q = FMA(q, t, ALL(AQ_GELU_Q3));
  p = FMA(p, t, ALL(AQ_GELU_P2));
  q = FMA(q, t, ALL(AQ_GELU_Q2));
  p = FMA(p, t, ALL(AQ_GELU_P1));
  q = FMA(q, t, ALL(AQ_GELU_Q1));
  p = FMA(p, t, ALL(AQ_GELU_P0));
  q = FMA(q, t, ALL(1));
  const __m256 phi = _mm256_div_ps(_mm256_mul_ps(x, p), q);
  const __m256 far = _mm256_cmp_ps(_mm256_andnot_ps(ALL(-0.0f), x), ALL(AQ_GELU_END), _CMP_GT_OQ);
  const __m256 inner = FMA(x, phi, _mm256_mul_ps(x, ALL(0.5f)));
  return _mm256_blendv_ps(inner, _mm256_max_ps(x, _mm256_setzero_ps()), far);
}

AQ_AVX2 void aq_gelu_f32_avx2(float *x, size_t n) {
  for (size_t i = 0; i < n; i += 8) store(x + i, n - i, gelu(load(x + i, n - i, 0)));
}

static inline AQ_AVX2 __m256 exponential(__m256 x) {
  const __m256 at_least = _mm256_max_ps(x, ALL(AQ_EXP_LOWEST));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(at_least, ALL(AQ_LOG2_E)), _MM_FROUND_TO_NEAREST_INT);
  __m256 r = _mm256_fnmadd_ps(n, ALL(AQ_LN2_HIGH), at_least);
  r = _mm256_fnmadd_ps(n, ALL(AQ_LN2_LOW), r);
  __m256 e = FMA(ALL(AQ_EXP_E6), r, ALL(AQ_EXP_E5));
  e = FMA(e, r, ALL(AQ_EXP_E4));
  e = FMA(e, r, ALL(AQ_EXP_E3));
  e = FMA(e, r, ALL(AQ_EXP_E2));
  e = FMA(_mm256_mul_ps(r, r), e, _mm256_add_ps(r, ALL(1)));
  const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(e, _mm256_castsi256_ps(power));
}

AQ_AVX2 void aq_softmax_f32_avx2(float *x, size_t n, float scale) {
  __m256 largest = ALL(x[0]), sum = _mm256_setzero_ps();
  for (size_t i = 0; i < n; i += 8) largest = _mm256_max_ps(largest, load(x + i, n - i, x[0]));
  largest = ALL(largest_of(largest));
  for (size_t i = 0; i + 8 <= n; i += 8) {
    const __m256 e = exponential(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), largest), ALL(scale)));
    sum = _mm256_add_ps(sum, e);
    _mm256_storeu_ps(x + i, e);
  }
  float all = total(sum);
  const size_t whole = n & ~(size_t)7;
  if (whole < n) {
    const __m256 below = _mm256_sub_ps(load(x + whole, n - whole, 0), largest);
    store(x + whole, n - whole, exponential(_mm256_mul_ps(below, ALL(scale))));
    for (size_t i = whole; i < n; i++) all += x[i];
  }
  const __m256 factor = ALL(1 / all);
  for (size_t i = 0; i < n; i += 8) store(x + i, n - i, _mm256_mul_ps(load(x + i, n - i, 0), factor));
}

AQ_AVX2 void aq_norm_f32_avx2(const float *x, const float *more, size_t n, const float *gain, const float *shift,
                              float epsilon, float *out) {
  __m256 sum = _mm256_setzero_ps(), squares = sum;
  for (size_t i = 0; i < n; i += 8) {
    __m256 y = load(x + i, n - i, 0);
    if (more != NULL) y = _mm256_add_ps(y, load(more + i, n - i, 0));
    sum = _mm256_add_ps(sum, y);
    store(out + i, n - i, y);
  }
  const float average = total(sum) / (float)n;
  const __m256 mean = ALL(average);
  for (size_t i = 0; i < n; i += 8) {
    const __m256 from_mean = _mm256_sub_ps(load(out + i, n - i, average), mean);
    squares = FMA(from_mean, from_mean, squares);
  }
  const __m256 factor = ALL(1 / sqrtf(total(squares) / (float)n + epsilon));
  for (size_t i = 0; i < n; i += 8) {
    const __m256 from_mean = _mm256_sub_ps(load(out + i, n - i, 0), mean);
    const __m256 g = load(gain + i, n - i, 0), s = load(shift + i, n - i, 0);
    store(out + i, n - i, FMA(_mm256_mul_ps(from_mean, factor), g, s));
  }
}

AQ_AVX2 void aq_quantize_u8_avx2(const float *x, size_t n, uint8_t *out, float *scale, int32_t *zero) {
  __m256 lo = _mm256_setzero_ps(), hi = lo;
  for (size_t i = 0; i < n; i += 8) {
    const __m256 v = load(x + i, n - i, 0);
    lo = _mm256_max_ps(_mm256_sub_ps(_mm256_setzero_ps(), v), lo);
    hi = _mm256_max_ps(v, hi);
  }
  const float lowest = -largest_of(lo), range = largest_of(hi) - lowest;
  *scale = range < 1e-30f ? 0 : range / 255;
  const float inverse = range < 1e-30f ? 0 : 1 / *scale;
  *zero = (int32_t)lrintf(-lowest * inverse);
  const __m256 least = ALL((float)-*zero), most = ALL((float)(255 - *zero));
  for (size_t i = 0; i < n; i += 8) {
    const __m256 v = _mm256_mul_ps(load(x + i, n - i, 0), ALL(inverse));
    const __m256i q = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(v, least), most));
    const __m256i u = _mm256_add_epi32(q, _mm256_set1_epi32(*zero));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(u), _mm256_extracti128_si256(u, 1));
    uint8_t bytes[16];
    _mm_storeu_si128((__m128i *)bytes, _mm_packus_epi16(words, words));
    memcpy(out + i, bytes, AQ_MIN(n - i, (size_t)8));
  }
}
