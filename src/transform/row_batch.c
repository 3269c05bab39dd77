/* row_batch.c - rows made together by all workers. */
#include "transform/row_batch.h"

#include "core/error.h"
#include "core/memory.h"

#define SLICE_BLOCKS 64 /* between two calls of the progress callback */

aq_status aq_row_batch_init(aq_row_batch *batch, uint32_t threads, aq_error *err) {
  AQ_TRY(aq_pool_create(threads, &batch->pool, err));
  batch->scratch = aq_calloc(threads, sizeof *batch->scratch);
  batch->rows = aq_calloc(AQ_BATCH_ROWS, sizeof *batch->rows);
  batch->block_first = aq_calloc(AQ_BATCH_ROWS + 1, sizeof *batch->block_first);
  if (batch->scratch == NULL || batch->rows == NULL || batch->block_first == NULL) {
    return aq_fail_memory(err, AQ_BATCH_ROWS * sizeof *batch->rows);
  }
  for (uint32_t i = 0; i < threads; i++) AQ_TRY(aq_scratch_allocate(&batch->scratch[i], err));
  return AQ_OK;
}

void aq_row_batch_clear(aq_row_batch *batch) {
  for (size_t i = 0; i < batch->count; i++) aq_row_job_reset(&batch->rows[i]);
  batch->count = 0;
  batch->bytes = 0;
}

void aq_row_batch_reset(aq_row_batch *batch) {
  aq_row_batch_clear(batch);
  for (uint32_t i = 0; batch->scratch != NULL && i < aq_pool_threads(batch->pool); i++) {
    aq_scratch_reset(&batch->scratch[i]);
  }
  aq_free(batch->scratch);
  aq_free(batch->rows);
  aq_free(batch->block_first);
  aq_pool_free(batch->pool);
  *batch = (aq_row_batch){.pool = NULL};
}

void aq_row_batch_add(aq_row_batch *batch, const aq_row_job *row, uint64_t bytes) {
  batch->rows[batch->count++] = *row;
  batch->bytes += bytes;
}

aq_status aq_row_batch_fill(void *ctx, uint64_t offset, size_t size, uint8_t *out, uint32_t worker, aq_error *err) {
  const aq_row_batch *batch = ctx;
  return aq_row_job_fill(&batch->rows[0], offset, size, out, &batch->scratch[worker], err);
}

/* ---- blocks ---- */

static size_t row_of_block(const aq_row_batch *batch, uint64_t block) {
  size_t lo = 0, hi = batch->count;
  while (hi - lo > 1) {
    const size_t middle = lo + (hi - lo) / 2;
    if (batch->block_first[middle] <= block) {
      lo = middle;
    } else {
      hi = middle;
    }
  }
  return lo;
}

typedef struct slice {
  const aq_row_batch *batch;
  uint64_t side;  /* items of the side work, which come first */
  uint64_t first; /* block */
  uint64_t *bad;  /* a block of the slice each */
} slice;

static aq_status run_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const slice *s = ctx;
  const aq_row_batch *batch = s->batch;
  if (item < s->side) return batch->side.run(batch->side.ctx, item, worker, err);
  const uint64_t i = item - s->side, block = s->first + i;
  const size_t row = row_of_block(batch, block);
  return aq_row_job_block(&batch->rows[row], block - batch->block_first[row], &batch->scratch[worker], &s->bad[i], err);
}

/* Progress of source bytes: by blocks, as they are about equal. */
static aq_status report_progress(const aq_row_batch *batch, aq_progress *progress, uint64_t done, uint64_t total,
                                 uint64_t *reported, aq_error *err) {
  const uint64_t now = done == total ? batch->bytes : batch->bytes / total * done, more = now - *reported;
  *reported = now;
  return aq_progress_add(progress, NULL, 0, more, err);
}

static aq_status run_slice(aq_row_batch *batch, uint64_t first, uint64_t count, aq_error *err) {
  uint64_t bad[SLICE_BLOCKS];
  slice s = {.batch = batch, .side = batch->side.run != NULL ? batch->side.count : 0, .first = first, .bad = bad};
  for (uint64_t i = 0; i < count; i++) bad[i] = UINT64_MAX;
  AQ_TRY(aq_pool_run(batch->pool, s.side + count, run_item, &s, err));
  batch->side.run = NULL;
  for (uint64_t i = 0; i < count; i++) {
    aq_row_job *row = &batch->rows[row_of_block(batch, first + i)];
    row->bad_index = AQ_MIN(row->bad_index, bad[i]);
  }
  return AQ_OK;
}

aq_status aq_row_batch_run(aq_row_batch *batch, aq_progress *progress, aq_error *err) {
  uint64_t reported = 0;
  batch->block_first[0] = 0;
  for (size_t i = 0; i < batch->count; i++) {
    AQ_TRY(aq_row_job_allocate(&batch->rows[i], err));
    batch->block_first[i + 1] = batch->block_first[i] + batch->rows[i].block_count;
  }
  const uint64_t total = batch->block_first[batch->count];
  if (total == 0) AQ_TRY(report_progress(batch, progress, 0, 0, &reported, err));
  for (uint64_t first = 0; first < total; first += SLICE_BLOCKS) {
    const uint64_t n = AQ_MIN(total - first, SLICE_BLOCKS);
    AQ_TRY(run_slice(batch, first, n, err));
    AQ_TRY(report_progress(batch, progress, first + n, total, &reported, err));
  }
  for (size_t i = 0; i < batch->count; i++) {
    if (batch->rows[i].bad_index != UINT64_MAX) return aq_row_job_fail_bad(&batch->rows[i], err);
  }
  return AQ_OK;
}

aq_status aq_row_batch_finish_side(aq_row_batch *batch, aq_error *err) {
  return batch->side.run != NULL ? run_slice(batch, 0, 0, err) : AQ_OK;
}
