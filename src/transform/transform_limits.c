/* transform_limits.c - how much a transform holds at a time. */
#include "transform/transform_limits.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/pool.h"
#include "transform/row_job.h"

#define DEFAULT_BATCH_BYTES (64 * AQ_MIB)
#define DEFAULT_LARGE_BYTES (32 * AQ_MIB)

aq_status aq_transform_limits_find(const aq_run_options *run, const aq_table_options *table, aq_transform_limits *out,
                                   aq_error *err) {
  const uint64_t limit = run->max_memory, least = AQ_WORKER_BYTES + 16 * AQ_MIB;
  out->threads = run->threads != 0 ? run->threads : aq_cpu_count();
  out->part_bytes = table->part_bytes != 0 ? table->part_bytes : AQ_DEFAULT_PART_BYTES;
  out->batch_bytes = DEFAULT_BATCH_BYTES;
  out->large_bytes = DEFAULT_LARGE_BYTES;
  out->row_group_bytes = table->row_group_bytes != 0 ? table->row_group_bytes : DEFAULT_BATCH_BYTES;
  if (limit == 0) return AQ_OK;
  if (limit < least) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "the memory limit of %llu bytes is too low; at least %llu are needed",
                  (unsigned long long)limit, (unsigned long long)least);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Use `max_memory=%lluMiB` or more",
                         (unsigned long long)(least / AQ_MIB));
  }
  while (out->threads > 1 && out->threads * AQ_WORKER_BYTES > limit / 2) --out->threads;
  /* A batch is held up to three times: as results, in the sink's row group, and compressed there. */
  const uint64_t share = (limit - out->threads * AQ_WORKER_BYTES) / 3;
  out->batch_bytes = AQ_MIN(out->batch_bytes, share);
  out->large_bytes = AQ_MIN(out->large_bytes, share);
  out->row_group_bytes = AQ_MIN(out->row_group_bytes, out->batch_bytes);
  return AQ_OK;
}
