/* packed_codes.c - weight tables store the flattened matrix as one stream of the same codes, so a row is the same bits
 * at another place; where rows end at whole words, all bytes are the same. Only 8 bits differ: there a table has q, not
 * u, which is another highest bit. */
#include "io/packed/packed_codes.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

#define BLOCK ((size_t)1 << 16) /* bytes of a row that are made at a time */

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
static aq_status read_row(const aq_source *source, size_t index, const aq_packed_scheme *s, uint64_t row, uint64_t at,
                          size_t size, uint8_t *room, uint8_t *out, aq_error *err) {
  const uint64_t row_bits = s->columns * s->bits, first = at * 8;
  memset(out, 0, size);
  if (first >= row_bits) return AQ_OK;
  const uint64_t count = AQ_MIN(row_bits - first, (uint64_t)size * 8);
  AQ_TRY(read_bits(source, index, row * row_bits + first, count, room, out, err));
  if (s->bits == 8) flip_signs(out, (size_t)(count / 8));
  return AQ_OK;
}

static aq_status read_rows(const aq_source *source, size_t index, const aq_packed_scheme *s, uint64_t offset,
                           size_t size, uint8_t *room, uint8_t *out, aq_error *err) {
  const uint64_t row_bytes = aq_packed_words(s->columns, s->bits) * 4;
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

aq_status aq_packed_read_codes(const aq_source *source, size_t index, const aq_packed_scheme *scheme, uint64_t offset,
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

/* Groups of the format are whole parts of the source's, so the numbers of those rise by at most 1: they are read to the
 * front and spread from the end. */
aq_status aq_packed_read_scales(const aq_source *source, size_t index, const aq_packed_scheme *s, aq_piece piece,
                                uint64_t first, size_t n, float *out, aq_error *err) {
  if (n == 0) return AQ_OK;
  const uint64_t from = first * s->group / s->span, last = (first + n - 1) * s->group / s->span;
  AQ_TRY(aq_source_read_scales(source, index, piece, from, (size_t)(last - from + 1), out, err));
  for (size_t i = n; i-- > 0;) out[i] = out[(first + i) * s->group / s->span - from];
  return AQ_OK;
}
