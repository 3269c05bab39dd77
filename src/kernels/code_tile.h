/* code_tile.h - what the integer dense products share: how a product is cut into tiles. */
#ifndef AQ_KERNELS_CODE_TILE_H
#define AQ_KERNELS_CODE_TILE_H

#include "kernels/dispatch.h"

/* Some rows of `a` by a panel's columns, or half of them. */
typedef struct aq_code_tile {
  const uint8_t *a;
  size_t lda, k;
  const float *a_scales;
  const int32_t *a_zeros;
  const int8_t *panel;        /* from the tile's first column; of codes of 4 bits, two a byte */
  const float *scales, *bias; /* of the tile's columns */
  const int32_t *sums;
  float *c;
  size_t ldc, columns; /* 1..width */
} aq_code_tile;

typedef void aq_code_tile_fn(const aq_code_tile *tile);

/* All of d, whose codes have `bits`, in tiles of `width` columns, half a panel or a whole one, and of up to `height`
 * rows, about equal; tiles[R] does one of R rows. */
static inline void aq_run_code_tiles(const aq_dense_s8 *d, size_t bits, aq_code_tile_fn *const *tiles, size_t width,
                                     size_t height) {
  const size_t k = (d->k + 3) / 4 * 4;
  for (size_t j = 0; j < d->n; j += width) {
    aq_code_tile t = {.lda = d->lda,
                      .k = k,
                      .panel = d->panels + (j / AQ_PANEL * AQ_PANEL * k + j % AQ_PANEL * 4) * bits / 8,
                      .scales = d->scales + j,
                      .bias = d->bias + j,
                      .sums = d->sums + j,
                      .ldc = d->ldc,
                      .columns = AQ_MIN(d->n - j, width)};
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
