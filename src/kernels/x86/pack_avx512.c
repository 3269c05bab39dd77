/* pack_avx512.c - codes to bit streams and back, as pack_avx2.c does it, 64 codes a step; the narrowing and widening
 * moves keep the order over the whole register. */
#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

/* 64 codes with the bias added and nothing above the mask. */
static inline AQ_AVX512 __m512i fields(const int8_t *q, int bias, int mask) {
  const __m512i v = _mm512_loadu_si512(q);
  return _mm512_and_si512(_mm512_add_epi8(v, _mm512_set1_epi8((char)bias)), _mm512_set1_epi8((char)mask));
}

AQ_AVX512 void aq_pack4_avx512(const int8_t *q, size_t n, uint8_t *out) {
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m512i pairs = _mm512_maddubs_epi16(fields(q + i, 8, 15), _mm512_set1_epi16(0x1001));
    _mm256_storeu_si256((__m256i *)(void *)(out + i / 2), _mm512_cvtepi16_epi8(pairs));
  }
  aq_pack4_ref(q + i, n - i, out + i / 2);
}

AQ_AVX512 void aq_pack3_avx512(const int8_t *q, size_t n, uint8_t *out) {
  /* Three bytes of each qword to the front of each 128 bits, then the three words of each of those to the front. */
  const __m512i gather_bytes =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 8, 9, 10, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
  const __m512i gather_words =
      _mm512_set_epi64(0, 0, 0, 0, 0, 0x001a001900180012, 0x00110010000a0009, 0x0008000200010000);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m512i pairs = _mm512_maddubs_epi16(fields(q + i, 4, 7), _mm512_set1_epi16(0x0801));
    const __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00400001));
    const __m512i eights = _mm512_or_si512(fours, _mm512_srli_epi64(fours, 20));
    const __m512i all = _mm512_permutexvar_epi16(gather_words, _mm512_shuffle_epi8(eights, gather_bytes));
    uint8_t *const to = out + i / 8 * 3;
    _mm_storeu_si128((__m128i *)(void *)to, _mm512_castsi512_si128(all));
    _mm_storel_epi64((__m128i *)(void *)(to + 16), _mm512_extracti32x4_epi32(all, 1));
  }
  aq_pack3_ref(q + i, n - i, out + i / 8 * 3);
}

AQ_AVX512 void aq_pack2_avx512(const int8_t *q, size_t n, uint8_t *out) {
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m512i pairs = _mm512_maddubs_epi16(fields(q + i, 2, 3), _mm512_set1_epi16(0x0401));
    const __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00100001));
    _mm_storeu_si128((__m128i *)(void *)(out + i / 4), _mm512_cvtepi32_epi8(fours));
  }
  aq_pack2_ref(q + i, n - i, out + i / 4);
}

AQ_AVX512 void aq_unpack4_avx512(const uint8_t *in, size_t n, int8_t *q) {
  const __m512i mask = _mm512_set1_epi8(15), bias = _mm512_set1_epi8(8);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m512i words = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(in + i / 2)));
    const __m512i apart = _mm512_and_si512(_mm512_or_si512(words, _mm512_slli_epi16(words, 4)), mask);
    _mm512_storeu_si512(q + i, _mm512_sub_epi8(apart, bias));
  }
  aq_unpack4_ref(in + i / 2, n - i, q + i);
}

AQ_AVX512 void aq_unpack3_avx512(const uint8_t *in, size_t n, int8_t *q) {
  /* Six bytes are 16 codes: three words to each 128 bits, pair k of them being the six bits from bit 6k. */
  const __m512i words_to = _mm512_set_epi16(0, 0, 0, 0, 0, 11, 10, 9, 0, 0, 0, 0, 0, 8, 7, 6, /**/
                                            0, 0, 0, 0, 0, 5, 4, 3, 0, 0, 0, 0, 0, 2, 1, 0);
  const __m512i windows = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 0, 1, 1, 2, 2, 3, 3, 4, 3, 4, 4, 5, 5, -1));
  const __m512i shifts = _mm512_set1_epi64(0x0002000400060000);
  const __m512i first = _mm512_set1_epi16(0x0007), second = _mm512_set1_epi16(0x0700), bias = _mm512_set1_epi8(4);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m512i bytes = _mm512_maskz_loadu_epi64(7, in + i / 8 * 3);
    const __m512i words = _mm512_shuffle_epi8(_mm512_permutexvar_epi16(words_to, bytes), windows);
    const __m512i pairs = _mm512_srlv_epi16(words, shifts);
    const __m512i apart =
        _mm512_or_si512(_mm512_and_si512(pairs, first), _mm512_and_si512(_mm512_slli_epi16(pairs, 5), second));
    _mm512_storeu_si512(q + i, _mm512_sub_epi8(apart, bias));
  }
  aq_unpack3_ref(in + i / 8 * 3, n - i, q + i);
}

AQ_AVX512 void aq_unpack2_avx512(const uint8_t *in, size_t n, int8_t *q) {
  const __m512i twos = _mm512_set1_epi32(0x000f000f), mask = _mm512_set1_epi8(3), bias = _mm512_set1_epi8(2);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m512i dwords = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(in + i / 4)));
    const __m512i words = _mm512_and_si512(_mm512_or_si512(dwords, _mm512_slli_epi32(dwords, 12)), twos);
    const __m512i apart = _mm512_and_si512(_mm512_or_si512(words, _mm512_slli_epi32(words, 6)), mask);
    _mm512_storeu_si512(q + i, _mm512_sub_epi8(apart, bias));
  }
  aq_unpack2_ref(in + i / 4, n - i, q + i);
}
