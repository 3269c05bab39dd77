/* rank_avx2.c - updates of rank k, in tiles of up to 6 rows by 16 columns whose sums stay in registers. Products and
 * sums are instructions of their own: fused, they would round once where the definition rounds twice. */
#include "kernels/dispatch.h"
#include "kernels/rows.inc"
#include "kernels/x86/isa.h"

#define ROWS 6
#define COLUMNS 16

typedef struct tile {
  const float *a; /* at the last step */
  size_t a_row, a_step, k;
  const float *b; /* at the last row */
  size_t ldb;
  float *c;
  size_t ldc;
} tile;

#define POINT(base) const float *a##base = t->a + 3 * (base)*a_row;
#define BEGIN(row, base, offset)                      \
  const float *const from##row = t->c + (row)*t->ldc; \
  __m256 s##row##_0 = _mm256_loadu_ps(from##row + 0); \
  __m256 s##row##_1 = _mm256_loadu_ps(from##row + 8);
#define UPDATE(row, base, offset)                                 \
  {                                                               \
    const __m256 x = _mm256_set1_ps(a##base[(offset)*a_row]);     \
    s##row##_0 = _mm256_add_ps(s##row##_0, _mm256_mul_ps(x, b0)); \
    s##row##_1 = _mm256_add_ps(s##row##_1, _mm256_mul_ps(x, b1)); \
  }
#define ADVANCE(base) a##base -= a_step;
#define STORE(row, base, offset)                         \
  _mm256_storeu_ps(t->c + (row)*t->ldc + 0, s##row##_0); \
  _mm256_storeu_ps(t->c + (row)*t->ldc + 8, s##row##_1);

#define TILE(R)                                                                          \
  static AQ_AVX2 void tile_##R(const tile *t) {                                          \
    const size_t a_row = t->a_row, a_step = t->a_step, ldb = t->ldb;                     \
    const float *b = t->b;                                                               \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (size_t p = t->k; p > 0; p--, b -= ldb) { \
      const __m256 b0 = _mm256_loadu_ps(b + 0);                                          \
      const __m256 b1 = _mm256_loadu_ps(b + 8);                                          \
      AQ_ROWS_##R(UPDATE) AQ_BASES_##R(ADVANCE)                                          \
    }                                                                                    \
    AQ_ROWS_##R(STORE)                                                                   \
  }
AQ_TILE_HEIGHTS_6(TILE)

#define ENTRY(R) tile_##R,
static void (*const tiles[ROWS + 1])(const tile *) = {NULL, AQ_TILE_HEIGHTS_6(ENTRY)};

/* The last columns, fewer than a tile has. */
static void update_rest(const aq_rank_update *u, size_t j) {
  aq_rank_update rest = *u;
  rest.n = u->n - j;
  rest.b += j;
  rest.c += j;
  aq_rank_update_f32_ref(&rest);
}

AQ_AVX2 void aq_rank_update_f32_avx2(const aq_rank_update *u) {
  size_t j = 0;
  if (u->k == 0) return;
  for (; j + COLUMNS <= u->n; j += COLUMNS) {
    tile t = {.a = u->a + (u->k - 1) * u->a_step,
              .a_row = u->a_row,
              .a_step = u->a_step,
              .k = u->k,
              .b = u->b + (u->k - 1) * u->ldb + j,
              .ldb = u->ldb,
              .c = u->c + j,
              .ldc = u->ldc};
    for (size_t left = u->m; left > 0;) {
      const size_t count = (left + ROWS - 1) / ROWS, rows = (left + count - 1) / count;
      tiles[rows](&t);
      t.a += rows * u->a_row;
      t.c += rows * u->ldc;
      left -= rows;
    }
  }
  if (j < u->n) update_rest(u, j);
}
