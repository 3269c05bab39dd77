/* coded_matrix.c - parts of a matrix of packed codes, or of numbers, as FP32.
 *
 * The lines that a part touches are read, of each the bytes that it needs; whole lines in one piece. Then the code at
 * each place is cut out of one word or two. */
#include "io/prequantized/coded_matrix.h"

#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/to_f32.h"
#include "tensor/dtype.h"

enum { WORD = sizeof(uint32_t), CHUNK = 512 };

aq_status aq_coded_room_need(aq_coded_room *room, size_t count, size_t size, aq_error *err) {
  uint64_t bytes;
  AQ_FAIL_IF(!aq_mul_ok(count, size, &bytes) || bytes > SIZE_MAX, AQ_ERR_MEMORY, "more memory than can be addressed");
  if (bytes <= room->size) return AQ_OK;
  aq_free(room->bytes);
  room->bytes = aq_malloc((size_t)bytes);
  room->size = room->bytes != NULL ? (size_t)bytes : 0;
  return room->bytes != NULL ? AQ_OK : aq_fail_memory(err, (size_t)bytes);
}

/* ---- where codes lie ---- */

static bool is_packed(const aq_coded_matrix *m) {
  return m->packing != AQ_PACKED_NUMBERS && m->packing != AQ_PACKED_EXPONENTS;
}

static uint64_t number_bytes(const aq_coded_matrix *m) {
  return m->packing == AQ_PACKED_EXPONENTS ? 1 : aq_dtype_size(m->dtype);
}

/* Words that `count` codes take. */
static bool count_words(const aq_coded_matrix *m, uint64_t count, uint64_t *words) {
  uint64_t bits;
  if (m->packing == AQ_PACKED_WORDS) {
    *words = aq_div_up(count, 32 / m->bits);
    return true;
  }
  if (m->packing == AQ_PACKED_AWQ && count % 8 != 0) return false;
  if (!aq_mul_ok(count, m->bits, &bits)) return false;
  *words = aq_div_up(bits, 32);
  return true;
}

bool aq_coded_matrix_lines(aq_coded_matrix *m, uint64_t dims[2]) {
  dims[0] = m->is_transposed ? m->columns : m->rows;
  dims[1] = m->is_transposed ? m->rows : m->columns;
  if (!is_packed(m)) return aq_mul_ok(dims[1], number_bytes(m), &m->line_bytes);
  if (!count_words(m, dims[m->packs_lines ? 0 : 1], &dims[m->packs_lines ? 0 : 1])) return false;
  return aq_mul_ok(dims[1], WORD, &m->line_bytes);
}

/* The lowest bit of code k, counted from the first one of its words. */
static uint64_t position_of(const aq_coded_matrix *m, uint64_t k) {
  static const uint8_t awq[8] = {0, 4, 1, 5, 2, 6, 3, 7};
  switch (m->packing) {
    case AQ_PACKED_WORDS:
      return k / (32 / m->bits) * 32 + k % (32 / m->bits) * m->bits;
    case AQ_PACKED_AWQ:
      return k / 8 * 32 + awq[k % 8] * (uint64_t)4;
    case AQ_PACKED_HIGH_FIRST:
      return k / 2 * 8 + (k % 2 == 0 ? 4 : 0);
    default:
      return k * m->bits;
  }
}

/* The words that codes [first, first + count) touch; count > 0. */
static void find_words(const aq_coded_matrix *m, uint64_t first, uint64_t count, uint64_t *begin, uint64_t *end) {
  const uint64_t last = first + count - 1;
  if (m->packing == AQ_PACKED_AWQ || m->packing == AQ_PACKED_HIGH_FIRST) {
    *begin = first / 8;
    *end = last / 8 + 1;
  } else {
    *begin = position_of(m, first) / 32;
    *end = (position_of(m, last) + m->bits - 1) / 32 + 1;
  }
}

/* ---- lines ---- */

typedef struct lines {
  uint64_t all, first, count; /* of the matrix in the tensor; those that are read */
  uint64_t begin, end;        /* bytes of each */
} lines;

static aq_status read_cached(const aq_source *source, const aq_coded_matrix *m, uint64_t at, const lines *l,
                             uint8_t *out, bool *is_done, aq_error *err) {
  const aq_line_piece piece = {m->tensor, at, l->all, m->line_bytes, l->first, l->count, l->begin, l->end};
  *is_done = false;
  return m->cache != NULL ? aq_line_cache_read(m->cache, source, &piece, out, is_done, err) : AQ_OK;
}

/* They lie one after another in the room then, with two words behind them that are 0. */
static aq_status read_lines(const aq_source *source, const aq_coded_matrix *m, uint64_t at, const lines *l,
                            aq_coded_room *room, aq_error *err) {
  const size_t piece = (size_t)(l->end - l->begin), size = (size_t)l->count * piece;
  AQ_TRY(aq_coded_room_need(room, size + 2 * (size_t)WORD, 1, err));
  uint8_t *out = room->bytes;
  memset(out + size, 0, 2 * (size_t)WORD);
  if (piece == m->line_bytes) {
    return aq_source_read_bytes(source, m->tensor, at + l->first * m->line_bytes, size, out, err);
  }
  bool is_done;
  AQ_TRY(read_cached(source, m, at, l, out, &is_done, err));
  for (uint64_t i = 0; i < l->count && !is_done; i++) {
    const uint64_t offset = at + (l->first + i) * m->line_bytes + l->begin;
    AQ_TRY(aq_source_read_bytes(source, m->tensor, offset, piece, out + i * piece, err));
  }
  return AQ_OK;
}

/* ---- numbers ---- */

static void convert_exponents(const uint8_t *bytes, size_t n, float *out) {
  for (size_t i = 0; i < n; i++) {
    const uint32_t e = bytes[i];
    out[i] = aq_bits_f32(e == 255 ? 0x7fc00000U : e == 0 ? 0x00400000U : e << 23);
  }
}

static void convert_numbers(const aq_coded_matrix *m, const uint8_t *bytes, size_t n, float *out, size_t stride) {
  float values[CHUNK];
  const size_t size = (size_t)number_bytes(m);
  for (size_t at = 0, count; at < n; at += count) {
    count = AQ_MIN(n - at, (size_t)CHUNK);
    float *to = stride == 1 ? out + at : values;
    if (m->packing == AQ_PACKED_EXPONENTS) convert_exponents(bytes + at, count, to);
    if (m->packing == AQ_PACKED_NUMBERS) aq_values_to_f32(m->dtype, bytes + at * size, count, to);
    for (size_t i = 0; stride != 1 && i < count; i++) out[(at + i) * stride] = values[i];
  }
}

/* ---- the part in the order of the tensor ---- */

typedef struct stored_part {
  uint64_t all;         /* lines of the tensor that the matrix has */
  uint64_t first, line; /* line of the matrix, and place in it */
  size_t lines, length;
  size_t line_stride, stride; /* of the result */
} stored_part;

static aq_status read_numbers(const aq_source *source, const aq_coded_matrix *m, uint64_t at, const stored_part *p,
                              aq_coded_room *room, float *out, aq_error *err) {
  const uint64_t size = number_bytes(m);
  const lines l = {p->all, p->line, p->lines, p->first * size, (p->first + p->length) * size};
  AQ_TRY(read_lines(source, m, at, &l, room, err));
  for (size_t i = 0; i < p->lines; i++) {
    const uint8_t *bytes = (const uint8_t *)room->bytes + i * p->length * (size_t)size;
    convert_numbers(m, bytes, p->length, out + i * p->line_stride, p->stride);
  }
  return AQ_OK;
}

/* Codes along a line. The last word of a line may be cut short. */
static aq_status read_along_lines(const aq_source *source, const aq_coded_matrix *m, uint64_t at, const stored_part *p,
                                  aq_coded_room *room, float *out, aq_error *err) {
  const uint64_t mask = ((uint64_t)1 << m->bits) - 1;
  uint64_t begin, end;
  find_words(m, p->first, p->length, &begin, &end);
  const lines l = {p->all, p->line, p->lines, begin * WORD, AQ_MIN(end * WORD, m->line_bytes)};
  AQ_TRY(read_lines(source, m, at, &l, room, err));
  for (size_t i = 0; i < p->lines; i++) {
    const uint8_t *bytes = (const uint8_t *)room->bytes + i * (size_t)(l.end - l.begin);
    for (size_t k = 0; k < p->length; k++) {
      const uint64_t bit = position_of(m, p->first + k) - begin * 32;
      const uint64_t two = aq_load_u64(bytes + bit / 32 * WORD);
      out[i * p->line_stride + k * p->stride] = (float)(two >> bit % 32 & mask);
    }
  }
  return AQ_OK;
}

/* Codes across lines: those of a word belong to as many lines of the matrix. */
static aq_status read_across_lines(const aq_source *source, const aq_coded_matrix *m, uint64_t at, const stored_part *p,
                                   aq_coded_room *room, float *out, aq_error *err) {
  const uint32_t mask = (1U << m->bits) - 1;
  uint64_t begin, end;
  find_words(m, p->line, p->lines, &begin, &end);
  const lines l = {p->all, begin, end - begin, p->first * WORD, (p->first + p->length) * WORD};
  AQ_TRY(read_lines(source, m, at, &l, room, err));
  for (size_t i = 0; i < p->lines; i++) {
    const uint64_t bit = position_of(m, p->line + i) - begin * 32, shift = bit % 32;
    const uint8_t *low = (const uint8_t *)room->bytes + bit / 32 * p->length * WORD;
    const bool straddles = shift + m->bits > 32;
    for (size_t k = 0; k < p->length; k++) {
      uint64_t code = aq_load_u32(low + k * WORD) >> shift;
      if (straddles) code |= (uint64_t)aq_load_u32(low + (p->length + k) * WORD) << (32 - shift);
      out[i * p->line_stride + k * p->stride] = (float)(code & mask);
    }
  }
  return AQ_OK;
}

aq_status aq_coded_matrix_read(const aq_source *source, const aq_coded_matrix *m, uint64_t index,
                               const aq_coded_part *part, aq_coded_room *room, float *out, aq_error *err) {
  if (part->rows == 0 || part->columns == 0) return AQ_OK;
  stored_part p = {0, part->column, part->row, part->rows, part->columns, part->columns, 1};
  if (m->is_transposed) p = (stored_part){0, part->row, part->column, part->columns, part->rows, 1, part->columns};
  aq_coded_matrix copy = *m;
  uint64_t dims[2];
  AQ_FAIL_IF(!aq_coded_matrix_lines(&copy, dims), AQ_ERR_INTERNAL, "the matrix cannot be counted");
  p.all = dims[0];
  const uint64_t at = index * dims[0] * m->line_bytes;
  if (!is_packed(m)) return read_numbers(source, m, at, &p, room, out, err);
  return m->packs_lines ? read_across_lines(source, m, at, &p, room, out, err)
                        : read_along_lines(source, m, at, &p, room, out, err);
}
