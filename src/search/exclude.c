/* exclude.c - tensors that a search or calibration leaves as they are. */
#include "search/exclude.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/pool.h"
#include "quant/scheme.h"
#include "tensor/shape.h"
#include "transform/row_job.h"

/* ---- values that are not finite ---- */

typedef struct looking {
  const aq_source *source;
  const aq_plan *plan;
  uint64_t *bad; /* of each tensor: the first such value, or UINT64_MAX */
} looking;

static aq_status look_at(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const looking *l = ctx;
  const aq_tensor_info *t = &l->source->tensors[i];
  (void)worker;
  l->bad[i] = UINT64_MAX;
  if (t->alias_of >= 0 || l->plan->entries[i].action != AQ_QUANTIZE) return AQ_OK;
  float *values = aq_malloc((size_t)AQ_MIN(t->num_params, AQ_BLOCK_PARAMS) * sizeof *values);
  if (values == NULL) return aq_fail_memory(err, (size_t)AQ_BLOCK_PARAMS * sizeof *values);
  aq_status status = AQ_OK;
  for (uint64_t at = 0; status == AQ_OK && at < t->num_params && l->bad[i] == UINT64_MAX; at += AQ_BLOCK_PARAMS) {
    const size_t n = (size_t)AQ_MIN(t->num_params - at, AQ_BLOCK_PARAMS);
    status = aq_source_read_f32(l->source, (size_t)i, at, n, values, err);
    const size_t first = status == AQ_OK ? aq_first_nonfinite(values, n) : n;
    if (first < n) l->bad[i] = at + first;
  }
  aq_free(values);
  return status;
}

aq_status aq_hint_keep(aq_status status, aq_error *err) {
  if (status != AQ_ERR_NONFINITE) return status;
  return aq_error_hint(
      err, status, "Check the model, keep the tensor (`keep_patterns`), or keep all such tensors (`nonfinite=keep`)");
}

static aq_status refuse(const looking *l, size_t tensor, aq_error *err) {
  aq_row_job job;
  AQ_TRY(aq_row_job_init(&job, l->source, tensor, &l->plan->entries[tensor], -1, -1, UINT64_MAX, err));
  job.bad_index = l->bad[tensor];
  return aq_hint_keep(aq_row_job_fail_bad(&job, err), err);
}

static aq_status settle(const looking *l, aq_nonfinite policy, aq_plan *plan, aq_error *err) {
  for (size_t i = 0; i < plan->count; i++) {
    if (l->bad[i] == UINT64_MAX) continue;
    if (policy != AQ_NONFINITE_KEEP) return refuse(l, i, err);
    AQ_TRY(aq_plan_entry_keep_nonfinite(&plan->entries[i], err));
  }
  return aq_plan_share_aliases(l->source->tensors, l->source->tensor_count, plan, err);
}

aq_status aq_exclude_nonfinite(const aq_source *source, aq_nonfinite policy, uint32_t threads, aq_plan *plan,
                               aq_error *err) {
  looking l = {source, plan, aq_calloc(AQ_MAX(plan->count, 1), sizeof *l.bad)};
  aq_pool *pool = NULL;
  aq_status status = l.bad != NULL ? aq_pool_create(threads, &pool, err) : aq_fail_memory(err, plan->count * 8);
  if (status == AQ_OK) status = aq_pool_run(pool, plan->count, look_at, &l, err);
  if (status == AQ_OK) status = settle(&l, policy, plan, err);
  aq_pool_free(pool);
  aq_free(l.bad);
  return status;
}

/* ---- vectors of an encoder ---- */

/* NULL: the tensor is none of them. Row 0 of the token types is part of every token, as the vectors are; there is
 * nothing to win. */
static const aq_weight *excluded_weight(const aq_model *model, size_t tensor) {
  const aq_weight *w = aq_model_find_tensor(model, tensor);
  return w != NULL && (w->kind == AQ_WEIGHT_VECTOR || w->role == AQ_ROLE_TOKEN_TYPE) ? w : NULL;
}

static aq_status keep_entry(aq_plan_entry *e, bool types, aq_error *err) {
  char *rule = aq_strdup(types ? "token types: part of every token" : "vector of the encoder: part of every token");
  if (rule == NULL) return aq_fail_memory(err, 64);
  aq_free(e->rule);
  e->rule = rule;
  e->action = AQ_KEEP;
  e->kept_by_default = true;
  return AQ_OK;
}

aq_status aq_exclude_vectors(aq_source *source, const aq_model *model, aq_plan *plan, aq_error *err) {
  for (size_t i = 0; i < plan->count; i++) {
    const size_t owner = aq_owner_of(source->tensors, i);
    const aq_weight *w = excluded_weight(model, i);
    if (w != NULL && aq_plan_entry_is_open(&plan->entries[owner], AQ_RD)) {
      AQ_TRY(keep_entry(&plan->entries[owner], w->kind != AQ_WEIGHT_VECTOR, err));
    }
  }
  AQ_TRY(aq_plan_share_aliases(source->tensors, source->tensor_count, plan, err));
  for (size_t i = 0; i < plan->count; i++) {
    aq_tensor_info *t = &source->tensors[i];
    if (t->alias_of < 0 || t->rank != 1 || plan->entries[i].action == AQ_QUANTIZE) continue;
    if (excluded_weight(model, i) == NULL && excluded_weight(model, (size_t)t->alias_of) == NULL) continue;
    t->alias_of = -1;
    plan->entries[i].tied = false;
  }
  return AQ_OK;
}
