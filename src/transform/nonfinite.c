/* nonfinite.c - the policy for values that cannot be stored. */
#include "transform/nonfinite.h"

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/pool.h"
#include "transform/row_job.h"

typedef struct nonfinite_scan {
  const aq_source *source;
  const aq_plan *plan;
  uint64_t *block_first; /* of each tensor, by prefix sums; one more than tensors */
  uint64_t *bad;         /* of each block: index in its tensor of the first such value, or UINT64_MAX */
  aq_pool *pool;
  aq_scratch *scratch; /* one a worker */
} nonfinite_scan;

/* ---- the scan ---- */

static bool is_scanned(const nonfinite_scan *s, size_t i) {
  return !s->plan->entries[i].tied && s->plan->entries[i].action != AQ_KEEP;
}

static size_t tensor_of_block(const nonfinite_scan *s, uint64_t block) {
  size_t lo = 0, hi = s->plan->count;
  while (hi - lo > 1) {
    const size_t middle = lo + (hi - lo) / 2;
    if (s->block_first[middle] <= block) {
      lo = middle;
    } else {
      hi = middle;
    }
  }
  return lo;
}

static aq_status init_row(const nonfinite_scan *s, size_t tensor, aq_row_job *row, aq_error *err) {
  return aq_row_job_init(row, s->source, tensor, &s->plan->entries[tensor], -1, -1, UINT64_MAX, err);
}

static aq_status scan_block(void *ctx, uint64_t block, uint32_t worker, aq_error *err) {
  const nonfinite_scan *s = ctx;
  const size_t tensor = tensor_of_block(s, block);
  const uint64_t begin = (block - s->block_first[tensor]) * AQ_BLOCK_PARAMS;
  aq_row_job row;
  AQ_TRY(init_row(s, tensor, &row, err));
  s->bad[block] = UINT64_MAX;
  const aq_status status = aq_row_job_scan(&row, begin, AQ_MIN(begin + AQ_BLOCK_PARAMS, row.count), &s->scratch[worker],
                                           &s->bad[block], err);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, s->source->tensors[tensor].name);
}

static aq_status allocate_scan(nonfinite_scan *s, uint32_t threads, aq_error *err) {
  const size_t tensors = s->plan->count;
  AQ_TRY(aq_pool_create(threads, &s->pool, err));
  s->scratch = aq_calloc(aq_pool_threads(s->pool), sizeof *s->scratch);
  s->block_first = aq_calloc(tensors + 1, sizeof *s->block_first);
  if (s->scratch == NULL || s->block_first == NULL) return aq_fail_memory(err, (tensors + 1) * sizeof *s->block_first);
  for (uint32_t i = 0; i < aq_pool_threads(s->pool); i++) AQ_TRY(aq_scratch_allocate(&s->scratch[i], err));
  for (size_t i = 0; i < tensors; i++) {
    const uint64_t blocks = is_scanned(s, i) ? aq_div_up(s->source->tensors[i].num_params, AQ_BLOCK_PARAMS) : 0;
    AQ_FAIL_IF(!aq_add_ok(s->block_first[i], blocks, &s->block_first[i + 1]), AQ_ERR_FORMAT, "the model is too large");
  }
  size_t count;
  const bool fits = aq_to_size_ok(s->block_first[tensors], &count);
  s->bad = fits ? aq_calloc(AQ_MAX(count, 1), sizeof *s->bad) : NULL;
  return s->bad != NULL ? AQ_OK : aq_fail_memory(err, fits ? count * sizeof *s->bad : SIZE_MAX);
}

static void free_scan(nonfinite_scan *s) {
  for (uint32_t i = 0; s->scratch != NULL && i < aq_pool_threads(s->pool); i++) aq_scratch_reset(&s->scratch[i]);
  aq_free(s->scratch);
  aq_free(s->block_first);
  aq_free(s->bad);
  aq_pool_free(s->pool);
}

/* ---- the policy ---- */

aq_status aq_nonfinite_hint(aq_status status, aq_error *err) {
  if (status != AQ_ERR_NONFINITE) return status;
  return aq_error_hint(
      err, status, "Check the model, keep the tensor (`keep_patterns`), or keep all such tensors (`nonfinite=keep`)");
}

static aq_status refuse_value(const nonfinite_scan *s, size_t tensor, uint64_t index, aq_error *err) {
  aq_row_job row;
  AQ_TRY(init_row(s, tensor, &row, err));
  row.bad_index = index;
  return aq_nonfinite_hint(aq_row_job_fail_bad(&row, err), err);
}

static aq_status apply_policy(const nonfinite_scan *s, aq_nonfinite policy, aq_plan *plan, aq_error *err) {
  for (size_t i = 0; i < plan->count; i++) {
    uint64_t block = s->block_first[i];
    while (block < s->block_first[i + 1] && s->bad[block] == UINT64_MAX) block++;
    if (block == s->block_first[i + 1]) continue;
    if (policy != AQ_NONFINITE_KEEP) return refuse_value(s, i, s->bad[block], err);
    AQ_TRY(aq_plan_entry_keep_nonfinite(&plan->entries[i], err));
  }
  return policy == AQ_NONFINITE_KEEP ? aq_plan_share_ties(plan, err) : AQ_OK;
}

aq_status aq_nonfinite_settle(const aq_source *source, aq_nonfinite policy, uint32_t threads, aq_plan *plan,
                              aq_error *err) {
  nonfinite_scan s = {.source = source, .plan = plan};
  aq_status status = allocate_scan(&s, threads, err);
  if (status == AQ_OK) status = aq_pool_run(s.pool, s.block_first[plan->count], scan_block, &s, err);
  if (status == AQ_OK) status = apply_policy(&s, policy, plan, err);
  free_scan(&s);
  return status;
}
