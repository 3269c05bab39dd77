/* range_avx2.c - smallest, largest and largest magnitude, 24 elements a step. */
#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

typedef struct bounds {
  __m256 min, max;
  __m256i magnitude;
} bounds;

static inline AQ_AVX2 void widen(bounds *b, const float *x) {
  const __m256 v = _mm256_loadu_ps(x);
  b->min = _mm256_min_ps(v, b->min);
  b->max = _mm256_max_ps(v, b->max);
  b->magnitude =
      _mm256_max_epu32(_mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff)), b->magnitude);
}

static inline AQ_AVX2 void merge(bounds *b, const bounds *other) {
  b->min = _mm256_min_ps(b->min, other->min);
  b->max = _mm256_max_ps(b->max, other->max);
  b->magnitude = _mm256_max_epu32(b->magnitude, other->magnitude);
}

static inline AQ_AVX2 void reduce(const bounds *b, aq_range *range) {
  __m128 lo = _mm_min_ps(_mm256_castps256_ps128(b->min), _mm256_extractf128_ps(b->min, 1));
  __m128 hi = _mm_max_ps(_mm256_castps256_ps128(b->max), _mm256_extractf128_ps(b->max, 1));
  __m128i mag = _mm_max_epu32(_mm256_castsi256_si128(b->magnitude), _mm256_extracti128_si256(b->magnitude, 1));
  lo = _mm_min_ps(lo, _mm_movehl_ps(lo, lo));
  hi = _mm_max_ps(hi, _mm_movehl_ps(hi, hi));
  mag = _mm_max_epu32(mag, _mm_shuffle_epi32(mag, 0x4e));
  range->min = _mm_cvtss_f32(_mm_min_ps(lo, _mm_movehdup_ps(lo)));
  range->max = _mm_cvtss_f32(_mm_max_ps(hi, _mm_movehdup_ps(hi)));
  range->max_abs_bits = (uint32_t)_mm_cvtsi128_si32(_mm_max_epu32(mag, _mm_shuffle_epi32(mag, 0xb1)));
}

AQ_AVX2 void aq_range_f32_avx2(const float *x, size_t n, aq_range *range) {
  if (n < 8) {
    aq_range_f32_ref(x, n, range);
    return;
  }
  bounds a = {_mm256_set1_ps(range->min), _mm256_set1_ps(range->max), _mm256_set1_epi32((int)range->max_abs_bits)};
  bounds b = a, c = a; /* three is what the registers hold */
  size_t i = 0;
  for (; i + 24 <= n; i += 24) {
    widen(&a, x + i);
    widen(&b, x + i + 8);
    widen(&c, x + i + 16);
  }
  for (; i + 8 <= n; i += 8) widen(&a, x + i);
  if (i < n) widen(&b, x + n - 8); /* an element seen twice changes nothing */
  merge(&a, &b);
  merge(&a, &c);
  reduce(&a, range);
}
