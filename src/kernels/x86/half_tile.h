/* half_tile.h - what the dense products with 16 registers of 256 bits share: tiles of half a panel. */
#ifndef AQ_KERNELS_X86_HALF_TILE_H
#define AQ_KERNELS_X86_HALF_TILE_H

#include <string.h>

#include "kernels/code_tile.h"
#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

#define HALF 16

/* Columns [0, count) of 16. */
static inline AQ_AVX2 void store_row(float *c, size_t count, __m256 low, __m256 high) {
  float row[HALF];
  if (count == HALF) {
    _mm256_storeu_ps(c, low);
    _mm256_storeu_ps(c + 8, high);
    return;
  }
  _mm256_storeu_ps(row, low);
  _mm256_storeu_ps(row + 8, high);
  memcpy(c, row, count * sizeof *c);
}

/* Eight results of one row, from column `at` of the half. */
static inline AQ_AVX2 __m256 finish(const aq_code_tile *t, size_t row, size_t at, __m256i sum) {
  const __m256i sums = _mm256_loadu_si256((const __m256i *)(t->sums + at));
  const __m256i zero = _mm256_mullo_epi32(_mm256_set1_epi32(t->a_zeros[row]), sums);
  const __m256 exact = _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, zero));
  const __m256 scale = _mm256_mul_ps(_mm256_set1_ps(t->a_scales[row]), _mm256_loadu_ps(t->scales + at));
  return _mm256_add_ps(_mm256_mul_ps(exact, scale), _mm256_loadu_ps(t->bias + at));
}

#endif
