/* plan.c - from options to what every tensor becomes.
 *
 * Three layers, each over the one before: what options say for every tensor, tensor rules in their order, keep
 * patterns. Without a rule only floating-point tensors of rank >= 2 with at least 1024 elements are quantized: vectors
 * and small tensors are a few kilobytes of a model and sensitive. A rule that names such a tensor exactly takes it all
 * the same; a rule whose pattern matches tensors of both kinds (encoder.*=int4 matches biases too) takes the others,
 * and one that matches only such tensors takes them, since nothing else can have been meant.
 *
 * Tied tensors share their bytes and therefore one entry: a rule that matches one of the names is for all of them. */
#include "quant/plan.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "quant/nearest.h"
#include "quant/pattern.h"
#include "quant/plan_spec.h"
#include "quant/quantized_layer.h"
#include "quant/rule_words.h"
#include "tensor/dtype.h"

enum { SMALL_TENSOR = 1024 };

typedef struct planner {
  const aq_tensor_info *tensors;
  size_t count;
  const aq_quantize_options *options;
  aq_quantized_layers layers; /* of another tool */
  aq_spec base;
  aq_plan *plan;
} planner;

/* ---- what is quantized without being named ---- */

bool aq_plan_is_quantizable(const aq_tensor_info *t) {
  return t->dtype == AQ_F64 || t->dtype == AQ_F32 || t->dtype == AQ_F16 || t->dtype == AQ_BF16;
}

/* Why a tensor is kept unless it is named, in words; an empty string when it is not. */
static const char *reason_to_keep(const aq_tensor_info *t, bool quantize_1d) {
  if (t->dtype == AQ_BOOL) return "boolean tensor";
  if (aq_dtype_is_opaque(t->dtype)) return "bytes of an unsupported dtype";
  if (!aq_dtype_is_float(t->dtype)) return "integer tensor";
  if (!aq_plan_is_quantizable(t)) return "8-bit floating-point tensor";
  if (t->num_params == 0) return "empty tensor";
  if (t->rank == 0) return "scalar";
  if (quantize_1d) return "";
  if (t->rank == 1) return "1-D tensor";
  return t->num_params < SMALL_TENSOR ? "small tensor" : "";
}

/* Of a layer that another tool quantized: codes again, or scales rounded, are the end of it. */
static bool is_quantized_elsewhere(const planner *p, size_t i) {
  return p->layers.members != NULL && p->layers.members[i];
}

static const char *default_reason(const planner *p, size_t i) {
  const aq_tensor_info *t = &p->tensors[i];
  if (p->options->keep_codes && t->quant_type != AQ_KEPT) return AQ_RULE_CODES;
  return is_quantized_elsewhere(p, i) && !aq_dtype_is_opaque(t->dtype) ? "of a layer that another tool quantized"
                                                                       : reason_to_keep(t, p->options->quantize_1d);
}

static bool is_kept_unless_named(const planner *p, size_t i) { return default_reason(p, i)[0] != '\0'; }

/* The tensor that holds the bytes of tensor i. */
static size_t owner_of(const planner *p, size_t i) {
  const int32_t owner = p->tensors[i].alias_of;
  return owner >= 0 && (size_t)owner < p->count ? (size_t)owner : i;
}

/* ---- entries ---- */

static aq_status set_rule(aq_plan_entry *entry, char *rule, aq_error *err) {
  if (rule == NULL) return aq_fail_memory(err, 1);
  aq_free(entry->rule);
  entry->rule = rule;
  return AQ_OK;
}

static aq_status plan_default(const planner *p, size_t i, aq_error *err) {
  static const aq_spec keep = {.has_type = true, .action = AQ_KEEP};
  const aq_tensor_info *t = &p->tensors[i];
  aq_plan_entry *entry = &p->plan->entries[i];
  const char *reason = default_reason(p, i);
  const bool kept = reason[0] != '\0';
  aq_spec_apply(kept ? &keep : &p->base, t, entry);
  entry->kept_by_default = kept;
  entry->unexpected = kept && aq_dtype_is_float(t->dtype) && t->rank >= 2 && t->num_params >= SMALL_TENSOR &&
                      t->quant_type == AQ_KEPT &&
                      !(is_quantized_elsewhere(p, i) && aq_plan_is_quantizable(t)); /* scales are not weights */
  const char *type = p->options->type == NULL ? "int8" : p->options->type;
  return set_rule(entry, kept ? aq_strdup(reason) : aq_format("default %s", type), err);
}

static aq_status plan_by_rule(const planner *p, size_t i, const aq_spec *spec, const char *option, const char *text,
                              aq_error *err) {
  aq_plan_entry *entry = &p->plan->entries[owner_of(p, i)];
  aq_spec_apply(spec, &p->tensors[i], entry);
  entry->kept_by_default = entry->unexpected = false;
  return set_rule(entry, aq_format("%s '%s'", option, text), err);
}

static aq_status create_entries(const planner *p, aq_error *err) {
  aq_plan *plan = p->plan;
  plan->entries = aq_calloc(p->count, sizeof *plan->entries);
  if (plan->entries == NULL && p->count > 0) return aq_fail_memory(err, p->count * sizeof *plan->entries);
  plan->count = p->count;
  for (size_t i = 0; i < p->count; i++) {
    plan->entries[i].name = aq_strdup(p->tensors[i].name);
    if (plan->entries[i].name == NULL) return aq_fail_memory(err, strlen(p->tensors[i].name) + 1);
    AQ_TRY(plan_default(p, i, err));
  }
  return AQ_OK;
}

aq_status aq_plan_share_ties(aq_plan *plan, aq_error *err) {
  for (size_t i = 0; i < plan->count; i++) {
    aq_plan_entry *entry = &plan->entries[i];
    if (!entry->tied) continue;
    const aq_plan_entry *owner = &plan->entries[entry->tied_to];
    aq_plan_entry shared = *owner;
    shared.name = entry->name;
    shared.scales = shared.zero_points = NULL; /* the owner's */
    shared.scale_count = 0;
    shared.tied = true;
    shared.tied_to = entry->tied_to;
    shared.rule = aq_strdup(owner->rule);
    if (shared.rule == NULL) return aq_fail_memory(err, strlen(owner->rule) + 1);
    aq_free(entry->rule);
    aq_plan_entry_drop_scales(entry);
    *entry = shared;
  }
  return AQ_OK;
}

aq_status aq_plan_tie(const aq_tensor_info *tensors, aq_plan *plan, aq_error *err) {
  for (size_t i = 0; i < plan->count; i++) {
    const int32_t owner = tensors[i].alias_of;
    plan->entries[i].tied = owner >= 0 && (size_t)owner < plan->count && (size_t)owner != i;
    plan->entries[i].tied_to = plan->entries[i].tied ? (uint32_t)owner : 0;
  }
  return aq_plan_share_ties(plan, err);
}

/* ---- rules ---- */

static aq_status no_match(const planner *p, const char *option, const char *pattern, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_NO_MATCH, "%s: '%s' matches none of the %llu tensors", option, pattern,
                (unsigned long long)p->count);
  return aq_hint_nearest(err, AQ_ERR_NO_MATCH, pattern, p->tensors, p->count);
}

/* A rule is PATTERN=SPEC, and both may hold '=': the first '=' that leaves a SPEC is the one. */
static aq_status split_rule(const char *rule, aq_pattern **pattern, aq_spec *spec, aq_error *err) {
  *pattern = NULL;
  const char *equals = strchr(rule, '=');
  if (equals == NULL || equals == rule) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "tensor rule '%s' is not PATTERN=SPEC", rule);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Write it like 'lm_head.weight=int8,per=channel'");
  }
  aq_status status = aq_spec_parse(equals + 1, spec, err);
  for (const char *next = equals; status == AQ_ERR_ARGUMENT && (next = strchr(next + 1, '=')) != NULL;) {
    if (aq_spec_parse(next + 1, spec, NULL) == AQ_ERR_ARGUMENT) continue;
    equals = next;
    aq_error_clear(err);
    status = aq_spec_parse(next + 1, spec, err);
  }
  if (status != AQ_OK) return aq_error_hint(err, status, "In the tensor rule '%.150s'", rule);
  char *text = aq_strndup(rule, (size_t)(equals - rule));
  if (text == NULL) return aq_fail_memory(err, strlen(rule) + 1);
  status = aq_pattern_create(text, pattern, err);
  aq_free(text);
  return status;
}

/* What a rule matches, and what of that it takes: see the head of this file. */
typedef struct match {
  size_t matched, ordinary, floats;
  size_t last; /* index of one matched tensor */
} match;

static match count_matches(const planner *p, const aq_pattern *pattern) {
  match m = {0, 0, 0, 0};
  for (size_t i = 0; i < p->count; i++) {
    if (!aq_pattern_matches(pattern, p->tensors[i].name)) continue;
    m.matched++;
    m.ordinary += !is_kept_unless_named(p, i);
    m.floats += aq_plan_is_quantizable(&p->tensors[i]);
    m.last = i;
  }
  return m;
}

static bool rule_takes(const planner *p, const aq_pattern *pattern, const aq_spec *spec, const match *m, size_t i) {
  const aq_tensor_info *t = &p->tensors[i];
  if (!aq_pattern_matches(pattern, t->name)) return false;
  if (spec->action == AQ_KEEP) return true;
  if (!aq_plan_is_quantizable(t) || t->num_params == 0) return false;
  if (aq_pattern_is_exact(pattern, t->name)) return true;
  return !is_quantized_elsewhere(p, i) && (m->ordinary == 0 || !is_kept_unless_named(p, i));
}

static aq_status not_a_float(const aq_tensor_info *t, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT,
                "is %s; only floating-point tensors (float64, float32, float16, bfloat16) can be quantized",
                aq_dtype_name(t->dtype));
  return aq_error_in_tensor(err, AQ_ERR_ARGUMENT, t->name);
}

static aq_status apply_rule(const planner *p, const char *rule, const aq_pattern *pattern, const aq_spec *spec,
                            aq_error *err) {
  const match m = count_matches(p, pattern);
  if (m.matched == 0) return no_match(p, "tensor rule", aq_pattern_text(pattern), err);
  if (spec->action != AQ_KEEP && m.floats == 0) return not_a_float(&p->tensors[m.last], err);
  for (size_t i = 0; i < p->count; i++) {
    if (rule_takes(p, pattern, spec, &m, i)) AQ_TRY(plan_by_rule(p, i, spec, AQ_RULE_TENSOR, rule, err));
  }
  return AQ_OK;
}

static aq_status plan_tensor_rule(const planner *p, const char *rule, aq_error *err) {
  AQ_FAIL_IF(rule == NULL, AQ_ERR_ARGUMENT, "a tensor rule is NULL");
  aq_pattern *pattern;
  aq_spec said;
  AQ_TRY(split_rule(rule, &pattern, &said, err));
  const aq_spec spec = aq_spec_merge(&said, &p->base);
  aq_status status = AQ_OK;
  if (!said.has_type && spec.action != AQ_QUANTIZE) {
    status = aq_fail(err, AQ_ERR_ARGUMENT, "tensor rule '%s' needs a type: the options say %s", rule, p->options->type);
  } else {
    status = apply_rule(p, rule, pattern, &spec, err);
  }
  aq_pattern_free(pattern);
  return status;
}

static aq_status plan_keep_pattern(const planner *p, const char *text, aq_error *err) {
  static const aq_spec keep = {.has_type = true, .action = AQ_KEEP};
  aq_pattern *pattern;
  AQ_TRY(aq_pattern_create(text, &pattern, err));
  size_t matched = 0;
  aq_status status = AQ_OK;
  for (size_t i = 0; i < p->count && status == AQ_OK; i++) {
    if (!aq_pattern_matches(pattern, p->tensors[i].name)) continue;
    matched++;
    status = plan_by_rule(p, i, &keep, AQ_RULE_KEEP, text, err);
  }
  aq_pattern_free(pattern);
  return status == AQ_OK && matched == 0 ? no_match(p, "keep", text, err) : status;
}

/* Bytes that mean nothing here are carried along only when the caller has said so: by keep_unsupported, or by a rule
 * that names the tensor. */
static aq_status check_opaque(const planner *p, aq_error *err) {
  for (size_t i = 0; i < p->count && !p->options->keep_unsupported; i++) {
    const aq_tensor_info *t = &p->tensors[i];
    if (!aq_dtype_is_opaque(t->dtype) || !p->plan->entries[owner_of(p, i)].kept_by_default) continue;
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "is of dtype %s, whose values cannot be read",
                  aq_dtype_safetensors_name(t->dtype));
    (void)aq_error_hint(
        err, AQ_ERR_UNSUPPORTED,
        "Keep its bytes as they are: `keep_patterns='%.100s'`, or `keep_unsupported=true` for all such tensors",
        t->name);
    return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, t->name);
  }
  return AQ_OK;
}

static aq_status make_plan(planner *p, aq_error *err) {
  const aq_quantize_options *o = p->options;
  AQ_TRY(aq_spec_from_options(o, &p->base, err));
  AQ_TRY(aq_quantized_layers_find(p->tensors, p->count, &p->layers, err));
  AQ_TRY(create_entries(p, err));
  for (size_t i = 0; i < o->tensor_rule_count; i++) AQ_TRY(plan_tensor_rule(p, o->tensor_rules[i], err));
  for (size_t i = 0; i < o->keep_pattern_count; i++) AQ_TRY(plan_keep_pattern(p, o->keep_patterns[i], err));
  AQ_TRY(check_opaque(p, err));
  return aq_plan_tie(p->tensors, p->plan, err);
}

aq_status aq_plan_make(const aq_tensor_info *tensors, size_t count, const aq_quantize_options *options, aq_plan *plan,
                       aq_error *err) {
  *plan = (aq_plan){NULL, 0, NULL};
  planner p = {.tensors = tensors, .count = count, .options = options, .plan = plan};
  const aq_status status = make_plan(&p, err);
  aq_quantized_layers_reset(&p.layers);
  if (status != AQ_OK) aq_plan_reset(plan);
  return status;
}
