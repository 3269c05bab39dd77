/* dense_neon.c - the dense products in tiles of half a panel: FP32 in tiles of up to 6 rows by 16 columns, whose 24
 * sums, four registers of weights and one element of `a` fit the 32 registers; codes row by row.
 *
 * Codes of `a` become signed by taking 128 off, so that SMULL multiplies them; the sums of the weights' rows, which
 * the zero point needs anyway, put it back. Products of two stay below 2^15, and SADALP adds pairs in 32 bits. */
#include <arm_neon.h>
#include <string.h>

#include "core/compiler.h"
#include "kernels/dispatch.h"
#include "kernels/rows.inc"

#define HALF 16
#define ROWS 6

typedef struct tile {
  const float *a;
  size_t lda, k;
  const float *panel; /* from the half's first column */
  const float *bias;  /* of the half, or NULL */
  float *c;
  size_t ldc, columns; /* 1..HALF */
} tile;

static inline void store_row(float *c, size_t columns, float32x4x4_t sum) {
  float row[HALF];
  float *const to = columns == HALF ? c : row;
  for (size_t q = 0; q < 4; q++) vst1q_f32(to + 4 * q, sum.val[q]);
  if (columns < HALF) memcpy(c, row, columns * sizeof *c);
}

#define POINT(base) const float *a##base = t->a + 3 * (base)*lda;
#define BEGIN(row, base, offset) float32x4_t s##row##_0 = b0, s##row##_1 = b1, s##row##_2 = b2, s##row##_3 = b3;
#define MULTIPLY(row, base, offset)                              \
  {                                                              \
    const float32x4_t x = vld1q_dup_f32(a##base + (offset)*lda); \
    s##row##_0 = vfmaq_f32(s##row##_0, x, w0);                   \
    s##row##_1 = vfmaq_f32(s##row##_1, x, w1);                   \
    s##row##_2 = vfmaq_f32(s##row##_2, x, w2);                   \
    s##row##_3 = vfmaq_f32(s##row##_3, x, w3);                   \
  }
#define ADVANCE(base) a##base++;
#define STORE(row, base, offset)                                                  \
  {                                                                               \
    const float32x4x4_t sum = {{s##row##_0, s##row##_1, s##row##_2, s##row##_3}}; \
    store_row(t->c + (row)*t->ldc, t->columns, sum);                              \
  }

#define TILE(R)                                                             \
  static void tile_##R(const tile *t) {                                     \
    static const float zeros[HALF];                                         \
    const size_t lda = t->lda;                                              \
    const float *w = t->panel, *const end = w + t->k * AQ_PANEL;            \
    const float *const bias = t->bias != NULL ? t->bias : zeros;            \
    const float32x4_t b0 = vld1q_f32(bias), b1 = vld1q_f32(bias + 4);       \
    const float32x4_t b2 = vld1q_f32(bias + 8), b3 = vld1q_f32(bias + 12);  \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (; w < end; w += AQ_PANEL) { \
      const float32x4_t w0 = vld1q_f32(w), w1 = vld1q_f32(w + 4);           \
      const float32x4_t w2 = vld1q_f32(w + 8), w3 = vld1q_f32(w + 12);      \
      AQ_ROWS_##R(MULTIPLY) AQ_BASES_##R(ADVANCE)                           \
    }                                                                       \
    AQ_ROWS_##R(STORE)                                                      \
  }
AQ_TILE_HEIGHTS_6(TILE)

#define ENTRY(R) tile_##R,
static void (*const tiles[ROWS + 1])(const tile *) = {NULL, AQ_TILE_HEIGHTS_6(ENTRY)};

void aq_dense_f32_neon(const aq_dense_f32 *d) {
  for (size_t j = 0; j < d->n; j += HALF) {
    tile t = {.a = d->a,
              .lda = d->lda,
              .k = d->k,
              .panel = d->panels + j / AQ_PANEL * AQ_PANEL * d->k + j % AQ_PANEL,
              .bias = d->bias != NULL ? d->bias + j : NULL,
              .c = d->c + j,
              .ldc = d->ldc,
              .columns = AQ_MIN(d->n - j, (size_t)HALF)};
    for (size_t left = d->m; left > 0;) {
      const size_t count = (left + ROWS - 1) / ROWS, rows = (left + count - 1) / count;
      tiles[rows](&t);
      t.a += rows * d->lda;
      t.c += rows * d->ldc;
      left -= rows;
    }
  }
}

/* Four columns from column j, of one row. */
typedef int32x4_t four_sums(const aq_dense_s8 *d, size_t k, const uint8_t *a, size_t j);

static inline int8x8_t four_of(const uint8_t *a) {
  uint32_t four;
  memcpy(&four, a, sizeof four);
  return vreinterpret_s8_u8(veor_u8(vreinterpret_u8_u32(vdup_n_u32(four)), vdup_n_u8(0x80)));
}

static inline int32x4_t four_sums_s8(const aq_dense_s8 *d, size_t k, const uint8_t *a, size_t j) {
  const int8_t *w = d->panels + j / AQ_PANEL * AQ_PANEL * k + j % AQ_PANEL * 4;
  int32x4_t low = vdupq_n_s32(0), high = low;
  for (size_t i = 0; i < k; i += 4, w += (size_t)4 * AQ_PANEL) {
    const int8x8_t x = four_of(a + i);
    const int8x16_t columns = vld1q_s8(w);
    low = vpadalq_s16(low, vmull_s8(x, vget_low_s8(columns)));
    high = vpadalq_s16(high, vmull_s8(x, vget_high_s8(columns)));
  }
  return vpaddq_s32(low, high);
}

/* Codes of 4 bits are multiplied where they stand in the high half of a byte, that is 16 times. */
static inline int32x4_t four_sums_s4(const aq_dense_s8 *d, size_t k, const uint8_t *a, size_t j) {
  const int8_t *w = d->panels + j / AQ_PANEL * AQ_PANEL * k / 2 + j % AQ_PANEL / HALF * 32 + j % 8 * 4;
  const int8x16_t shift = vdupq_n_s8(j % HALF < 8 ? 4 : 0), upper = vdupq_n_s8(-16);
  int32x4_t low = vdupq_n_s32(0), high = low;
  for (size_t i = 0; i < k; i += 4, w += (size_t)2 * AQ_PANEL) {
    const int8x8_t x = four_of(a + i);
    const int8x16_t columns = vandq_s8(vshlq_s8(vld1q_s8(w), shift), upper);
    low = vpadalq_s16(low, vmull_s8(x, vget_low_s8(columns)));
    high = vpadalq_s16(high, vmull_s8(x, vget_high_s8(columns)));
  }
  return vshrq_n_s32(vpaddq_s32(low, high), 4);
}

static inline void run_codes(const aq_dense_s8 *d, four_sums *sums_of) {
  const size_t k = (d->k + 3) / 4 * 4;
  for (size_t j = 0; j < d->n; j += 4) {
    const int32x4_t sums = vld1q_s32(d->sums + j);
    const float32x4_t scales = vld1q_f32(d->scales + j), bias = vld1q_f32(d->bias + j);
    for (size_t i = 0; i < d->m; i++) {
      const int32x4_t zero = vmulq_n_s32(sums, d->a_zeros[i] - 128);
      const float32x4_t exact = vcvtq_f32_s32(vsubq_s32(sums_of(d, k, d->a + i * d->lda, j), zero));
      float row[4];
      vst1q_f32(row, vaddq_f32(vmulq_f32(exact, vmulq_n_f32(scales, d->a_scales[i])), bias));
      memcpy(d->c + i * d->ldc + j, row, AQ_MIN(d->n - j, (size_t)4) * sizeof *row);
    }
  }
}

void aq_dense_s8_neon(const aq_dense_s8 *d) { run_codes(d, four_sums_s8); }
void aq_dense_s4_neon(const aq_dense_s8 *d) { run_codes(d, four_sums_s4); }
