/* value_location.h - where one string or binary value is, without decoding what lies before it. */
#ifndef AQ_PARQUET_READ_VALUE_LOCATION_H
#define AQ_PARQUET_READ_VALUE_LOCATION_H

#include "parquet/read/chunk_pages.h"

/* A value and the page that holds it. */
typedef struct aq_pq_value_location {
  aq_pq_column_chunk chunk;
  aq_pq_pages *pages;
  aq_pq_page *page;
  uint64_t index; /* within the page */
} aq_pq_value_location;

/* Where the only value of a page lies in the page's decompressed bytes. */
typedef struct aq_pq_value_prefix {
  bool is_null;
  uint64_t start, size;
} aq_pq_value_prefix;

/* Finds the page of a row of a STRING or BINARY column. */
AQ_MUST_CHECK aq_status aq_pq_value_locate(aq_pq_reader *reader, size_t group, size_t column, uint64_t row,
                                           aq_pq_value_location *location, aq_error *err);

/* Looks at the first bytes of a page that holds one PLAIN value, reading by position and not through the map. false
 * when the page is not like that, or its codec cannot stop early, or something is wrong with it: decode it whole. */
bool aq_pq_value_prefix_read(const aq_pq_value_location *location, aq_pq_value_prefix *prefix);

#endif
