/* decode_all.c - reading every value of a source.
 *
 * Tensors are taken in batches of about BATCH_BLOCKS blocks: enough work for all threads at a time, and often enough
 * back in the calling thread, which alone may report progress. */
#include "ops/decode_all.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "io/source.h"
#include "tensor/dtype.h"

#define BLOCK ((uint64_t)1 << 18) /* 1 MiB as FP32 */
enum { BATCH_BLOCKS = 256 };

typedef struct decode_item {
  size_t tensor;
  uint64_t first;
} decode_item;

typedef struct decode_job {
  const aq_source *source;
  decode_item items[BATCH_BLOCKS];
  size_t count;
  float **scratch; /* a worker: BLOCK values, made when first needed */
  aq_block_fn look;
  void *ctx;
} decode_job;

/* Of an opaque dtype there are no values to look at: its bytes are read, so that damage is found all the same. */
static aq_status read_opaque(const aq_source *source, size_t tensor, uint64_t first, size_t n, float *room,
                             aq_error *err) {
  const uint64_t bits = aq_dtype_bits(source->tensors[tensor].dtype);
  const uint64_t end = (first + n) * bits / 8;
  for (uint64_t at = first * bits / 8; at < end; at += BLOCK) {
    AQ_TRY(aq_source_read_bytes(source, tensor, at, (size_t)AQ_MIN(end - at, BLOCK), room, err));
  }
  return AQ_OK;
}

static aq_status decode_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  decode_job *job = ctx;
  if (job->scratch[worker] == NULL) {
    job->scratch[worker] = aq_realloc_array(NULL, BLOCK, sizeof(float));
    if (job->scratch[worker] == NULL) return aq_fail_memory(err, BLOCK * sizeof(float));
  }
  const decode_item *it = &job->items[item];
  const aq_tensor_info *t = &job->source->tensors[it->tensor];
  const size_t n = (size_t)AQ_MIN(t->num_params - it->first, BLOCK);
  if (aq_dtype_is_opaque(t->dtype))
    return read_opaque(job->source, it->tensor, it->first, n, job->scratch[worker], err);
  AQ_TRY(aq_source_read_f32(job->source, it->tensor, it->first, n, job->scratch[worker], err));
  if (job->look != NULL) job->look(job->ctx, it->tensor, job->scratch[worker], n, worker);
  return AQ_OK;
}

static aq_status run_batch(decode_job *job, aq_pool *pool, aq_error *err) {
  const size_t count = job->count;
  job->count = 0;
  return count > 0 ? aq_pool_run(pool, count, decode_block, job, err) : AQ_OK;
}

/* Queues the blocks of one tensor, running full batches. */
static aq_status queue_tensor(decode_job *job, size_t tensor, aq_pool *pool, aq_progress *progress, aq_error *err) {
  const aq_tensor_info *info = aq_source_tensor(job->source, tensor);
  if (info->alias_of < 0) {
    for (uint64_t first = 0; first < info->num_params; first += BLOCK) {
      job->items[job->count++] = (decode_item){tensor, first};
      if (job->count < BATCH_BLOCKS) continue;
      AQ_TRY(run_batch(job, pool, err));
      AQ_TRY(aq_progress_add(progress, info->name, 0, 0, err));
    }
  }
  return aq_progress_add(progress, info->name, 1, info->data_bytes, err);
}

aq_status aq_decode_all(const aq_source *source, aq_pool *pool, const aq_run_options *run, const char *stage,
                        aq_block_fn look, void *ctx, aq_error *err) {
  const uint32_t workers = aq_pool_threads(pool);
  const size_t tensors = aq_source_tensor_count(source);
  decode_job *job = aq_calloc(1, sizeof *job);
  float **scratch = aq_calloc(workers, sizeof *scratch);
  aq_status status = AQ_OK;
  if (job == NULL || scratch == NULL) {
    status = aq_fail_memory(err, sizeof *job);
    goto done;
  }
  *job = (decode_job){.source = source, .scratch = scratch, .look = look, .ctx = ctx};
  aq_progress progress;
  uint64_t bytes = 0;
  for (size_t i = 0; i < tensors; i++) bytes += aq_source_tensor(source, i)->data_bytes;
  aq_progress_begin(&progress, run, stage, tensors, bytes);
  for (size_t i = 0; status == AQ_OK && i < tensors; i++) status = queue_tensor(job, i, pool, &progress, err);
  if (status == AQ_OK) status = run_batch(job, pool, err);
done:
  for (uint32_t w = 0; scratch != NULL && w < workers; w++) aq_free(scratch[w]);
  aq_free(scratch);
  aq_free(job);
  return status;
}
