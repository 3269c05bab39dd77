/* transform_limits.h - how much a transform holds at a time, under the caller's memory limit. */
#ifndef AQ_TRANSFORM_TRANSFORM_LIMITS_H
#define AQ_TRANSFORM_TRANSFORM_LIMITS_H

#include "arrowquant.h"

#define AQ_MIB ((uint64_t)1 << 20)
#define AQ_WORKER_BYTES (8 * AQ_MIB) /* scratch of ours, and the sink's, for each thread */

typedef struct aq_transform_limits {
  uint32_t threads;
  uint64_t part_bytes;      /* FP32 bytes of a tensor from which on it is written in parts */
  uint64_t batch_bytes;     /* of the source, in a batch of rows */
  uint64_t large_bytes;     /* of a row's data, from which on it is streamed */
  uint64_t row_group_bytes; /* of a table */
} aq_transform_limits;

/* Threads are given up first, then the size of batches. AQ_ERR_ARGUMENT: so little memory cannot do; the hint says how
 * much can. */
AQ_MUST_CHECK aq_status aq_transform_limits_find(const aq_run_options *run, const aq_table_options *table,
                                                 aq_transform_limits *out, aq_error *err);

#endif
