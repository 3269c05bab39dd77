/* table_estimate.h - how large a table will be at most, and how much memory it takes to write it. */
#ifndef AQ_TRANSFORM_TABLE_ESTIMATE_H
#define AQ_TRANSFORM_TABLE_ESTIMATE_H

#include "transform/table_metadata.h"
#include "transform/transform.h"

/* Bytes of data, scales and zero points before compression, of everything else in the file (headers, gaps, footer,
 * metadata), and of working memory, that the transform would take at most. */
typedef struct aq_table_estimate {
  uint64_t file_bytes, overhead_bytes, memory_bytes;
} aq_table_estimate;
AQ_MUST_CHECK aq_status aq_table_estimate_make(const aq_transform *transform, const aq_table_metadata *metadata,
                                               aq_table_estimate *out, aq_error *err);

#endif
