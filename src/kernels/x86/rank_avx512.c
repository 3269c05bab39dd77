/* rank_avx512.c - updates of rank k, in tiles of up to 14 rows by 32 columns whose sums stay in registers. Products and
 * sums are instructions of their own: fused, they would round once where the definition rounds twice. */
#include "kernels/dispatch.h"
#include "kernels/rows.inc"
#include "kernels/x86/isa.h"

#define ROWS 14
#define COLUMNS 32

typedef struct tile {
  const float *a; /* at the last step */
  size_t a_row, a_step, k;
  const float *b; /* at the last row */
  size_t ldb;
  float *c;
  size_t ldc;
  __mmask16 in_low, in_high; /* columns that are there */
} tile;

#define POINT(base) const float *a##base = t->a + 3 * (base)*a_row;
#define BEGIN(row, base, offset)                                        \
  __m512 low##row = _mm512_maskz_loadu_ps(in_low, t->c + (row)*t->ldc); \
  __m512 high##row = _mm512_maskz_loadu_ps(in_high, t->c + (row)*t->ldc + 16);
#define UPDATE(row, base, offset)                                   \
  {                                                                 \
    const __m512 x = _mm512_set1_ps(a##base[(offset)*a_row]);       \
    low##row = _mm512_add_ps(low##row, _mm512_mul_ps(x, b_low));    \
    high##row = _mm512_add_ps(high##row, _mm512_mul_ps(x, b_high)); \
  }
#define ADVANCE(base) a##base -= a_step;
#define STORE(row, base, offset)                                \
  _mm512_mask_storeu_ps(t->c + (row)*t->ldc, in_low, low##row); \
  _mm512_mask_storeu_ps(t->c + (row)*t->ldc + 16, in_high, high##row);

#define TILE(R)                                                                                               \
  static AQ_AVX512 void tile_##R(const tile *t) {                                                             \
    const size_t a_row = t->a_row, a_step = t->a_step, ldb = t->ldb;                                          \
    const __mmask16 in_low = t->in_low, in_high = t->in_high;                                                 \
    const float *b = t->b;                                                                                    \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (size_t p = t->k; p > 0; p--, b -= ldb) {                      \
      const __m512 b_low = _mm512_maskz_loadu_ps(in_low, b), b_high = _mm512_maskz_loadu_ps(in_high, b + 16); \
      AQ_ROWS_##R(UPDATE) AQ_BASES_##R(ADVANCE)                                                               \
    }                                                                                                         \
    AQ_ROWS_##R(STORE)                                                                                        \
  }
AQ_TILE_HEIGHTS_14(TILE)

#define ENTRY(R) tile_##R,
static void (*const tiles[ROWS + 1])(const tile *) = {NULL, AQ_TILE_HEIGHTS_14(ENTRY)};

AQ_AVX512 void aq_rank_update_f32_avx512(const aq_rank_update *u) {
  if (u->k == 0) return;
  for (size_t j = 0; j < u->n; j += COLUMNS) {
    const size_t columns = AQ_MIN(u->n - j, (size_t)COLUMNS);
    const uint32_t in = columns == COLUMNS ? UINT32_MAX : (1u << columns) - 1;
    tile t = {.a = u->a + (u->k - 1) * u->a_step,
              .a_row = u->a_row,
              .a_step = u->a_step,
              .k = u->k,
              .b = u->b + (u->k - 1) * u->ldb + j,
              .ldb = u->ldb,
              .c = u->c + j,
              .ldc = u->ldc,
              .in_low = (__mmask16)in,
              .in_high = (__mmask16)(in >> 16)};
    for (size_t left = u->m; left > 0;) {
      const size_t count = (left + ROWS - 1) / ROWS, rows = (left + count - 1) / count;
      tiles[rows](&t);
      t.a += rows * u->a_row;
      t.c += rows * u->ldc;
      left -= rows;
    }
  }
}
