/* dense_neondot.c - the integer dense product with SDOT: four products of signed bytes added to each of 4 sums,
 * exactly. Tiles of half a panel: up to 6 rows by 16 columns, whose 24 sums, four registers of weights and one of codes
 * fit the 32 registers.
 *
 * Codes of `a` become signed by taking 128 off, and the sums of the weights' rows, which the zero point needs anyway,
 * put it back. (USDOT would take them as they are, but many CPUs with SDOT lack it.) */
#include <string.h>

#include "kernels/arm/isa.h"
#include "kernels/code_tile.h"
#include "kernels/rows.inc"

#if AQ_HAS_DOTPROD

#define HALF 16
#define ROWS 6

/* Four codes less 128, four times. */
static inline AQ_NEONDOT int8x16_t four_of(const uint8_t *a) {
  uint32_t bytes;
  memcpy(&bytes, a, sizeof bytes);
  return vreinterpretq_s8_u32(vdupq_n_u32(bytes ^ 0x80808080u));
}

/* Four results of one row, from column `at` of the half. */
static inline AQ_NEONDOT float32x4_t finish(const aq_code_tile *t, size_t row, size_t at, int32x4_t sum) {
  const int32x4_t zero = vmulq_n_s32(vld1q_s32(t->sums + at), t->a_zeros[row] - 128);
  const float32x4_t scale = vmulq_n_f32(vld1q_f32(t->scales + at), t->a_scales[row]);
  return vaddq_f32(vmulq_f32(vcvtq_f32_s32(vsubq_s32(sum, zero)), scale), vld1q_f32(t->bias + at));
}

static AQ_NEONDOT void finish_tile(const aq_code_tile *t, size_t rows, const int32_t *sums) {
  for (size_t row = 0; row < rows; row++, sums += HALF) {
    float results[HALF];
    for (size_t at = 0; at < HALF; at += 4) vst1q_f32(results + at, finish(t, row, at, vld1q_s32(sums + at)));
    memcpy(t->c + row * t->ldc, results, t->columns * sizeof *results);
  }
}

#define POINT(base) const uint8_t *a##base = t->a + 3 * (base)*lda;
#define BEGIN(row, base, offset) \
  int32x4_t s##row##_0 = vdupq_n_s32(0), s##row##_1 = s##row##_0, s##row##_2 = s##row##_0, s##row##_3 = s##row##_0;
#define MULTIPLY(row, base, offset)                      \
  {                                                      \
    const int8x16_t x = four_of(a##base + (offset)*lda); \
    s##row##_0 = vdotq_s32(s##row##_0, w0, x);           \
    s##row##_1 = vdotq_s32(s##row##_1, w1, x);           \
    s##row##_2 = vdotq_s32(s##row##_2, w2, x);           \
    s##row##_3 = vdotq_s32(s##row##_3, w3, x);           \
  }
#define ADVANCE(base) a##base += 4;
/* Through memory: arithmetic here could make the compiler spill sums in the loop. */
#define STORE(row, base, offset)                \
  vst1q_s32(sums + (row)*HALF, s##row##_0);     \
  vst1q_s32(sums + (row)*HALF + 4, s##row##_1); \
  vst1q_s32(sums + (row)*HALF + 8, s##row##_2); \
  vst1q_s32(sums + (row)*HALF + 12, s##row##_3);

#define TILE(R)                                                                         \
  static AQ_NEONDOT void tile_##R(const aq_code_tile *t) {                              \
    const size_t lda = t->lda;                                                          \
    const int8_t *w = t->panel, *const end = w + t->k * AQ_PANEL;                       \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (; w < end; w += (size_t)4 * AQ_PANEL) { \
      const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16);                          \
      const int8x16_t w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);                     \
      AQ_ROWS_##R(MULTIPLY) AQ_BASES_##R(ADVANCE)                                       \
    }                                                                                   \
    int32_t sums[(R)*HALF];                                                             \
    AQ_ROWS_##R(STORE) finish_tile(t, R, sums);                                         \
  }
AQ_TILE_HEIGHTS_6(TILE)

#define ENTRY(R) tile_##R,
static aq_code_tile_fn *const tiles[ROWS + 1] = {NULL, AQ_TILE_HEIGHTS_6(ENTRY)};

void aq_dense_s8_neondot(const aq_dense_s8 *d) { aq_run_code_tiles(d, tiles, HALF, ROWS); }

#endif
