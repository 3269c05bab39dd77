/* values.h - the encodings of values, reading side. */
#ifndef AQ_PARQUET_READ_VALUES_H
#define AQ_PARQUET_READ_VALUES_H

#include "parquet/read/page_body.h"

/* Where the bytes of a string or binary value are. data is NULL for a null and never for an empty value. */
typedef struct aq_pq_span {
  const uint8_t *data;
  uint64_t size;
} aq_pq_span;

/* The dictionary of a chunk, decoded: integers or spans, as the column's type has it. Empty when there is none. */
typedef struct aq_pq_dictionary {
  aq_pq_body body;
  int64_t *integers;
  aq_pq_span *spans;
  uint32_t count;
} aq_pq_dictionary;

AQ_MUST_CHECK aq_status aq_pq_dictionary_load(const aq_pq_column_chunk *chunk, aq_pq_pages *pages,
                                              aq_pq_dictionary *dictionary, aq_error *err);
void aq_pq_dictionary_reset(aq_pq_dictionary *dictionary);

/* Decodes the `count` values of a page that are not null. Integers are widened, unsigned ones without a sign. */
AQ_MUST_CHECK aq_status aq_pq_values_integers(const aq_pq_column_chunk *chunk, const aq_pq_page *page,
                                              const aq_pq_body *body, const aq_pq_dictionary *dictionary,
                                              uint64_t count, int64_t *out, aq_error *err);

/* The spans point into the page, the dictionary, or *scratch (NULL or memory that the caller frees). */
AQ_MUST_CHECK aq_status aq_pq_values_spans(const aq_pq_column_chunk *chunk, const aq_pq_page *page,
                                           const aq_pq_body *body, const aq_pq_dictionary *dictionary, uint64_t count,
                                           aq_pq_span *out, uint8_t **scratch, aq_error *err);

#endif
