/* dense_avxvnni.c - the integer dense products with VPDPBUSD in 256 bits: four products of an unsigned and a signed
 * byte added to each of 8 sums, exactly. Tiles of half a panel as the FP32 ones of dense_avx2.c: up to 6 rows by 16
 * columns, whose 12 sums, two registers of weights and one of codes fit the 16 registers. Codes of 4 bits are
 * multiplied 16 times, as in dense_avx512vnni.c. */
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

#define STORE_S4(row, base, offset)                                                    \
  _mm256_storeu_si256((__m256i *)(sums + (row)*HALF), _mm256_srai_epi32(low##row, 4)); \
  _mm256_storeu_si256((__m256i *)(sums + (row)*HALF + 8), _mm256_srai_epi32(high##row, 4));

#define LOAD_S8                                                 \
  const __m256i w_low = _mm256_loadu_si256((const __m256i *)w); \
  const __m256i w_high = _mm256_loadu_si256((const __m256i *)(w + 32));
#define LOAD_S4                                                                               \
  const __m256i both = _mm256_loadu_si256((const __m256i *)w), upper = _mm256_set1_epi8(-16); \
  const __m256i w_low = _mm256_and_si256(_mm256_slli_epi16(both, 4), upper);                  \
  const __m256i w_high = _mm256_and_si256(both, upper);

#define TILE(R, bits, name, load, store)                                          \
  static AQ_AVXVNNI void name##R(const aq_code_tile *t) {                         \
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

void aq_dense_s8_avxvnni(const aq_dense_s8 *d) { aq_run_code_tiles(d, 8, s8_tiles, HALF, ROWS); }
void aq_dense_s4_avxvnni(const aq_dense_s8 *d) { aq_run_code_tiles(d, 4, s4_tiles, HALF, ROWS); }

#endif
