/* quantize_avx2.c - FP32 to codes and back. A reciprocal instead of the division would move values that lie on a
 * rounding boundary. */
#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

typedef struct grid {
  __m256 scale, zero_point, lowest, highest;
} grid;

static inline AQ_AVX2 __m256i codes_of(const grid *g, const float *x) {
  const __m256 t = _mm256_add_ps(_mm256_div_ps(_mm256_loadu_ps(x), g->scale), g->zero_point);
  return _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(t, g->lowest), g->highest));
}

AQ_AVX2 void aq_quantize_f32_avx2(const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax,
                                  int8_t *q) {
  if (scale == 0) {
    aq_quantize_f32_ref(x, n, scale, zero_point, qmin, qmax, q);
    return;
  }
  const grid g = {_mm256_set1_ps(scale), _mm256_set1_ps(zero_point), _mm256_set1_ps((float)qmin),
                  _mm256_set1_ps((float)qmax)};
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); /* the packs work within 128 bits */
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m256i low = _mm256_packs_epi32(codes_of(&g, x + i), codes_of(&g, x + i + 8));
    const __m256i high = _mm256_packs_epi32(codes_of(&g, x + i + 16), codes_of(&g, x + i + 24));
    const __m256i all = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256((__m256i *)(void *)(q + i), all);
  }
  for (; i + 8 <= n; i += 8) {
    const __m256i codes = codes_of(&g, x + i);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1));
    _mm_storel_epi64((__m128i *)(void *)(q + i), _mm_packs_epi16(words, words));
  }
  aq_quantize_f32_ref(x + i, n - i, scale, zero_point, qmin, qmax, q + i);
}

AQ_AVX2 void aq_dequantize_s8_avx2(const int8_t *q, size_t n, float scale, float zero_point, float *x) {
  const __m256 step = _mm256_set1_ps(scale), zero = _mm256_set1_ps(zero_point);
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i codes = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(q + i)));
    _mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_sub_ps(_mm256_cvtepi32_ps(codes), zero), step));
  }
  aq_dequantize_s8_ref(q + i, n - i, scale, zero_point, x + i);
}
