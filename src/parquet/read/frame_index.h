/* frame_index.h - the zstd frames of a page, so that a piece of a large value costs a piece of the page. */
#ifndef AQ_PARQUET_READ_FRAME_INDEX_H
#define AQ_PARQUET_READ_FRAME_INDEX_H

#include "parquet/read/value_location.h"

typedef struct aq_pq_frame {
  uint64_t file_offset;
  uint64_t plain_start; /* in the page's decompressed bytes */
  uint32_t stored_size, plain_size;
} aq_pq_frame;

typedef struct aq_pq_frame_index {
  bool is_usable; /* else the page has to be decompressed whole */
  aq_pq_value_prefix prefix;
  aq_pq_frame *frames;
  size_t count;
} aq_pq_frame_index;

/* The frames of a page, found on first use by reading it through once (checking its CRC on the way), and kept with it.
 * Any thread. */
AQ_MUST_CHECK aq_status aq_pq_frame_index_get(const aq_pq_value_location *location, const aq_pq_frame_index **out,
                                              aq_error *err);
void aq_pq_frame_index_free(aq_pq_frame_index *frames); /* NULL is fine */

/* Decompressed bytes [start, start + size) of the page. */
AQ_MUST_CHECK aq_status aq_pq_frame_index_read(const aq_pq_value_location *location, const aq_pq_frame_index *frames,
                                               uint64_t start, size_t size, uint8_t *out, aq_error *err);

#endif
