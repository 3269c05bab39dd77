/* exclude.c - tensors that a search or calibration leaves as they are. */
#include "search/exclude.h"

#include "core/error.h"
#include "core/memory.h"
#include "tensor/shape.h"

/* NULL: the tensor is none of them. Row 0 of the token types is part of every token, as the vectors are, and a bias by
 * distance of every layer; there is nothing to win. */
static const aq_weight *excluded_weight(const aq_model *model, size_t tensor) {
  const aq_weight *w = aq_model_find_tensor(model, tensor);
  return w != NULL && (w->kind == AQ_WEIGHT_VECTOR || w->role == AQ_ROLE_TOKEN_TYPE || w->role == AQ_ROLE_POSITION_BIAS)
             ? w
             : NULL;
}

static const char *reason_of(const aq_weight *w) {
  if (w->role == AQ_ROLE_POSITION_BIAS) return "biases by distance: part of every layer";
  return w->kind == AQ_WEIGHT_VECTOR ? "vector of the encoder: part of every token"
                                     : "token types: part of every token";
}

static aq_status keep_entry(aq_plan_entry *e, const aq_weight *w, aq_error *err) {
  char *rule = aq_strdup(reason_of(w));
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
      AQ_TRY(keep_entry(&plan->entries[owner], w, err));
    }
  }
  AQ_TRY(aq_plan_share_ties(plan, err));
  for (size_t i = 0; i < plan->count; i++) {
    aq_tensor_info *t = &source->tensors[i];
    if (t->alias_of < 0 || t->rank != 1 || plan->entries[i].action == AQ_QUANTIZE) continue;
    if (excluded_weight(model, i) == NULL && excluded_weight(model, (size_t)t->alias_of) == NULL) continue;
    t->alias_of = -1;
    plan->entries[i].tied = false;
  }
  return AQ_OK;
}
