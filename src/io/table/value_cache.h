/* value_cache.h - what was decompressed last, for reading a value piece by piece. */
#ifndef AQ_IO_TABLE_VALUE_CACHE_H
#define AQ_IO_TABLE_VALUE_CACHE_H

#include "arrowquant.h"
#include "parquet/parquet.h"

typedef struct aq_value_cache aq_value_cache;

/* A value of a table, and how it is decompressed: in blocks of AQ_PQ_BLOCK bytes, or only whole. */
typedef struct aq_cached_value {
  size_t group, column;
  uint64_t row, size;
  bool in_blocks;
} aq_cached_value;

AQ_MUST_CHECK aq_status aq_value_cache_create(aq_pq_reader *reader, aq_value_cache **out, aq_error *err);
void aq_value_cache_free(aq_value_cache *cache); /* NULL is fine */

/* Bytes [offset, offset + size) of a value, within it. Any thread. */
AQ_MUST_CHECK aq_status aq_value_cache_read(aq_value_cache *cache, const aq_cached_value *value, uint64_t offset,
                                            size_t size, void *out, aq_error *err);

#endif
