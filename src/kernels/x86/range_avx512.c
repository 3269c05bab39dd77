/* range_avx512.c - smallest, largest and largest magnitude, 64 elements a step. */
#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

typedef struct bounds {
  __m512 min, max;
  __m512i magnitude;
} bounds;

static inline AQ_AVX512 void widen(bounds *b, __m512 v) {
  b->min = _mm512_min_ps(v, b->min);
  b->max = _mm512_max_ps(v, b->max);
  b->magnitude =
      _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0x7fffffff)), b->magnitude);
}

static inline AQ_AVX512 void merge(bounds *b, const bounds *other) {
  b->min = _mm512_min_ps(b->min, other->min);
  b->max = _mm512_max_ps(b->max, other->max);
  b->magnitude = _mm512_max_epu32(b->magnitude, other->magnitude);
}

AQ_AVX512 void aq_range_f32_avx512(const float *x, size_t n, aq_range *range) {
  if (n == 0) return;
  bounds a = {_mm512_set1_ps(range->min), _mm512_set1_ps(range->max), _mm512_set1_epi32((int)range->max_abs_bits)};
  bounds b = a, c = a, d = a;
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    widen(&a, _mm512_loadu_ps(x + i));
    widen(&b, _mm512_loadu_ps(x + i + 16));
    widen(&c, _mm512_loadu_ps(x + i + 32));
    widen(&d, _mm512_loadu_ps(x + i + 48));
  }
  for (; i + 16 <= n; i += 16) widen(&a, _mm512_loadu_ps(x + i));
  if (i < n) { /* the lanes past the end repeat the last element */
    const __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    widen(&b, _mm512_mask_loadu_ps(_mm512_set1_ps(x[n - 1]), rest, x + i));
  }
  merge(&a, &b);
  merge(&c, &d);
  merge(&a, &c);
  range->min = _mm512_reduce_min_ps(a.min);
  range->max = _mm512_reduce_max_ps(a.max);
  range->max_abs_bits = _mm512_reduce_max_epu32(a.magnitude);
}
