/* values_delta_bytes.h - the DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY encodings. */
#ifndef AQ_PARQUET_READ_VALUES_DELTA_BYTES_H
#define AQ_PARQUET_READ_VALUES_DELTA_BYTES_H

#include "parquet/read/values.h"

/* Spans into the page. */
AQ_MUST_CHECK aq_status aq_delta_lengths_decode(const aq_pq_reader *reader, const aq_pq_body *body, uint64_t count,
                                                aq_pq_span *out, aq_error *err);

/* Spans into *scratch, which the caller frees; left NULL on failure. */
AQ_MUST_CHECK aq_status aq_delta_bytes_decode(const aq_pq_column_chunk *chunk, const aq_pq_body *body, uint64_t count,
                                              aq_pq_span *out, uint8_t **scratch, aq_error *err);

#endif
