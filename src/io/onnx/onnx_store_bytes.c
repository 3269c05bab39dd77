/* onnx_store_bytes.c - the bytes of codes, scales and zero points as an ONNX file has them: row by row, some thousand
 * numbers at a time. */
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_store.h"
#include "quant/scheme.h"

#define CHUNK ((size_t)1 << 14) /* numbers that are made at a time */

typedef struct store_room {
  float numbers[CHUNK];
  int8_t codes[CHUNK + 8];
  uint8_t packed[CHUNK + 8];
} store_room;

typedef struct store_reading {
  const aq_source *source;
  size_t index;
  const aq_onnx_store *store;
  store_room *room;
} store_reading;

/* ---- codes ---- */

/* Codes [first, first + n) of the flattened tensor; n is at most CHUNK. *out is the first one. Packed codes begin at
 * whole bytes with each eighth. */
static aq_status read_codes(const store_reading *r, uint64_t first, size_t n, const int8_t **out, aq_error *err) {
  const aq_quant_type type = r->source->tensors[r->index].quant_type;
  const uint64_t bits = aq_quant_type_bits(type);
  const size_t before = (size_t)(first % 8), count = before + n;
  AQ_TRY(aq_source_read_bytes(r->source, r->index, first / 8 * bits, (size_t)aq_div_up(count * bits, 8),
                              r->room->packed, err));
  aq_unpack_codes(type, r->room->packed, count, r->room->codes);
  *out = r->room->codes + before;
  return AQ_OK;
}

static bool is_plain(const aq_onnx_store *s) { return s->form == AQ_ONNX_PLAIN_CODES; }

/* q as it is, or u, two in a byte, the first one in the low half. */
static void pack_codes(const aq_onnx_store *s, const int8_t *q, size_t n, uint8_t *out) {
  if (is_plain(s)) {
    memcpy(out, q, n);
    return;
  }
  for (size_t i = 0; i < n; i += 2) {
    const int second = i + 1 < n ? q[i + 1] + 8 : 0;
    out[i / 2] = (uint8_t)((q[i] + 8) | second << 4);
  }
}

/* Bytes [at, at + size) of a row, at most CHUNK codes. What fills up the last block is 0. */
static aq_status read_row_codes(const store_reading *r, uint64_t row, uint64_t at, size_t size, uint8_t *out,
                                aq_error *err) {
  const aq_onnx_store *s = r->store;
  const uint64_t per_byte = is_plain(s) ? 1 : 2, column = at * per_byte;
  const int8_t *codes;
  memset(out, 0, size);
  if (column >= s->columns) return AQ_OK;
  const size_t n = (size_t)AQ_MIN(s->columns - column, (uint64_t)size * per_byte);
  AQ_TRY(read_codes(r, row * s->columns + column, n, &codes, err));
  pack_codes(s, codes, n, out);
  return AQ_OK;
}

/* ---- scales and zero points ---- */

/* The span of the source that block `number` of all rows is in. */
static uint64_t span_at(const aq_onnx_store *s, uint64_t number) {
  return (number / s->blocks * s->columns + number % s->blocks * s->block) / s->span;
}

/* Numbers [first, first + n) of a matrix of rows x blocks, n at most CHUNK, into room->numbers. Neighbours are those of
 * the same span or of the next one. */
static aq_status read_numbers(const store_reading *r, aq_piece piece, uint64_t first, size_t n, aq_error *err) {
  const aq_onnx_store *s = r->store;
  const uint64_t last = first + n - 1;
  const uint64_t begin = span_at(s, first), end = span_at(s, last);
  float *numbers = r->room->numbers;
  AQ_TRY(aq_source_read_scales(r->source, r->index, piece, begin, (size_t)(end - begin + 1), numbers, err));
  for (size_t i = n; i > 0; i--) numbers[i - 1] = numbers[span_at(s, first + i - 1) - begin];
  return AQ_OK;
}

/* Bytes [at, at + size) of the zero points of a row, at most CHUNK of them, packed as its codes are. */
static aq_status read_row_zero_points(const store_reading *r, uint64_t row, uint64_t at, size_t size, uint8_t *out,
                                      aq_error *err) {
  const aq_onnx_store *s = r->store;
  const uint64_t block = at * 2;
  const size_t n = (size_t)AQ_MIN(s->blocks - block, (uint64_t)size * 2);
  AQ_TRY(read_numbers(r, AQ_PIECE_ZERO_POINTS, row * s->blocks + block, n, err));
  for (size_t i = 0; i < n; i++) r->room->codes[i] = (int8_t)r->room->numbers[i];
  pack_codes(s, r->room->codes, n, out);
  return AQ_OK;
}

static aq_status read_number_bytes(const store_reading *r, aq_piece piece, uint64_t offset, size_t size, uint8_t *out,
                                   aq_error *err) {
  uint64_t first = offset / sizeof(float);
  for (size_t left = size / sizeof(float); left > 0;) {
    const size_t n = AQ_MIN(left, CHUNK);
    AQ_TRY(read_numbers(r, piece, first, n, err));
    for (size_t i = 0; i < n; i++) aq_store_u32(out + 4 * i, aq_f32_bits(r->room->numbers[i]));
    first += n;
    left -= n;
    out += n * sizeof(float);
  }
  return AQ_OK;
}

/* ---- both ---- */

static aq_status read_rows(const store_reading *r, aq_onnx_part part, uint64_t offset, size_t size, uint8_t *out,
                           aq_error *err) {
  const uint64_t row_bytes = aq_onnx_store_shape(r->store, part).bytes / r->store->rows;
  while (size > 0) {
    const uint64_t row = offset / row_bytes, at = offset % row_bytes;
    const size_t n = (size_t)AQ_MIN(AQ_MIN(row_bytes - at, (uint64_t)size), (uint64_t)CHUNK / 2);
    AQ_TRY((part == AQ_ONNX_CODES ? read_row_codes : read_row_zero_points)(r, row, at, n, out, err));
    offset += n;
    out += n;
    size -= n;
  }
  return AQ_OK;
}

aq_status aq_onnx_store_read(const aq_source *source, size_t index, const aq_onnx_store *store, aq_onnx_part part,
                             uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  store_reading r = {.source = source, .index = index, .store = store, .room = aq_malloc(sizeof *r.room)};
  if (r.room == NULL) return aq_fail_memory(err, sizeof *r.room);
  const aq_piece piece = part == AQ_ONNX_SCALES ? AQ_PIECE_SCALES : AQ_PIECE_ZERO_POINTS;
  const bool are_numbers = part == AQ_ONNX_SCALES || (part == AQ_ONNX_ZERO_POINTS && is_plain(store));
  const aq_status status =
      are_numbers ? read_number_bytes(&r, piece, offset, size, out, err) : read_rows(&r, part, offset, size, out, err);
  aq_free(r.room);
  return status;
}
