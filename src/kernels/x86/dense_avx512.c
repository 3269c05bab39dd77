/* dense_avx512.c - the dense product in tiles of up to 14 rows by one panel: 28 sums, two registers of weights and one
 * element of `a` make 31 of the 32 registers, and each element loaded serves two products of 16.
 *
 * The tiles of a panel follow each other, so that the panel (k * 128 bytes) stays near; the caller keeps m * k small
 * enough for the second-level cache. Rows are shared out evenly over the tiles: 15 rows are 8 and 7, not 14 and 1. */
#include "kernels/dispatch.h"
#include "kernels/rows.inc"
#include "kernels/x86/isa.h"

#define ROWS 14

typedef struct tile {
  const float *a;
  size_t lda, k;
  const float *panel;
  const float *bias; /* of the panel, or NULL */
  float *c;
  size_t ldc, columns; /* 1..AQ_PANEL */
} tile;

static inline AQ_AVX512 void store_row(float *c, size_t columns, __m512 low, __m512 high) {
  if (columns == AQ_PANEL) {
    _mm512_storeu_ps(c, low);
    _mm512_storeu_ps(c + 16, high);
  } else {
    const uint32_t mask = (1u << columns) - 1;
    _mm512_mask_storeu_ps(c, (__mmask16)mask, low);
    _mm512_mask_storeu_ps(c + 16, (__mmask16)(mask >> 16), high);
  }
}

#define POINT(base) const float *a##base = t->a + 3 * (base)*lda;
#define BEGIN(row, base, offset) __m512 low##row = first, high##row = second;
#define MULTIPLY(row, base, offset)                         \
  {                                                         \
    const __m512 x = _mm512_set1_ps(a##base[(offset)*lda]); \
    low##row = _mm512_fmadd_ps(x, w_low, low##row);         \
    high##row = _mm512_fmadd_ps(x, w_high, high##row);      \
  }
#define ADVANCE(base) a##base++;
#define STORE(row, base, offset) store_row(t->c + (row)*t->ldc, t->columns, low##row, high##row);

#define TILE(R)                                                                            \
  static AQ_AVX512 void tile_##R(const tile *t) {                                          \
    const size_t lda = t->lda;                                                             \
    const float *w = t->panel, *const end = w + t->k * AQ_PANEL;                           \
    const __m512 first = t->bias != NULL ? _mm512_loadu_ps(t->bias) : _mm512_setzero_ps(); \
    const __m512 second = t->bias != NULL ? _mm512_loadu_ps(t->bias + 16) : first;         \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (; w < end; w += AQ_PANEL) {                \
      const __m512 w_low = _mm512_loadu_ps(w), w_high = _mm512_loadu_ps(w + 16);           \
      AQ_ROWS_##R(MULTIPLY) AQ_BASES_##R(ADVANCE)                                          \
    }                                                                                      \
    AQ_ROWS_##R(STORE)                                                                     \
  }
AQ_TILE_HEIGHTS_14(TILE)

#define ENTRY(R) tile_##R,
static void (*const tiles[ROWS + 1])(const tile *) = {NULL, AQ_TILE_HEIGHTS_14(ENTRY)};

AQ_AVX512 void aq_dense_f32_avx512(const aq_dense_f32 *d) {
  for (size_t j = 0; j < d->n; j += AQ_PANEL) {
    tile t = {.a = d->a,
              .lda = d->lda,
              .k = d->k,
              .panel = d->panels + j * d->k,
              .bias = d->bias != NULL ? d->bias + j : NULL,
              .c = d->c + j,
              .ldc = d->ldc,
              .columns = AQ_MIN(d->n - j, (size_t)AQ_PANEL)};
    for (size_t left = d->m; left > 0;) {
      const size_t count = (left + ROWS - 1) / ROWS, rows = (left + count - 1) / count;
      tiles[rows](&t);
      t.a += rows * d->lda;
      t.c += rows * d->ldc;
      left -= rows;
    }
  }
}
