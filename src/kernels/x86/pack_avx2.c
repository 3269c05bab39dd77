/* pack_avx2.c - codes to bit streams. Neighbours are joined by multiply-add with powers of two: bytes to 16 bits, 16
 * to 32, each time twice as many bits of the stream in one piece. */
#include "core/bytes.h"
#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

/* 32 codes with the bias added and nothing above the mask. */
static inline AQ_AVX2 __m256i fields(const int8_t *q, int bias, int mask) {
  const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)q);
  return _mm256_and_si256(_mm256_add_epi8(v, _mm256_set1_epi8((char)bias)), _mm256_set1_epi8((char)mask));
}

/* 16 words of a0 | a1 << 4. */
static inline AQ_AVX2 __m256i pairs4(const int8_t *q) {
  return _mm256_maddubs_epi16(fields(q, 8, 15), _mm256_set1_epi16(0x1001));
}

/* 8 dwords of a0 | a1 << 2 | a2 << 4 | a3 << 6. */
static inline AQ_AVX2 __m256i fours2(const int8_t *q) {
  const __m256i pairs = _mm256_maddubs_epi16(fields(q, 2, 3), _mm256_set1_epi16(0x0401));
  return _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00100001));
}

AQ_AVX2 void aq_pack4_avx2(const int8_t *q, size_t n, uint8_t *out) {
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m256i bytes = _mm256_packus_epi16(pairs4(q + i), pairs4(q + i + 32));
    _mm256_storeu_si256((__m256i *)(void *)(out + i / 2), _mm256_permute4x64_epi64(bytes, 0xd8));
  }
  aq_pack4_ref(q + i, n - i, out + i / 2);
}

AQ_AVX2 void aq_pack3_avx2(const int8_t *q, size_t n, uint8_t *out) {
  /* Three bytes of each qword, to the front of the lower half and behind them from the upper half. */
  const __m256i gather = _mm256_setr_epi8(0, 1, 2, 8, 9, 10, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, /**/
                                          -1, -1, -1, -1, -1, -1, 0, 1, 2, 8, 9, 10, -1, -1, -1, -1);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m256i pairs = _mm256_maddubs_epi16(fields(q + i, 4, 7), _mm256_set1_epi16(0x0801));
    const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00400001));
    const __m256i eights = _mm256_or_si256(fours, _mm256_srli_epi64(fours, 20));
    const __m256i bytes = _mm256_shuffle_epi8(eights, gather);
    const __m128i all = _mm_or_si128(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    uint8_t *const to = out + i / 8 * 3;
    _mm_storel_epi64((__m128i *)(void *)to, all);
    aq_store_u32(to + 8, (uint32_t)_mm_extract_epi32(all, 2));
  }
  aq_pack3_ref(q + i, n - i, out + i / 8 * 3);
}

AQ_AVX2 void aq_pack2_avx2(const int8_t *q, size_t n, uint8_t *out) {
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  size_t i = 0;
  for (; i + 128 <= n; i += 128) {
    const __m256i low = _mm256_packus_epi32(fours2(q + i), fours2(q + i + 32));
    const __m256i high = _mm256_packus_epi32(fours2(q + i + 64), fours2(q + i + 96));
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
    _mm256_storeu_si256((__m256i *)(void *)(out + i / 4), bytes);
  }
  const __m256i gather = _mm256_set1_epi32(0x0c080400);
  for (; i + 32 <= n; i += 32) {
    const __m256i bytes = _mm256_shuffle_epi8(fours2(q + i), gather);
    const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
    _mm_storel_epi64((__m128i *)(void *)(out + i / 4), _mm_unpacklo_epi32(low, high));
  }
  aq_pack2_ref(q + i, n - i, out + i / 4);
}

AQ_AVX2 void aq_unpack4_avx2(const uint8_t *in, size_t n, int8_t *q) {
  const __m256i mask = _mm256_set1_epi8(15), bias = _mm256_set1_epi8(8);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m256i words = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(in + i / 2)));
    const __m256i apart = _mm256_and_si256(_mm256_or_si256(words, _mm256_slli_epi16(words, 4)), mask);
    _mm256_storeu_si256((__m256i *)(void *)(q + i), _mm256_sub_epi8(apart, bias));
  }
  aq_unpack4_ref(in + i / 2, n - i, q + i);
}

AQ_AVX2 void aq_unpack3_avx2(const uint8_t *in, size_t n, int8_t *q) {
  /* Pair k of the 32 codes is the six bits from bit 6k: the word that begins in its first byte, moved to the top by a
   * multiplication and down again. */
  const __m256i windows = _mm256_setr_epi8(0, 1, 0, 1, 1, 2, 2, 3, 3, 4, 3, 4, 4, 5, 5, 6, /**/
                                           6, 7, 6, 7, 7, 8, 8, 9, 9, 10, 9, 10, 10, 11, 11, 12);
  const __m256i to_top = _mm256_set1_epi64x(0x0100004000100400);
  const __m256i first = _mm256_set1_epi16(0x0007), second = _mm256_set1_epi16(0x0700), bias = _mm256_set1_epi8(4);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const uint8_t *const from = in + i / 8 * 3;
    const __m128i low = _mm_loadl_epi64((const __m128i *)(const void *)from);
    const __m128i bytes = _mm_insert_epi32(low, (int)aq_load_u32(from + 8), 2);
    const __m256i words = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), windows);
    const __m256i pairs = _mm256_srli_epi16(_mm256_mullo_epi16(words, to_top), 10);
    const __m256i apart =
        _mm256_or_si256(_mm256_and_si256(pairs, first), _mm256_and_si256(_mm256_slli_epi16(pairs, 5), second));
    _mm256_storeu_si256((__m256i *)(void *)(q + i), _mm256_sub_epi8(apart, bias));
  }
  aq_unpack3_ref(in + i / 8 * 3, n - i, q + i);
}

AQ_AVX2 void aq_unpack2_avx2(const uint8_t *in, size_t n, int8_t *q) {
  const __m256i twos = _mm256_set1_epi32(0x000f000f), mask = _mm256_set1_epi8(3), bias = _mm256_set1_epi8(2);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m256i dwords = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(in + i / 4)));
    const __m256i words = _mm256_and_si256(_mm256_or_si256(dwords, _mm256_slli_epi32(dwords, 12)), twos);
    const __m256i apart = _mm256_and_si256(_mm256_or_si256(words, _mm256_slli_epi32(words, 6)), mask);
    _mm256_storeu_si256((__m256i *)(void *)(q + i), _mm256_sub_epi8(apart, bias));
  }
  aq_unpack2_ref(in + i / 4, n - i, q + i);
}
