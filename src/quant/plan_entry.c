/* plan_entry.c - a plan's entries: releasing them, and saying in words what they are. */
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "quant/plan.h"
#include "quant/plan_spec.h"
#include "quant/rule_words.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

void aq_plan_reset(aq_plan *plan) {
  for (size_t i = 0; i < plan->count; i++) {
    aq_free(plan->entries[i].name);
    aq_free(plan->entries[i].rule);
    aq_plan_entry_drop_scales(&plan->entries[i]);
  }
  aq_free(plan->entries);
  aq_free(plan->tensors);
  *plan = (aq_plan){NULL, 0, NULL};
}

aq_status aq_plan_keep_tensors(aq_plan *plan, const aq_tensor_info *tensors, aq_error *err) {
  aq_tensor_info *own = aq_calloc(AQ_MAX(plan->count, 1), sizeof *own);
  if (own == NULL) return aq_fail_memory(err, plan->count * sizeof *own);
  for (size_t i = 0; i < plan->count; i++) {
    own[i] = tensors[i];
    own[i].name = plan->entries[i].name;
  }
  aq_free(plan->tensors);
  plan->tensors = own;
  return AQ_OK;
}

/* *out: a copy of `count` floats, NULL of NULL. */
static bool copy_floats(const float *from, uint64_t count, float **out) {
  *out = from != NULL ? aq_realloc_array(NULL, (size_t)AQ_MAX(count, 1), sizeof *from) : NULL;
  if (*out != NULL) memcpy(*out, from, (size_t)count * sizeof *from);
  return from == NULL || *out != NULL;
}

static bool copy_entry(const aq_plan_entry *from, aq_plan_entry *to) {
  *to = *from;
  to->name = aq_strdup(from->name);
  to->rule = aq_strdup(from->rule);
  const bool scales = copy_floats(from->scales, from->scale_count, &to->scales);
  const bool zeros = copy_floats(from->zero_points, from->scale_count, &to->zero_points);
  return to->name != NULL && to->rule != NULL && scales && zeros;
}

aq_status aq_plan_copy(const aq_plan *plan, aq_plan *out, aq_error *err) {
  *out = (aq_plan){aq_calloc(AQ_MAX(plan->count, 1), sizeof *out->entries), 0, NULL};
  bool copied = out->entries != NULL;
  for (size_t i = 0; copied && i < plan->count; i++) {
    out->count = i + 1;
    copied = copy_entry(&plan->entries[i], &out->entries[i]);
  }
  const aq_status status =
      copied ? aq_plan_keep_tensors(out, plan->tensors, err) : aq_fail_memory(err, plan->count * sizeof *out->entries);
  if (status != AQ_OK) aq_plan_reset(out);
  return status;
}

void aq_plan_entry_drop_scales(aq_plan_entry *entry) {
  aq_free(entry->scales);
  aq_free(entry->zero_points);
  entry->scales = entry->zero_points = NULL;
  entry->scale_count = 0;
}

aq_status aq_plan_entry_keep_nonfinite(aq_plan_entry *entry, aq_error *err) {
  char *rule = aq_strdup(AQ_RULE_NONFINITE);
  if (rule == NULL) return aq_fail_memory(err, sizeof AQ_RULE_NONFINITE);
  aq_free(entry->rule);
  entry->rule = rule;
  entry->action = AQ_KEEP;
  entry->unexpected = true;
  return AQ_OK;
}

uint64_t aq_plan_entry_bytes(const aq_tensor_info *t, const aq_plan_entry *e) {
  uint64_t bytes = 0;
  switch (e->action) {
    case AQ_KEEP:
      return t->data_bytes + t->num_scales * 2 * sizeof(float);
    case AQ_CONVERT:
      return t->num_params * aq_dtype_size(e->dtype);
    case AQ_QUANTIZE:
      break;
  }
  if (!aq_packed_bytes_ok(t->num_params, e->scheme.type, &bytes)) return UINT64_MAX;
  return bytes + 2 * sizeof(float) * aq_scale_count(t->shape, t->rank, t->num_params, e->quant_axis, e->group_size);
}

static const char *converted_name(aq_dtype dtype) {
  return dtype == AQ_F16 ? "fp16" : dtype == AQ_BF16 ? "bf16" : "fp32";
}

const char *aq_plan_entry_type(const aq_plan_entry *entry) {
  if (entry->action == AQ_KEEP) return "kept";
  return entry->action == AQ_CONVERT ? converted_name(entry->dtype) : aq_quant_type_name(entry->scheme.type);
}

const char *aq_plan_entry_text(const aq_plan_entry *entry, char *out, size_t size) {
  const char *type = aq_plan_entry_type(entry);
  if (entry->action != AQ_QUANTIZE) {
    (void)snprintf(out, size, "%s", type);
    return out;
  }
  char per[32];
  if (entry->group_size > 0) {
    (void)snprintf(per, sizeof per, "g%d", (int)entry->group_size);
  } else {
    (void)snprintf(per, sizeof per, "per %s", entry->quant_axis < 0 ? "tensor" : "channel");
  }
  (void)snprintf(out, size, "%s %s %s %s", type, per, entry->scheme.symmetric ? "sym" : "asym",
                 aq_method_name(entry->scheme.method));
  return out;
}
