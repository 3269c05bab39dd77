/* decoded.h - a page of strings or binaries, decoded to one span a row, and the last such page of each column. */
#ifndef AQ_PARQUET_READ_DECODED_H
#define AQ_PARQUET_READ_DECODED_H

#include "parquet/read/values.h"

typedef struct aq_pq_decoded {
  const aq_pq_page *page;
  aq_pq_body body;
  aq_pq_dictionary dictionary; /* when the page needs one of its own */
  uint8_t *scratch;
  aq_pq_span *spans;   /* page->header.values of them */
  uint64_t plain_size; /* of all values, length prefixes included */
  uint32_t refs;       /* the slot's lock */
} aq_pq_decoded;

/* Decodes a page with a dictionary that outlives it (NULL: it loads its own when it needs one). */
AQ_MUST_CHECK aq_status aq_pq_decoded_make(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_pq_page *page,
                                           const aq_pq_dictionary *dictionary, aq_pq_decoded **out, aq_error *err);
void aq_pq_decoded_free(aq_pq_decoded *decoded); /* NULL is fine */

/* The same through the column's slot, which keeps the page until another one of the column is asked for, and while
 * somebody holds it. Give it back with aq_pq_decoded_put; forget: the slot need not keep it. Any thread. */
AQ_MUST_CHECK aq_status aq_pq_decoded_get(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_pq_page *page,
                                          aq_pq_decoded **out, aq_error *err);
void aq_pq_decoded_put(const aq_pq_column_chunk *chunk, aq_pq_decoded *decoded, bool forget);

#endif
