/* convert_avx2.c - floating-point types to FP32 and from it. F16C treats NaN as ref.c does; BF16 is integer work, as
 * the instruction for it flushes subnormals. */
#include "core/bytes.h"
#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

AQ_AVX2 void aq_f16_to_f32_avx2(const void *in, size_t n, float *out) {
  const uint8_t *const from = in;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(from + 2 * i))));
  }
  aq_f16_to_f32_ref(from + 2 * i, n - i, out + i);
}

/* All ones where the FP32 with these bits is a NaN. */
static inline AQ_AVX2 __m256i is_nan(__m256i bits) {
  const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
  return _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
}

AQ_AVX2 void aq_bf16_to_f32_avx2(const void *in, size_t n, float *out) {
  const __m256i quiet = _mm256_set1_epi32(0x400000);
  const uint8_t *const from = in;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i words = _mm_loadu_si128((const __m128i *)(const void *)(from + 2 * i));
    const __m256i bits = _mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16);
    const __m256i value = _mm256_or_si256(bits, _mm256_and_si256(is_nan(bits), quiet));
    _mm256_storeu_si256((__m256i *)(void *)(out + i), value);
  }
  aq_bf16_to_f32_ref(from + 2 * i, n - i, out + i);
}

AQ_AVX2 void aq_f64_to_f32_avx2(const void *in, size_t n, float *out) {
  const uint8_t *const from = in;
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256i bits = _mm256_loadu_si256((const __m256i *)(const void *)(from + 8 * i));
    _mm_storeu_ps(out + i, _mm256_cvtpd_ps(_mm256_castsi256_pd(bits)));
  }
  aq_f64_to_f32_ref(from + 8 * i, n - i, out + i);
}

AQ_AVX2 void aq_f32_to_f16_avx2(const float *in, size_t n, void *out) {
  uint8_t *const to = out;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128((__m128i *)(void *)(to + 2 * i), halves);
  }
  aq_f32_to_f16_ref(in + i, n - i, to + 2 * i);
}

/* 8 dwords, the BF16 in the low half of each. */
static inline AQ_AVX2 __m256i nearest_bf16(const float *x) {
  const __m256i bits = _mm256_loadu_si256((const __m256i *)(const void *)x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan(bits)), 16);
}

AQ_AVX2 void aq_f32_to_bf16_avx2(const float *in, size_t n, void *out) {
  uint8_t *const to = out;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i words = _mm256_packus_epi32(nearest_bf16(in + i), nearest_bf16(in + i + 8));
    _mm256_storeu_si256((__m256i *)(void *)(to + 2 * i), _mm256_permute4x64_epi64(words, 0xd8));
  }
  aq_f32_to_bf16_ref(in + i, n - i, to + 2 * i);
}
