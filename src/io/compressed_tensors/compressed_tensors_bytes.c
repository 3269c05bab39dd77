/* compressed_tensors_bytes.c - weight tables store the flattened matrix as one stream of the same codes, so a row is
 * the same bits at another place; where rows end at whole words, all bytes are the same. Only 8 bits differ: there a
 * table has q, not u, which is another highest bit. */
#include "io/compressed_tensors/compressed_tensors_bytes.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

#define BLOCK ((size_t)1 << 16) /* bytes of a row that are made at a time */

/* ---- weight_packed ---- */

/* From two's complement to u: of 8 bits. */
static void flip_signs(uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) bytes[i] ^= 0x80;
}

/* Bits [from, from + count) of the codes, the first one at bit 0 of out; the last byte is filled up with zeros. `room`
 * holds one byte more than those bits take. */
static aq_status read_bits(const aq_source *source, size_t index, uint64_t from, uint64_t count, uint8_t *room,
                           uint8_t *out, aq_error *err) {
  const unsigned shift = (unsigned)(from % 8);
  const size_t bytes = (size_t)((shift + count + 7) / 8), made = (size_t)((count + 7) / 8);
  AQ_TRY(aq_source_read_bytes(source, index, from / 8, bytes, room, err));
  for (size_t i = 0; i < made; i++) {
    const unsigned next = i + 1 < bytes ? room[i + 1] : 0U;
    out[i] = (uint8_t)((room[i] | next << 8) >> shift);
  }
  if (count % 8 != 0) out[made - 1] &= (uint8_t)((1U << count % 8) - 1U);
  return AQ_OK;
}

/* Bytes [at, at + size) of a row, at most BLOCK: codes, then zeros up to the end of its last word. */
static aq_status read_row(const aq_source *source, size_t index, const aq_ct_scheme *s, uint64_t row, uint64_t at,
                          size_t size, uint8_t *room, uint8_t *out, aq_error *err) {
  const uint64_t row_bits = s->columns * s->bits, first = at * 8;
  memset(out, 0, size);
  if (first >= row_bits) return AQ_OK;
  const uint64_t count = AQ_MIN(row_bits - first, (uint64_t)size * 8);
  AQ_TRY(read_bits(source, index, row * row_bits + first, count, room, out, err));
  if (s->bits == 8) flip_signs(out, (size_t)(count / 8));
  return AQ_OK;
}

static aq_status read_rows(const aq_source *source, size_t index, const aq_ct_scheme *s, uint64_t offset, size_t size,
                           uint8_t *room, uint8_t *out, aq_error *err) {
  const uint64_t row_bytes = aq_ct_words(s->columns, s->bits) * 4;
  while (size > 0) {
    const uint64_t row = offset / row_bytes, at = offset % row_bytes;
    const size_t n = (size_t)AQ_MIN(AQ_MIN(row_bytes - at, (uint64_t)size), (uint64_t)BLOCK);
    AQ_TRY(read_row(source, index, s, row, at, n, room, out, err));
    offset += n;
    out += n;
    size -= n;
  }
  return AQ_OK;
}

aq_status aq_ct_read_packed(const aq_source *source, size_t index, const aq_ct_scheme *scheme, uint64_t offset,
                            size_t size, uint8_t *out, aq_error *err) {
  if (scheme->columns * scheme->bits % 32 == 0) {
    AQ_TRY(aq_source_read_bytes(source, index, offset, size, out, err));
    if (scheme->bits == 8) flip_signs(out, size);
    return AQ_OK;
  }
  uint8_t *room = aq_malloc(BLOCK + 1);
  if (room == NULL) return aq_fail_memory(err, BLOCK + 1);
  const aq_status status = read_rows(source, index, scheme, offset, size, room, out, err);
  aq_free(room);
  return status;
}

/* ---- weight_scale ---- */

/* n scales or zero points of a matrix of rows x groups from number `first` on. Where the source has one for several
 * rows it is repeated. */
static aq_status read_scales(const aq_source *source, size_t index, const aq_ct_scheme *s, aq_piece piece,
                             uint64_t first, size_t n, float *out, aq_error *err) {
  if (s->span <= s->columns) return aq_source_read_scales(source, index, piece, first, n, out, err);
  for (size_t i = 0; i < n; i++) { /* one group in each row */
    AQ_TRY(aq_source_read_scales(source, index, piece, (first + i) * s->columns / s->span, 1, out + i, err));
  }
  return AQ_OK;
}

aq_status aq_ct_read_scale(const aq_source *source, size_t index, const aq_ct_scheme *scheme, uint64_t offset,
                           size_t size, uint8_t *out, aq_error *err) {
  float *scales = aq_malloc(size);
  if (scales == NULL) return aq_fail_memory(err, size);
  const aq_status status =
      read_scales(source, index, scheme, AQ_PIECE_SCALES, offset / sizeof *scales, size / sizeof *scales, scales, err);
  if (status == AQ_OK) memcpy(out, scales, size);
  aq_free(scales);
  return status;
}

/* ---- weight_zero_point ---- */

/* Adds code u of row `row` to the word of its column that begins at bit `first` of the stream. */
static uint32_t place_code(uint32_t u, uint64_t row, uint32_t bits, uint64_t first) {
  const uint64_t at = row * bits;
  return at >= first ? u << (at - first) : u >> (first - at);
}

/* Word `word` of n columns from `column` on. */
static aq_status read_words(const aq_source *source, size_t index, const aq_ct_scheme *s, uint64_t word,
                            uint64_t column, size_t n, float *z, uint8_t *out, aq_error *err) {
  const uint64_t first = word * 32;
  const uint64_t end = AQ_MIN((first + 32 + s->bits - 1) / s->bits, s->rows);
  memset(out, 0, n * sizeof(uint32_t));
  for (uint64_t row = first / s->bits; row < end; row++) {
    AQ_TRY(read_scales(source, index, s, AQ_PIECE_ZERO_POINTS, row * s->groups + column, n, z, err));
    for (size_t i = 0; i < n; i++) {
      const uint32_t u = (uint32_t)((int32_t)z[i] + (1 << (s->bits - 1)));
      aq_store_u32(out + 4 * i, aq_load_u32(out + 4 * i) | place_code(u, row, s->bits, first));
    }
  }
  return AQ_OK;
}

aq_status aq_ct_read_zero_point(const aq_source *source, size_t index, const aq_ct_scheme *scheme, uint64_t offset,
                                size_t size, uint8_t *out, aq_error *err) {
  uint64_t at = offset / sizeof(uint32_t);
  float *z = aq_realloc_array(NULL, BLOCK, sizeof *z);
  if (z == NULL) return aq_fail_memory(err, BLOCK * sizeof *z);
  aq_status status = AQ_OK;
  for (size_t left = size / sizeof(uint32_t); status == AQ_OK && left > 0;) {
    const uint64_t column = at % scheme->groups;
    const size_t n = (size_t)AQ_MIN(AQ_MIN(scheme->groups - column, (uint64_t)left), (uint64_t)BLOCK);
    status = read_words(source, index, scheme, at / scheme->groups, column, n, z, out, err);
    at += n;
    left -= n;
    out += n * sizeof(uint32_t);
  }
  aq_free(z);
  return status;
}

/* ---- weight_shape ---- */

void aq_ct_read_shape(const aq_ct_scheme *scheme, uint64_t offset, size_t size, uint8_t *out) {
  uint8_t bytes[16];
  aq_store_u64(bytes, scheme->rows);
  aq_store_u64(bytes + 8, scheme->columns);
  memcpy(out, bytes + offset, size);
}
