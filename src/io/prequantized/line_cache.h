/* line_cache.h - matrices that are stored by columns and asked for by rows: a few rows are a short piece of every line,
 * and thousands of such pieces are thousands of reads. The cache reads much longer pieces of all lines at once, which
 * the next rows find there.
 *
 * What is read is never more than twice what was asked for, and one block: in an order that finds nothing in the cache,
 * pieces are read one by one again. */
#ifndef AQ_IO_PREQUANTIZED_LINE_CACHE_H
#define AQ_IO_PREQUANTIZED_LINE_CACHE_H

#include "io/source.h"

typedef struct aq_line_cache aq_line_cache;

/* most: bytes that it may hold; 0: a number of its own. */
AQ_MUST_CHECK aq_status aq_line_cache_create(uint64_t most, aq_line_cache **out, aq_error *err);
void aq_line_cache_free(aq_line_cache *cache); /* NULL is fine */

/* Bytes [begin, end) of lines [first, first + count) of a matrix, which has `lines` of `line_bytes` bytes each, from
 * byte `at` of the tensor on. */
typedef struct aq_line_piece {
  size_t tensor;
  uint64_t at, lines, line_bytes;
  uint64_t first, count, begin, end;
} aq_line_piece;

/* The pieces one after another. *is_done: false when they are not in the cache, and better read one by one; nothing has
 * been written then. Any thread. */
AQ_MUST_CHECK aq_status aq_line_cache_read(aq_line_cache *cache, const aq_source *source, const aq_line_piece *piece,
                                           uint8_t *out, bool *is_done, aq_error *err);

#endif
