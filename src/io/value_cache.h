/* value_cache.h - the last values that were decoded whole, for reading them range by range. */
#ifndef AQ_IO_VALUE_CACHE_H
#define AQ_IO_VALUE_CACHE_H

#include "arrowquant.h"
#include "parquet/parquet.h"

typedef struct aq_value_cache aq_value_cache;

AQ_MUST_CHECK aq_status aq_value_cache_create(aq_pq_reader *reader, aq_value_cache **out, aq_error *err);
void aq_value_cache_free(aq_value_cache *cache); /* NULL is fine */

/* Bytes [offset, offset + size) of a value, which is decoded at the first such call. Any thread. */
AQ_MUST_CHECK aq_status aq_value_cache_read(aq_value_cache *cache, size_t group, size_t column, uint64_t row,
                                            uint64_t offset, size_t size, void *out, aq_error *err);

#endif
