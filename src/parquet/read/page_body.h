/* page_body.h - what is in a page: repetition levels, definition levels, encoded values. */
#ifndef AQ_PARQUET_READ_PAGE_BODY_H
#define AQ_PARQUET_READ_PAGE_BODY_H

#include "parquet/read/reader.h"

typedef struct aq_pq_body {
  uint8_t *owned; /* NULL: the parts lie in the mapped file */
  const uint8_t *rep, *def, *values;
  uint64_t rep_size, def_size, values_size;
} aq_pq_body;

/* Checks the CRC (once a page, unless the reader skips them) and decompresses. Reset with aq_pq_body_reset. */
AQ_MUST_CHECK aq_status aq_pq_body_load(const aq_pq_column_chunk *chunk, aq_pq_page *page, aq_pq_body *body,
                                        aq_error *err);
void aq_pq_body_reset(aq_pq_body *body);

/* Cuts the parts of a data page from `bytes`, the first `size` of what the levels and values are when decompressed
 * (DATA_V2: its body as stored); values_size counts to the end of the page, whatever size is. */
AQ_MUST_CHECK aq_status aq_pq_body_cut(const aq_pq_column_chunk *chunk, const aq_pq_page_header *header,
                                       const uint8_t *bytes, uint64_t size, aq_pq_body *body, aq_error *err);

/* One level a value of the page, checked against the schema. A column without such levels gets zeroes for repetition
 * and its maximum for definition. */
AQ_MUST_CHECK aq_status aq_pq_body_def_levels(const aq_pq_column_chunk *chunk, const aq_pq_page *page,
                                              const aq_pq_body *body, uint8_t *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_pq_body_rep_levels(const aq_pq_column_chunk *chunk, const aq_pq_page *page,
                                              const aq_pq_body *body, uint8_t *out, aq_error *err);

/* Whether the reader should look at the CRC of a page, and saying that it was right. */
bool aq_pq_page_needs_crc(const aq_pq_column_chunk *chunk, aq_pq_page *page);
void aq_pq_page_set_verified(const aq_pq_column_chunk *chunk, aq_pq_page *page);
aq_status aq_pq_page_fail_crc(const aq_pq_page *page, uint32_t found, aq_error *err);

#endif
