/* rank_neon.c - updates of rank k, in tiles of up to 6 rows by 16 columns whose sums stay in registers. Products and
 * sums are instructions of their own: fused, they would round once where the definition rounds twice. */
#include <arm_neon.h>

#include "core/compiler.h"
#include "kernels/dispatch.h"
#include "kernels/rows.inc"

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
  float32x4_t s##row##_0 = vld1q_f32(from##row + 0);  \
  float32x4_t s##row##_1 = vld1q_f32(from##row + 4);  \
  float32x4_t s##row##_2 = vld1q_f32(from##row + 8);  \
  float32x4_t s##row##_3 = vld1q_f32(from##row + 12);
#define UPDATE(row, base, offset)                                  \
  {                                                                \
    const float32x4_t x = vld1q_dup_f32(a##base + (offset)*a_row); \
    s##row##_0 = vaddq_f32(s##row##_0, vmulq_f32(x, b0));          \
    s##row##_1 = vaddq_f32(s##row##_1, vmulq_f32(x, b1));          \
    s##row##_2 = vaddq_f32(s##row##_2, vmulq_f32(x, b2));          \
    s##row##_3 = vaddq_f32(s##row##_3, vmulq_f32(x, b3));          \
  }
#define ADVANCE(base) a##base -= a_step;
#define STORE(row, base, offset)                  \
  vst1q_f32(t->c + (row)*t->ldc + 0, s##row##_0); \
  vst1q_f32(t->c + (row)*t->ldc + 4, s##row##_1); \
  vst1q_f32(t->c + (row)*t->ldc + 8, s##row##_2); \
  vst1q_f32(t->c + (row)*t->ldc + 12, s##row##_3);

#define TILE(R)                                                                          \
  static void tile_##R(const tile *t) {                                                  \
    const size_t a_row = t->a_row, a_step = t->a_step, ldb = t->ldb;                     \
    const float *b = t->b;                                                               \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (size_t p = t->k; p > 0; p--, b -= ldb) { \
      const float32x4_t b0 = vld1q_f32(b + 0);                                           \
      const float32x4_t b1 = vld1q_f32(b + 4);                                           \
      const float32x4_t b2 = vld1q_f32(b + 8);                                           \
      const float32x4_t b3 = vld1q_f32(b + 12);                                          \
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

void aq_rank_update_f32_neon(const aq_rank_update *u) {
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
