/* gptq_bytes.c - the matrices of the format are those of a table turned, so each is gathered from runs of rows. */
#include "io/gptq/gptq_bytes.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/packed/packed_codes.h"
#include "kernels/kernels.h"

#define BLOCK ((size_t)1 << 14) /* words of one row, or scales, that are read at a time */

/* ---- qweight ---- */

/* Words [word, word + n) of output `row`, to where they lie in `out`, which begins with element `first` of the matrix
 * and has `count`. */
static aq_status read_row_words(const aq_source *source, size_t index, const aq_packed_scheme *s, uint64_t row,
                                uint64_t word, size_t n, uint64_t first, size_t count, uint8_t *room, uint8_t *out,
                                aq_error *err) {
  const uint64_t words = aq_packed_words(s->columns, s->bits);
  AQ_TRY(aq_packed_read_codes(source, index, s, (row * words + word) * 4, n * 4, room, err));
  for (size_t i = 0; i < n; i++) {
    const uint64_t element = (word + i) * s->rows + row;
    if (element >= first && element - first < count) memcpy(out + 4 * (size_t)(element - first), room + 4 * i, 4);
  }
  return AQ_OK;
}

aq_status aq_gptq_read_codes(const aq_source *source, size_t index, const aq_packed_scheme *s, uint64_t offset,
                             size_t size, uint8_t *out, aq_error *err) {
  const uint64_t first = offset / 4;
  const size_t count = size / 4;
  if (count == 0) return AQ_OK;
  const uint64_t from = first / s->rows, end = (first + count - 1) / s->rows + 1;
  uint8_t *room = aq_malloc(BLOCK * 4);
  if (room == NULL) return aq_fail_memory(err, BLOCK * 4);
  aq_status status = AQ_OK;
  for (uint64_t word = from; status == AQ_OK && word < end; word += BLOCK) {
    const size_t n = (size_t)AQ_MIN(end - word, (uint64_t)BLOCK);
    for (uint64_t row = 0; status == AQ_OK && row < s->rows; row++) {
      status = read_row_words(source, index, s, row, word, n, first, count, room, out, err);
    }
  }
  aq_free(room);
  return status;
}

/* ---- scales ---- */

/* Element `at` of the matrix groups x rows. */
static aq_status read_turned(const aq_source *source, size_t index, const aq_packed_scheme *s, aq_piece piece,
                             uint64_t at, float *out, aq_error *err) {
  const uint64_t group = at / s->rows, row = at % s->rows;
  return aq_packed_read_scales(source, index, s, piece, row * s->groups + group, 1, out, err);
}

aq_status aq_gptq_read_scales(const aq_source *source, size_t index, const aq_packed_scheme *s, uint64_t offset,
                              size_t size, uint8_t *out, aq_error *err) {
  for (size_t i = 0; i < size / 2; i++) {
    float scale;
    AQ_TRY(read_turned(source, index, s, AQ_PIECE_SCALES, offset / 2 + i, &scale, err));
    aq_kernels_get()->f32_to_f16(&scale, 1, out + 2 * i);
  }
  return AQ_OK;
}

/* ---- qzeros ---- */

/* Word `word` of a group: the bits of the codes of some outputs. */
static aq_status read_zero_word(const aq_source *source, size_t index, const aq_packed_scheme *s, uint64_t group,
                                uint64_t word, uint32_t *out, aq_error *err) {
  const uint64_t first = word * 32, end = AQ_MIN((first + 32 + s->bits - 1) / s->bits, s->rows);
  *out = 0;
  for (uint64_t row = first / s->bits; row < end; row++) {
    float z = 0.0F;
    if (!s->symmetric) AQ_TRY(read_turned(source, index, s, AQ_PIECE_ZERO_POINTS, group * s->rows + row, &z, err));
    const uint32_t u = (uint32_t)((int32_t)z + (1 << (s->bits - 1)) - (s->symmetric ? 1 : 0));
    *out |= aq_packed_place(u, row, s->bits, first);
  }
  return AQ_OK;
}

aq_status aq_gptq_read_zero_points(const aq_source *source, size_t index, const aq_packed_scheme *s, uint64_t offset,
                                   size_t size, uint8_t *out, aq_error *err) {
  const uint64_t words = aq_packed_words(s->rows, s->bits);
  for (size_t i = 0; i < size / 4; i++) {
    uint32_t word;
    AQ_TRY(read_zero_word(source, index, s, (offset / 4 + i) / words, (offset / 4 + i) % words, &word, err));
    aq_store_u32(out + 4 * i, word);
  }
  return AQ_OK;
}

/* ---- g_idx ---- */

void aq_gptq_read_groups(const aq_packed_scheme *s, uint64_t offset, size_t size, uint8_t *out) {
  for (size_t i = 0; i < size / 4; i++) aq_store_u32(out + 4 * i, (uint32_t)((offset / 4 + i) / s->group));
}
