/* source_plan.c - the plan for a source, and its checks; plans of their own, as callers have them. */
#include "ops/source_plan.h"

#include <string.h>

#include "arrowquant_experimental.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "ops/export_plan.h"
#include "transform/nonfinite.h"

#define PLAN_FILE_LIMIT ((size_t)256 << 20)

static aq_status load_plan(const aq_source *source, const aq_tensor_info *tensors, const char *path, aq_plan *plan,
                           aq_error *err) {
  char *text;
  size_t size;
  AQ_TRY(aq_file_slurp(path, PLAN_FILE_LIMIT, &text, &size, err));
  const aq_status status = aq_plan_from_text(text, size, tensors, source->tensor_count, plan, err);
  aq_free(text);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, path);
}

static aq_status check_requantize(const aq_source *source, const aq_plan *plan, const aq_quantize_options *o,
                                  aq_error *err) {
  for (size_t i = 0; !o->allow_requantize && i < source->tensor_count; i++) {
    const aq_tensor_info *t = &source->tensors[i];
    if (t->quant_type == AQ_KEPT || plan->entries[i].action == AQ_KEEP) continue;
    (void)aq_fail(err, AQ_ERR_REQUANTIZE, "is %s already; quantizing it again adds error to error",
                  aq_quant_type_name(t->quant_type));
    (void)aq_error_hint(err, AQ_ERR_REQUANTIZE, "Start from the original model, %suse `allow_requantize=true`",
                        o->keep_codes ? "or " : "keep the codes (`keep_codes=true`), or ");
    (void)aq_error_in_tensor(err, AQ_ERR_REQUANTIZE, t->name);
    return aq_error_in_file(err, AQ_ERR_REQUANTIZE, source->path);
  }
  return AQ_OK;
}

aq_status aq_source_plan_check_strict(const aq_plan *plan, aq_error *err) {
  for (size_t i = 0; i < plan->count; i++) {
    if (!plan->entries[i].unexpected) continue;
    (void)aq_fail(err, AQ_ERR_DEGRADED, "was kept (%s), and strict was asked for", plan->entries[i].rule);
    (void)aq_error_hint(err, AQ_ERR_DEGRADED, "Name it with `keep_patterns`, or give it a type with `tensor_rules`");
    return aq_error_in_tensor(err, AQ_ERR_DEGRADED, plan->entries[i].name);
  }
  return AQ_OK;
}

aq_status aq_source_plan_make(const aq_source *source, const aq_tensor_info *tensors,
                              const aq_quantize_options *options, aq_plan *plan, aq_error *err) {
  const aq_file_format *format;
  aq_quantize_options o = *options;
  AQ_TRY(aq_export_plan_format(&o, &format, err));
  if (format != NULL) aq_export_plan_options(format, &o);
  AQ_TRY(o.plan_path != NULL ? load_plan(source, tensors, o.plan_path, plan, err)
                             : aq_plan_make(tensors, source->tensor_count, &o, plan, err));
  AQ_TRY(check_requantize(source, plan, &o, err));
  if (format != NULL) AQ_TRY(aq_export_plan_fit(format, source, tensors, plan, err));
  return o.strict ? aq_source_plan_check_strict(plan, err) : AQ_OK;
}

/* ---- plans of callers ---- */

/* Hands out a plan that stands alone; takes `plan` over whatever happens. */
static aq_status hand_out(aq_status status, aq_plan *plan, const aq_tensor_info *tensors, aq_plan **out,
                          aq_error *err) {
  if (status == AQ_OK) status = aq_plan_keep_tensors(plan, tensors, err);
  aq_plan *made = status == AQ_OK ? aq_calloc(1, sizeof *made) : NULL;
  if (status == AQ_OK && made == NULL) status = aq_fail_memory(err, sizeof *made);
  if (status != AQ_OK) {
    aq_plan_reset(plan);
    return status;
  }
  *made = *plan;
  *out = made;
  return AQ_OK;
}

aq_status aq_plan_create(const aq_source *source, const aq_quantize_options *options, aq_plan **out, aq_error *err) {
  aq_error_clear(err);
  AQ_FAIL_IF(out == NULL, AQ_ERR_ARGUMENT, "a place for the plan is needed");
  *out = NULL;
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  aq_quantize_options o;
  aq_tensor_info *tensors;
  aq_plan plan = {NULL, 0, NULL};
  AQ_TRY(aq_options_read(&o, sizeof o, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&o.run, "run", err));
  AQ_FAIL_IF((unsigned)o.nonfinite > AQ_NONFINITE_KEEP, AQ_ERR_ARGUMENT, "nonfinite %d is not known", (int)o.nonfinite);
  if (o.target_size > 0 || o.target_bpw > 0 || o.min_similarity > 0 || o.max_kl > 0) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "a target needs a search, which a plan alone does not make");
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Quantize with `save_plan_path`, and parse what it wrote");
  }
  AQ_TRY(aq_source_find_ties(source, &tensors, err));
  aq_status status = aq_source_plan_make(source, tensors, &o, &plan, err);
  if (status == AQ_OK && o.nonfinite == AQ_NONFINITE_KEEP) {
    status = aq_nonfinite_settle(source, o.nonfinite, o.run.threads, &plan, err);
    if (status == AQ_OK && o.strict) status = aq_source_plan_check_strict(&plan, err);
  }
  status = hand_out(status, &plan, tensors, out, err);
  aq_free(tensors);
  return status;
}

aq_status aq_plan_parse(const aq_source *source, const char *text, size_t length, aq_plan **out, aq_error *err) {
  aq_error_clear(err);
  AQ_FAIL_IF(out == NULL, AQ_ERR_ARGUMENT, "a place for the plan is needed");
  *out = NULL;
  AQ_FAIL_IF(source == NULL || text == NULL, AQ_ERR_ARGUMENT, "a source and a text are needed");
  aq_tensor_info *tensors;
  aq_plan plan;
  AQ_TRY(aq_source_find_ties(source, &tensors, err));
  const aq_status parsed = aq_plan_from_text(text, length, tensors, source->tensor_count, &plan, err);
  const aq_status status = hand_out(parsed, &plan, tensors, out, err);
  aq_free(tensors);
  return status;
}

aq_status aq_plan_render(const aq_plan *plan, char **out, aq_error *err) {
  aq_error_clear(err);
  AQ_FAIL_IF(out == NULL, AQ_ERR_ARGUMENT, "a place for the text is needed");
  *out = NULL;
  AQ_FAIL_IF(plan == NULL, AQ_ERR_ARGUMENT, "a plan is needed");
  return aq_plan_to_text(plan, plan->tensors, out, err);
}

void aq_plan_free(aq_plan *plan) {
  if (plan == NULL) return;
  aq_plan_reset(plan);
  aq_free(plan);
}
