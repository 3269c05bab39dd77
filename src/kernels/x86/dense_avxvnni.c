/* dense_avxvnni.c - the integer dense product with VPDPBUSD in 256 bits: four products of an unsigned and a signed byte
 * added to each of 8 sums, exactly. Tiles of half a panel as the FP32 ones of dense_avx2.c: up to 6 rows by 16 columns,
 * whose 12 sums, two registers of weights and one of codes fit the 16 registers. */
#include "kernels/rows.inc"
#include "kernels/x86/half_tile.h"

#if AQ_HAS_AVXVNNI

#define ROWS 6

static inline AQ_AVXVNNI __m256i four_of(const uint8_t *a) {
  int32_t bytes;
  memcpy(&bytes, a, sizeof bytes);
  return _mm256_set1_epi32(bytes);
}

static AQ_AVXVNNI void finish_tile(const aq_code_tile *t, size_t rows, const int32_t *sums) {
  for (size_t row = 0; row < rows; row++, sums += HALF) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)sums);
    const __m256i high = _mm256_loadu_si256((const __m256i *)(sums + 8));
    store_row(t->c + row * t->ldc, t->columns, finish(t, row, 0, low), finish(t, row, 8, high));
  }
}

#define POINT(base) const uint8_t *a##base = t->a + 3 * (base)*lda;
#define BEGIN(row, base, offset) __m256i low##row = _mm256_setzero_si256(), high##row = low##row;
#define MULTIPLY(row, base, offset)                            \
  {                                                            \
    const __m256i x = four_of(a##base + (offset)*lda);         \
    low##row = _mm256_dpbusd_avx_epi32(low##row, x, w_low);    \
    high##row = _mm256_dpbusd_avx_epi32(high##row, x, w_high); \
  }
#define ADVANCE(base) a##base += 4;
/* Through memory: arithmetic here could make the compiler spill sums in the loop. */
#define STORE(row, base, offset)                                 \
  _mm256_storeu_si256((__m256i *)(sums + (row)*HALF), low##row); \
  _mm256_storeu_si256((__m256i *)(sums + (row)*HALF + 8), high##row);

#define TILE(R)                                                                         \
  static AQ_AVXVNNI void tile_##R(const aq_code_tile *t) {                              \
    const size_t lda = t->lda;                                                          \
    const int8_t *w = t->panel, *const end = w + t->k * AQ_PANEL;                       \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (; w < end; w += (size_t)4 * AQ_PANEL) { \
      const __m256i w_low = _mm256_loadu_si256((const __m256i *)w);                     \
      const __m256i w_high = _mm256_loadu_si256((const __m256i *)(w + 32));             \
      AQ_ROWS_##R(MULTIPLY) AQ_BASES_##R(ADVANCE)                                       \
    }                                                                                   \
    int32_t sums[(R)*HALF];                                                             \
    AQ_ROWS_##R(STORE) finish_tile(t, R, sums);                                         \
  }
AQ_TILE_HEIGHTS_6(TILE)

#define ENTRY(R) tile_##R,
static aq_code_tile_fn *const tiles[ROWS + 1] = {NULL, AQ_TILE_HEIGHTS_6(ENTRY)};

void aq_dense_s8_avxvnni(const aq_dense_s8 *d) { aq_run_code_tiles(d, tiles, HALF, ROWS); }

#endif
