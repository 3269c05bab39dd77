/* chunk_pages.h - the list of a chunk's pages. */
#ifndef AQ_PARQUET_READ_CHUNK_PAGES_H
#define AQ_PARQUET_READ_CHUNK_PAGES_H

#include "parquet/read/reader.h"

/* The pages of a chunk, found on first use by going from header to header; the reader keeps the list. Any thread. */
AQ_MUST_CHECK aq_status aq_pq_pages_get(const aq_pq_column_chunk *chunk, aq_pq_pages **out, aq_error *err);
void aq_pq_pages_free(aq_pq_pages *pages); /* NULL is fine */

/* The page that holds level `value` of the chunk; value < chunk->values. */
aq_pq_page *aq_pq_pages_find(const aq_pq_pages *pages, uint64_t value);

/* Header and body, in the file. */
uint64_t aq_pq_page_bytes(const aq_pq_page *page);

/* Whether the page's bytes stand in the file as they are. */
bool aq_pq_page_is_stored_plain(const aq_pq_column_chunk *chunk, const aq_pq_page *page);

#endif
