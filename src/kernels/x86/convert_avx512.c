/* convert_avx512.c - floating-point types to FP32 and from it, the last step masked. NaN as in ref.c; BF16 is integer
 * work, as AVX512_BF16 flushes subnormals. */
#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

static inline __mmask16 rest_mask(size_t rest) { return (__mmask16)((1u << rest) - 1); }

AQ_AVX512 void aq_f16_to_f32_avx512(const void *in, size_t n, float *out) {
  const uint8_t *const from = in;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(from + 2 * i))));
  }
  if (i < n) {
    const __mmask16 rest = rest_mask(n - i);
    _mm512_mask_storeu_ps(out + i, rest, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(rest, from + 2 * i)));
  }
}

static inline AQ_AVX512 __mmask16 is_nan(__m512i bits) {
  const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
  return _mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7f800000));
}

static inline AQ_AVX512 __m512i bf16_values(__m256i words) {
  const __m512i bits = _mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16);
  return _mm512_mask_or_epi32(bits, is_nan(bits), bits, _mm512_set1_epi32(0x400000));
}

AQ_AVX512 void aq_bf16_to_f32_avx512(const void *in, size_t n, float *out) {
  const uint8_t *const from = in;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    _mm512_storeu_si512(out + i, bf16_values(_mm256_loadu_si256((const __m256i *)(const void *)(from + 2 * i))));
  }
  if (i < n) {
    const __mmask16 rest = rest_mask(n - i);
    _mm512_mask_storeu_epi32(out + i, rest, bf16_values(_mm256_maskz_loadu_epi16(rest, from + 2 * i)));
  }
}

AQ_AVX512 void aq_f64_to_f32_avx512(const void *in, size_t n, float *out) {
  const uint8_t *const from = in;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm512_cvtpd_ps(_mm512_loadu_pd(from + 8 * i)));
  if (i < n) {
    const __mmask8 rest = (__mmask8)rest_mask(n - i);
    _mm256_mask_storeu_ps(out + i, rest, _mm512_cvtpd_ps(_mm512_maskz_loadu_pd(rest, from + 8 * i)));
  }
}

static inline AQ_AVX512 __m256i nearest_f16(__m512 x) {
  return _mm512_maskz_cvtps_ph(0xffff, x, _MM_FROUND_TO_NEAREST_INT);
}

AQ_AVX512 void aq_f32_to_f16_avx512(const float *in, size_t n, void *out) {
  uint8_t *const to = out;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i halves = nearest_f16(_mm512_loadu_ps(in + i));
    _mm256_storeu_si256((__m256i *)(void *)(to + 2 * i), halves);
  }
  if (i < n) {
    const __mmask16 rest = rest_mask(n - i);
    const __m256i halves = nearest_f16(_mm512_maskz_loadu_ps(rest, in + i));
    _mm256_mask_storeu_epi16(to + 2 * i, rest, halves);
  }
}

static inline AQ_AVX512 __m256i nearest_bf16(__m512i bits) {
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __m512i value = _mm512_mask_or_epi32(rounded, is_nan(bits), bits, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(value, 16));
}

AQ_AVX512 void aq_f32_to_bf16_avx512(const float *in, size_t n, void *out) {
  uint8_t *const to = out;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    _mm256_storeu_si256((__m256i *)(void *)(to + 2 * i), nearest_bf16(_mm512_loadu_si512(in + i)));
  }
  if (i < n) {
    const __mmask16 rest = rest_mask(n - i);
    _mm256_mask_storeu_epi16(to + 2 * i, rest, nearest_bf16(_mm512_maskz_loadu_epi32(rest, in + i)));
  }
}
