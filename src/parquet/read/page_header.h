/* page_header.h - one page of a column chunk, as its header describes it. */
#ifndef AQ_PARQUET_READ_PAGE_HEADER_H
#define AQ_PARQUET_READ_PAGE_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

typedef struct aq_pq_page_header {
  int32_t type;         /* AQ_PQ_PAGE_* */
  uint32_t stored_size; /* of the body, in the file */
  uint32_t plain_size;  /* of the body, decompressed */
  uint32_t values;      /* nulls included; entries of a dictionary */
  int32_t encoding, def_encoding, rep_encoding;
  uint32_t def_size, rep_size; /* DATA_V2: levels come first, uncompressed */
  uint32_t rows;               /* DATA_V2 */
  bool is_compressed;          /* unless the codec is none */
  bool has_crc;
  uint32_t crc;
} aq_pq_page_header;

/* Reads the header at `bytes`, at most `size` long; *used is its length. */
AQ_MUST_CHECK aq_status aq_pq_page_header_read(const uint8_t *bytes, size_t size, aq_pq_page_header *header,
                                               size_t *used, aq_error *err);

#endif
