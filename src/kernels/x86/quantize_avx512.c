/* quantize_avx512.c - FP32 to codes and back, 16 elements a step, the last step masked. */
#include <math.h>

#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

typedef struct grid {
  __m512 scale, zero_point, lowest, highest;
} grid;

static inline AQ_AVX512 __m128i codes_of(const grid *g, __m512 x) {
  const __m512 t = _mm512_add_ps(_mm512_div_ps(x, g->scale), g->zero_point);
  return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(t, g->lowest), g->highest)));
}

AQ_AVX512 void aq_quantize_f32_avx512(const float *x, size_t n, float scale, float zero_point, int32_t qmin,
                                      int32_t qmax, int8_t *q) {
  /* Scale 0 makes every code 0 before clamping; so does a division by infinity. */
  const grid g = {_mm512_set1_ps(scale == 0 ? INFINITY : scale), _mm512_set1_ps(scale == 0 ? 0 : zero_point),
                  _mm512_set1_ps((float)qmin), _mm512_set1_ps((float)qmax)};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    _mm_storeu_si128((__m128i *)(void *)(q + i), codes_of(&g, _mm512_loadu_ps(x + i)));
  }
  if (i < n) {
    const __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    _mm_mask_storeu_epi8(q + i, rest, codes_of(&g, _mm512_maskz_loadu_ps(rest, x + i)));
  }
}

AQ_AVX512 void aq_dequantize_s8_avx512(const int8_t *q, size_t n, float scale, float zero_point, float *x) {
  const __m512 step = _mm512_set1_ps(scale), zero = _mm512_set1_ps(zero_point);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512i codes = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(q + i)));
    _mm512_storeu_ps(x + i, _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(codes), zero), step));
  }
  if (i < n) {
    const __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    const __m512i codes = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(rest, q + i));
    _mm512_mask_storeu_ps(x + i, rest, _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(codes), zero), step));
  }
}
