/* dense_avx2.c - the dense products in tiles of half a panel: FP32 in tiles of up to 6 rows by 16 columns, whose 12
 * sums, two registers of weights and one element of `a` fit the 16 registers; codes in tiles of up to 3 rows.
 *
 * Codes of 8 bits are widened to 16 and multiplied with VPMADDWD, which is exact; VPMADDUBSW, twice as fast, saturates.
 * With codes of 4 bits it does not: two products are at most 2 * 255 * 8. */
#include <string.h>

#include "kernels/dispatch.h"
#include "kernels/rows.inc"
#include "kernels/x86/half_tile.h"

/* ---- FP32 ---- */

#define ROWS 6

typedef struct tile {
  const float *a;
  size_t lda, k;
  const float *panel; /* from the half's first column */
  const float *bias;  /* of the half, or NULL */
  float *c;
  size_t ldc, columns; /* 1..HALF */
} tile;

#define POINT(base) const float *a##base = t->a + 3 * (base)*lda;
#define BEGIN(row, base, offset) __m256 low##row = first, high##row = second;
#define MULTIPLY(row, base, offset)                               \
  {                                                               \
    const __m256 x = _mm256_broadcast_ss(a##base + (offset)*lda); \
    low##row = _mm256_fmadd_ps(x, w_low, low##row);               \
    high##row = _mm256_fmadd_ps(x, w_high, high##row);            \
  }
#define ADVANCE(base) a##base++;
#define STORE(row, base, offset) store_row(t->c + (row)*t->ldc, t->columns, low##row, high##row);

#define TILE(R)                                                                            \
  static AQ_AVX2 void tile_##R(const tile *t) {                                            \
    const size_t lda = t->lda;                                                             \
    const float *w = t->panel, *const end = w + t->k * AQ_PANEL;                           \
    const __m256 first = t->bias != NULL ? _mm256_loadu_ps(t->bias) : _mm256_setzero_ps(); \
    const __m256 second = t->bias != NULL ? _mm256_loadu_ps(t->bias + 8) : first;          \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (; w < end; w += AQ_PANEL) {                \
      const __m256 w_low = _mm256_loadu_ps(w), w_high = _mm256_loadu_ps(w + 8);            \
      AQ_ROWS_##R(MULTIPLY) AQ_BASES_##R(ADVANCE)                                          \
    }                                                                                      \
    AQ_ROWS_##R(STORE)                                                                     \
  }
AQ_TILE_HEIGHTS_6(TILE)

#define ENTRY(R) tile_##R,
static void (*const tiles[ROWS + 1])(const tile *) = {NULL, AQ_TILE_HEIGHTS_6(ENTRY)};

AQ_AVX2 void aq_dense_f32_avx2(const aq_dense_f32 *d) {
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

/* ---- codes ---- */

#define CODE_ROWS 3

/* Four codes as 16 bits, four times. */
static inline AQ_AVX2 __m256i four_of(const uint8_t *a) {
  int32_t bytes;
  memcpy(&bytes, a, sizeof bytes);
  return _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(bytes)));
}

/* Two neighbours make one sum; a and b hold columns 0..3 and 4..7 of eight. */
static inline AQ_AVX2 __m256i join(__m256i a, __m256i b) {
  return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xd8);
}

static inline AQ_AVX2 __m256i four_columns(const int8_t *w) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w));
}

#define CODE_POINT(base) const uint8_t *a##base = t->a + 3 * (base)*lda;
#define CODE_BEGIN(row, base, offset)                                                            \
  __m256i s##row##_0 = _mm256_setzero_si256(), s##row##_1 = s##row##_0, s##row##_2 = s##row##_0, \
          s##row##_3 = s##row##_0;
#define CODE_LOAD(row, base, offset) const __m256i x##row = four_of(a##base + (offset)*lda);
#define CODE_ADD(row, q) s##row##_##q = _mm256_add_epi32(s##row##_##q, _mm256_madd_epi16(x##row, w));
#define CODE_ADD_0(row, base, offset) CODE_ADD(row, 0)
#define CODE_ADD_1(row, base, offset) CODE_ADD(row, 1)
#define CODE_ADD_2(row, base, offset) CODE_ADD(row, 2)
#define CODE_ADD_3(row, base, offset) CODE_ADD(row, 3)
#define CODE_ADVANCE(base) a##base += 4;
#define CODE_STORE(row, base, offset)                                                         \
  store_row(t->c + (row)*t->ldc, t->columns, finish(t, row, 0, join(s##row##_0, s##row##_1)), \
            finish(t, row, 8, join(s##row##_2, s##row##_3)));

#define CODE_TILE(R)                                                                                    \
  static AQ_AVX2 void code_tile_##R(const aq_code_tile *t) {                                            \
    const size_t lda = t->lda;                                                                          \
    const int8_t *from = t->panel, *const end = from + t->k * AQ_PANEL;                                 \
    AQ_BASES_##R(CODE_POINT) AQ_ROWS_##R(CODE_BEGIN) for (; from < end; from += (size_t)4 * AQ_PANEL) { \
      AQ_ROWS_##R(CODE_LOAD) __m256i w = four_columns(from);                                            \
      AQ_ROWS_##R(CODE_ADD_0) w = four_columns(from + 16);                                              \
      AQ_ROWS_##R(CODE_ADD_1) w = four_columns(from + 32);                                              \
      AQ_ROWS_##R(CODE_ADD_2) w = four_columns(from + 48);                                              \
      AQ_ROWS_##R(CODE_ADD_3) AQ_BASES_##R(CODE_ADVANCE)                                                \
    }                                                                                                   \
    AQ_ROWS_##R(CODE_STORE)                                                                             \
  }
AQ_TILE_HEIGHTS_3(CODE_TILE)

#define CODE_ENTRY(R) code_tile_##R,
static aq_code_tile_fn *const code_tiles[CODE_ROWS + 1] = {NULL, AQ_TILE_HEIGHTS_3(CODE_ENTRY)};

void aq_dense_s8_avx2(const aq_dense_s8 *d) { aq_run_code_tiles(d, 8, code_tiles, HALF, CODE_ROWS); }

/* ---- codes of 4 bits ---- */

/* Sixteen bytes, twice: the number that four bits are in two's complement. */
static inline AQ_AVX2 __m256i signed_codes(void) {
  return _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
}

static inline AQ_AVX2 __m256i add_products(__m256i sum, __m256i x, __m256i w) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)));
}

#define S4_BEGIN(row, base, offset) __m256i low##row = _mm256_setzero_si256(), high##row = low##row;
#define S4_MULTIPLY(row, base, offset)                    \
  {                                                       \
    int32_t bytes;                                        \
    memcpy(&bytes, a##base + (offset)*lda, sizeof bytes); \
    const __m256i x = _mm256_set1_epi32(bytes);           \
    low##row = add_products(low##row, x, w_low);          \
    high##row = add_products(high##row, x, w_high);       \
  }
/* Through memory: arithmetic here makes the compiler spill sums in the loop. */
#define S4_STORE(row, base, offset)                              \
  _mm256_storeu_si256((__m256i *)(sums + (row)*HALF), low##row); \
  _mm256_storeu_si256((__m256i *)(sums + (row)*HALF + 8), high##row);

static AQ_AVX2 void finish_s4_tile(const aq_code_tile *t, size_t rows, const int32_t *sums) {
  for (size_t row = 0; row < rows; row++, sums += HALF) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)sums);
    const __m256i high = _mm256_loadu_si256((const __m256i *)(sums + 8));
    store_row(t->c + row * t->ldc, t->columns, finish(t, row, 0, low), finish(t, row, 8, high));
  }
}

#define S4_TILE(R)                                                                                           \
  static AQ_AVX2 void s4_tile_##R(const aq_code_tile *t) {                                                   \
    const __m256i mask = _mm256_set1_epi8(15), codes = signed_codes();                                       \
    const size_t lda = t->lda;                                                                               \
    const int8_t *from = t->panel, *const end = from + t->k * AQ_PANEL / 2;                                  \
    AQ_BASES_##R(CODE_POINT) AQ_ROWS_##R(S4_BEGIN) for (; from < end; from += (size_t)2 * AQ_PANEL) {        \
      const __m256i both = _mm256_loadu_si256((const __m256i *)from);                                        \
      const __m256i w_low = _mm256_shuffle_epi8(codes, _mm256_and_si256(both, mask));                        \
      const __m256i w_high = _mm256_shuffle_epi8(codes, _mm256_and_si256(_mm256_srli_epi16(both, 4), mask)); \
      AQ_ROWS_##R(S4_MULTIPLY) AQ_BASES_##R(CODE_ADVANCE)                                                    \
    }                                                                                                        \
    int32_t sums[(R)*HALF];                                                                                  \
    AQ_ROWS_##R(S4_STORE) finish_s4_tile(t, R, sums);                                                        \
  }
AQ_TILE_HEIGHTS_6(S4_TILE)

#define S4_ENTRY(R) s4_tile_##R,
static aq_code_tile_fn *const s4_tiles[ROWS + 1] = {NULL, AQ_TILE_HEIGHTS_6(S4_ENTRY)};

void aq_dense_s4_avx2(const aq_dense_s8 *d) { aq_run_code_tiles(d, 4, s4_tiles, HALF, ROWS); }
