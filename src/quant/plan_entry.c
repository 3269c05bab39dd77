/* plan_entry.c - a plan's entries: releasing them, and saying in words what they are. */
#include <stdio.h>

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
  *plan = (aq_plan){NULL, 0};
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
