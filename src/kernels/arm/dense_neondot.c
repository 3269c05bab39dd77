/* dense_neondot.c - the integer dense products with SDOT: four products of signed bytes added to each of 4 sums,
 * exactly. Tiles of half a panel: up to 6 rows by 16 columns, whose 24 sums, four registers of weights and one of codes
 * fit the 32 registers.
 *
 * Codes of `a` become signed by taking 128 off, and the sums of the weights' rows, which the zero point needs anyway,
 * put it back. (USDOT would take them as they are, but many CPUs with SDOT lack it.) Codes of 4 bits are multiplied
 * where they stand in the high half of a byte, that is 16 times, and their sums divided at the end. */
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

#define STORE_S4(row, base, offset)                             \
  vst1q_s32(sums + (row)*HALF, vshrq_n_s32(s##row##_0, 4));     \
  vst1q_s32(sums + (row)*HALF + 4, vshrq_n_s32(s##row##_1, 4)); \
  vst1q_s32(sums + (row)*HALF + 8, vshrq_n_s32(s##row##_2, 4)); \
  vst1q_s32(sums + (row)*HALF + 12, vshrq_n_s32(s##row##_3, 4));

#define LOAD_S8                                            \
  const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16); \
  const int8x16_t w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
#define LOAD_S4                                                                            \
  const int8x16_t first = vld1q_s8(w), second = vld1q_s8(w + 16), upper = vdupq_n_s8(-16); \
  const int8x16_t w0 = vshlq_n_s8(first, 4), w1 = vshlq_n_s8(second, 4);                   \
  const int8x16_t w2 = vandq_s8(first, upper), w3 = vandq_s8(second, upper);

#define TILE(R, bits, name, load, store)                                          \
  static AQ_NEONDOT void name##R(const aq_code_tile *t) {                         \
    const size_t lda = t->lda, step = AQ_PANEL * (bits) / 2;                      \
    const int8_t *w = t->panel, *const end = w + t->k / 4 * step;                 \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (; w < end; w += step){            \
        load AQ_ROWS_##R(MULTIPLY) AQ_BASES_##R(ADVANCE)} int32_t sums[(R)*HALF]; \
    AQ_ROWS_##R(store) finish_tile(t, R, sums);                                   \
  }
#define TILE_S8(R) TILE(R, 8, s8_tile_, LOAD_S8, STORE)
#define TILE_S4(R) TILE(R, 4, s4_tile_, LOAD_S4, STORE_S4)
AQ_TILE_HEIGHTS_6(TILE_S8)
AQ_TILE_HEIGHTS_6(TILE_S4)

#define ENTRY_S8(R) s8_tile_##R,
#define ENTRY_S4(R) s4_tile_##R,
static aq_code_tile_fn *const s8_tiles[ROWS + 1] = {NULL, AQ_TILE_HEIGHTS_6(ENTRY_S8)};
static aq_code_tile_fn *const s4_tiles[ROWS + 1] = {NULL, AQ_TILE_HEIGHTS_6(ENTRY_S4)};

void aq_dense_s8_neondot(const aq_dense_s8 *d) { aq_run_code_tiles(d, 8, s8_tiles, HALF, ROWS); }
void aq_dense_s4_neondot(const aq_dense_s8 *d) { aq_run_code_tiles(d, 4, s4_tiles, HALF, ROWS); }

#endif
