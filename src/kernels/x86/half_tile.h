/* half_tile.h - what the dense products with 16 registers of 256 bits share: tiles of half a panel. */
#ifndef AQ_KERNELS_X86_HALF_TILE_H
#define AQ_KERNELS_X86_HALF_TILE_H

#include <string.h>

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

typedef struct code_tile {
  const uint8_t *a;
  size_t lda, k;
  const float *a_scales;
  const int32_t *a_zeros;
  const int8_t *panel;        /* from the half's first column */
  const float *scales, *bias; /* of the half */
  const int32_t *sums;
  float *c;
  size_t ldc, columns; /* 1..HALF */
} code_tile;

/* Eight results of one row, from column `at` of the half. */
static inline AQ_AVX2 __m256 finish(const code_tile *t, size_t row, size_t at, __m256i sum) {
  const __m256i sums = _mm256_loadu_si256((const __m256i *)(t->sums + at));
  const __m256i zero = _mm256_mullo_epi32(_mm256_set1_epi32(t->a_zeros[row]), sums);
  const __m256 exact = _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, zero));
  const __m256 scale = _mm256_mul_ps(_mm256_set1_ps(t->a_scales[row]), _mm256_loadu_ps(t->scales + at));
  return _mm256_add_ps(_mm256_mul_ps(exact, scale), _mm256_loadu_ps(t->bias + at));
}

/* All of d, in tiles of up to `height` rows, about equal; tiles[R] does one of R rows. */
static inline void run_code_tiles(const aq_dense_s8 *d, void (*const *tiles)(const code_tile *), size_t height) {
  const size_t k = (d->k + 3) / 4 * 4;
  for (size_t j = 0; j < d->n; j += HALF) {
    code_tile t = {.lda = d->lda,
                   .k = k,
                   .panel = d->panels + j / AQ_PANEL * AQ_PANEL * k + j % AQ_PANEL * 4,
                   .scales = d->scales + j,
                   .bias = d->bias + j,
                   .sums = d->sums + j,
                   .ldc = d->ldc,
                   .columns = AQ_MIN(d->n - j, (size_t)HALF)};
    for (size_t i = 0; i < d->m;) {
      const size_t left = d->m - i, count = (left + height - 1) / height, rows = (left + count - 1) / count;
      t.a = d->a + i * d->lda;
      t.a_scales = d->a_scales + i;
      t.a_zeros = d->a_zeros + i;
      t.c = d->c + i * d->ldc + j;
      tiles[rows](&t);
      i += rows;
    }
  }
}

#endif
