/* crc32.c - CRC-32 by carry-less multiplication where the processor has it, else zlib's.
 *
 * A CRC is the remainder of a polynomial over GF(2) divided by P. Multiplying 128 bits by x^n mod P moves them n bits
 * ahead without changing the remainder, so long inputs are folded: four registers of 128 bits run 512 bits ahead at a
 * time, then are folded into one, and that is reduced to 32 bits by Barrett's method. See V. Gopal et al., "Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009. The constants are x^n mod P for the n
 * named, with bits reversed and shifted left by one, as the reflected form needs. About ten times as fast as tables. */
#include "core/crc32.h"

#include <zlib.h>

#include "core/compiler.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define X_544_480 _mm_set_epi64x(0x1c6e41596, 0x154442bd4) /* 512 bits ahead: n = 512 + 32 and 512 - 32 */
#define X_160_96 _mm_set_epi64x(0x0ccaa009e, 0x1751997d0)  /* 128 bits ahead */
#define X_64 _mm_set_epi64x(0, 0x163cd6124)
#define P_AND_QUOTIENT _mm_set_epi64x(0x1f7011641, 0x1db710641) /* P, and x^64 div P */

#define PCLMUL AQ_TARGET("pclmul,sse4.1")

PCLMUL static inline __m128i load(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }

/* What `x` is `ahead` bits later, with the bytes that are there. */
PCLMUL static inline __m128i fold(__m128i x, __m128i ahead, __m128i bytes) {
  const __m128i low = _mm_clmulepi64_si128(x, ahead, 0x00), high = _mm_clmulepi64_si128(x, ahead, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), bytes);
}

/* 128 bits to the remainder. */
PCLMUL static inline uint32_t reduce(__m128i x) {
  const __m128i low_words = _mm_setr_epi32(-1, 0, -1, 0);
  x = _mm_xor_si128(_mm_srli_si128(x, 8), _mm_clmulepi64_si128(x, X_160_96, 0x10));
  x = _mm_xor_si128(_mm_srli_si128(x, 4), _mm_clmulepi64_si128(_mm_and_si128(x, low_words), X_64, 0x00));
  __m128i t = _mm_clmulepi64_si128(_mm_and_si128(x, low_words), P_AND_QUOTIENT, 0x10);
  t = _mm_clmulepi64_si128(_mm_and_si128(t, low_words), P_AND_QUOTIENT, 0x00);
  return (uint32_t)_mm_extract_epi32(_mm_xor_si128(x, t), 1);
}

/* size: a multiple of 16, at least 64. crc is the register, not inverted. */
PCLMUL static uint32_t crc32_folded(uint32_t crc, const uint8_t *p, size_t size) {
  __m128i x[4];
  for (int i = 0; i < 4; i++) x[i] = load(p + 16 * i);
  x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)crc));
  for (p += 64, size -= 64; size >= 64; p += 64, size -= 64) {
    for (int i = 0; i < 4; i++) x[i] = fold(x[i], X_544_480, load(p + 16 * i));
  }
  __m128i sum = x[0];
  for (int i = 1; i < 4; i++) sum = fold(sum, X_160_96, x[i]);
  for (; size >= 16; p += 16, size -= 16) sum = fold(sum, X_160_96, load(p));
  return reduce(sum);
}

uint32_t aq_crc32(uint32_t crc, const void *bytes, size_t size) {
  const uint8_t *p = bytes;
  const size_t folded = size & ~(size_t)15;
  if (folded >= 64 && AQ_CPU_HAS("pclmul") && AQ_CPU_HAS("sse4.1")) {
    crc = ~crc32_folded(~crc, p, folded);
    p += folded;
    size -= folded;
  }
  return size > 0 ? (uint32_t)crc32_z(crc, p, size) : crc;
}

#else

uint32_t aq_crc32(uint32_t crc, const void *bytes, size_t size) {
  return size > 0 ? (uint32_t)crc32_z(crc, bytes, size) : crc;
}

#endif

uint32_t aq_crc32_combine(uint32_t first, uint32_t second, uint64_t second_size) {
  return (uint32_t)crc32_combine(first, second, (z_off_t)second_size);
}
