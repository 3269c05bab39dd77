/* row_batch.h - consecutive rows that are made together: their blocks are shared out to all workers. */
#ifndef AQ_TRANSFORM_ROW_BATCH_H
#define AQ_TRANSFORM_ROW_BATCH_H

#include "core/pool.h"
#include "core/progress.h"
#include "transform/row_job.h"

#define AQ_BATCH_ROWS 4096 /* small tensors: bounds the bookkeeping */

/* Work that goes on beside the first blocks, since nothing of it is needed before the rows are written. */
typedef struct aq_side_work {
  aq_pool_fn run; /* NULL: there is none */
  void *ctx;
  uint64_t count; /* of items */
} aq_side_work;

typedef struct aq_row_batch {
  aq_pool *pool;         /* owned */
  aq_scratch *scratch;   /* one a worker */
  aq_row_job *rows;      /* AQ_BATCH_ROWS */
  uint64_t *block_first; /* of each row, by prefix sums; AQ_BATCH_ROWS + 1 */
  size_t count;
  uint64_t bytes; /* of the source, in its rows */
  aq_side_work side;
} aq_row_batch;

/* Zero-initialise; what there is after a failure is freed by the reset. */
AQ_MUST_CHECK aq_status aq_row_batch_init(aq_row_batch *batch, uint32_t threads, aq_error *err);
void aq_row_batch_reset(aq_row_batch *batch);

/* Takes a row over, which was found to fit: count is below AQ_BATCH_ROWS. */
void aq_row_batch_add(aq_row_batch *batch, const aq_row_job *row, uint64_t bytes);

/* Makes all rows. The first value that cannot be stored, in the order of the rows, is the error. */
AQ_MUST_CHECK aq_status aq_row_batch_run(aq_row_batch *batch, aq_progress *progress, aq_error *err);

/* What is left of the side work, when there were too few blocks for it. */
AQ_MUST_CHECK aq_status aq_row_batch_finish_side(aq_row_batch *batch, aq_error *err);

/* Frees the rows and begins anew. */
void aq_row_batch_clear(aq_row_batch *batch);

/* aq_fill_fn of a batch whose only row is large; ctx is the batch. */
aq_status aq_row_batch_fill(void *ctx, uint64_t offset, size_t size, uint8_t *out, uint32_t worker, aq_error *err);

#endif
