/* dense_avx512vnni.c - the integer dense products with VPDPBUSD: four products of an unsigned and a signed byte added
 * to each of 16 sums, exactly. Tiles as in dense_avx512.c; the zero point of a row is taken off at the end, by the sums
 * of the weights' rows.
 *
 * Codes of 4 bits are multiplied where they stand in the high half of a byte, that is 16 times; the sums, which are no
 * larger than those of codes of 8 bits, are divided at the end. */
#include <string.h>

#include "kernels/code_tile.h"
#include "kernels/rows.inc"
#include "kernels/x86/isa.h"

#define ROWS 14

static inline AQ_AVX512VNNI __m512i four_of(const uint8_t *a) {
  int32_t bytes;
  memcpy(&bytes, a, sizeof bytes);
  return _mm512_set1_epi32(bytes);
}

/* 16 results of one row, from column `at` of the panel. */
static inline AQ_AVX512VNNI __m512 finish(const aq_code_tile *t, size_t row, size_t at, const int32_t *sum) {
  const __m512i zero = _mm512_mullo_epi32(_mm512_set1_epi32(t->a_zeros[row]), _mm512_loadu_si512(t->sums + at));
  const __m512 exact = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(sum + at), zero));
  const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(t->a_scales[row]), _mm512_loadu_ps(t->scales + at));
  return _mm512_add_ps(_mm512_mul_ps(exact, scale), _mm512_loadu_ps(t->bias + at));
}

static AQ_AVX512VNNI void finish_tile(const aq_code_tile *t, size_t rows, const int32_t *sums) {
  const uint32_t mask = t->columns == AQ_PANEL ? UINT32_MAX : (1u << t->columns) - 1;
  for (size_t row = 0; row < rows; row++, sums += AQ_PANEL) {
    float *const c = t->c + row * t->ldc;
    _mm512_mask_storeu_ps(c, (__mmask16)mask, finish(t, row, 0, sums));
    _mm512_mask_storeu_ps(c + 16, (__mmask16)(mask >> 16), finish(t, row, 16, sums));
  }
}

#define POINT(base) const uint8_t *a##base = t->a + 3 * (base)*lda;
#define BEGIN(row, base, offset) __m512i low##row = _mm512_setzero_si512(), high##row = _mm512_setzero_si512();
#define MULTIPLY(row, base, offset)                        \
  {                                                        \
    const __m512i x = four_of(a##base + (offset)*lda);     \
    low##row = _mm512_dpbusd_epi32(low##row, x, w_low);    \
    high##row = _mm512_dpbusd_epi32(high##row, x, w_high); \
  }
#define ADVANCE(base) a##base += 4;
/* Through memory: with the arithmetic of finish here, GCC 12 spills the sums in the loop. */
#define STORE(row, base, offset)                        \
  _mm512_storeu_si512(sums + (row)*AQ_PANEL, low##row); \
  _mm512_storeu_si512(sums + (row)*AQ_PANEL + 16, high##row);

/* Of codes of 4 bits the sums are of 16 times the codes, and a register has 8 columns of either half of the panel. */
static AQ_AVX512VNNI void arrange_s4_sums(size_t rows, int32_t *sums) {
  for (size_t row = 0; row < rows; row++, sums += AQ_PANEL) {
    const __m512i first = _mm512_srai_epi32(_mm512_loadu_si512(sums), 4);
    const __m512i second = _mm512_srai_epi32(_mm512_loadu_si512(sums + 16), 4);
    _mm512_storeu_si512(sums, _mm512_inserti64x4(first, _mm512_castsi512_si256(second), 1));
    _mm512_storeu_si512(sums + 16, _mm512_inserti64x4(second, _mm512_extracti64x4_epi64(first, 1), 0));
  }
}
static inline void keep_s8_sums(size_t rows, int32_t *sums) { (void)rows, (void)sums; }

#define LOAD_S8 const __m512i w_low = _mm512_loadu_si512(w), w_high = _mm512_loadu_si512(w + 64);
#define LOAD_S4                                                              \
  const __m512i both = _mm512_loadu_si512(w), upper = _mm512_set1_epi8(-16); \
  const __m512i w_low = _mm512_and_si512(_mm512_slli_epi16(both, 4), upper), w_high = _mm512_and_si512(both, upper);

#define TILE(R, bits, name, load, arrange)                                            \
  static AQ_AVX512VNNI void name##R(const aq_code_tile *t) {                          \
    const size_t lda = t->lda, step = AQ_PANEL * (bits) / 2;                          \
    const int8_t *w = t->panel, *const end = w + t->k / 4 * step;                     \
    AQ_BASES_##R(POINT) AQ_ROWS_##R(BEGIN) for (; w < end; w += step){                \
        load AQ_ROWS_##R(MULTIPLY) AQ_BASES_##R(ADVANCE)} int32_t sums[(R)*AQ_PANEL]; \
    AQ_ROWS_##R(STORE) arrange(R, sums);                                              \
    finish_tile(t, R, sums);                                                          \
  }
#define TILE_S8(R) TILE(R, 8, s8_tile_, LOAD_S8, keep_s8_sums)
#define TILE_S4(R) TILE(R, 4, s4_tile_, LOAD_S4, arrange_s4_sums)
AQ_TILE_HEIGHTS_14(TILE_S8)
AQ_TILE_HEIGHTS_14(TILE_S4)

#define ENTRY_S8(R) s8_tile_##R,
#define ENTRY_S4(R) s4_tile_##R,
static aq_code_tile_fn *const s8_tiles[ROWS + 1] = {NULL, AQ_TILE_HEIGHTS_14(ENTRY_S8)};
static aq_code_tile_fn *const s4_tiles[ROWS + 1] = {NULL, AQ_TILE_HEIGHTS_14(ENTRY_S4)};

void aq_dense_s8_avx512vnni(const aq_dense_s8 *d) { aq_run_code_tiles(d, 8, s8_tiles, AQ_PANEL, ROWS); }
void aq_dense_s4_avx512vnni(const aq_dense_s8 *d) { aq_run_code_tiles(d, 4, s4_tiles, AQ_PANEL, ROWS); }
