/* export_plan.c - the layout of the format says of each tensor whether it can have codes, its table of grids which. The
 * layout is opened over the tensors as they will be when they are not quantized, so that a model that it has no place
 * for fails here, and not after the work. */
#include "ops/export_plan.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/graph/encoder_graph.h"
#include "quant/rule_words.h"
#include "quant/scale_factor.h"
#include "tensor/dtype.h"

/* Why the format has no codes of a tensor, in words of static storage; NULL: it has. */
typedef struct no_codes {
  const char *words;
  bool is_of_values, is_layer; /* as in aq_stored_tensor */
} no_codes;

typedef struct plan_job {
  const aq_file_format *format;
  const aq_source *source;
  const aq_tensor_info *tensors;
  aq_plan *plan;
  no_codes *why; /* one per tensor */
} plan_job;

static const char not_stored[] = "it is no part of the model there";

/* ---- options ---- */

aq_status aq_export_plan_format(const aq_quantize_options *options, const aq_file_format **out, aq_error *err) {
  *out = NULL;
  if (options->for_format == NULL) return AQ_OK;
  AQ_TRY(aq_formats_find_export(options->for_format, out, err));
  if ((*out)->layout != NULL && (*out)->layout->grid_count > 0) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT,
                "there are no plans for %s files; there are some for compressed-tensors, gguf, gptq, mlx and onnx",
                (*out)->name);
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Leave out `for_format`");
}

void aq_export_plan_options(const aq_file_format *format, aq_quantize_options *o) {
  const bool is_auto = o->type != NULL && strcasecmp(o->type, "auto") == 0;
  const bool wants_groups = o->granularity == NULL || strcasecmp(o->granularity, "group") == 0;
  if (is_auto) return; /* which chooses them itself */
  if (o->symmetry == AQ_SYMMETRY_DEFAULT) o->symmetry = AQ_SYMMETRIC;
  if (o->group_size == 0 && wants_groups) o->group_size = format->layout->group_size;
}

/* ---- what the format has ---- */

static const aq_code_grid *find_grid(const aq_export_layout *layout, aq_quant_type type, bool symmetric) {
  for (size_t i = 0; i < layout->grid_count; i++) {
    if (layout->grids[i].type == type && layout->grids[i].symmetric == symmetric) return &layout->grids[i];
  }
  return NULL;
}

/* Tied tensors have one entry: codes of none of them are codes of none; what one of them is stored as, all are. */
static void share_reasons(const plan_job *job) {
  for (size_t i = 0; i < job->plan->count; i++) {
    no_codes *owner = &job->why[aq_plan_owner(job->plan, i)];
    const bool says_less = owner->words == NULL || owner->words == not_stored;
    if (job->why[i].words != not_stored && says_less) *owner = job->why[i];
  }
}

static aq_status find_reasons(const plan_job *job, const aq_source *source, aq_error *err) {
  aq_source *stored;
  for (size_t i = 0; i < job->plan->count; i++) job->why[i] = (no_codes){not_stored, true, false};
  AQ_TRY(aq_export_layout_open_planned(job->format->layout, aq_encoder_graph_make, source, job->tensors, job->plan,
                                       &stored, err));
  for (size_t i = 0; i < stored->tensor_count; i++) {
    const aq_stored_tensor s = job->format->layout->describe(stored, i);
    job->why[s.origin] = (no_codes){s.why_values, s.is_of_values, s.is_layer};
  }
  aq_source_close(stored);
  share_reasons(job);
  return AQ_OK;
}

/* ---- entries ---- */

static bool is_of_caller(const aq_plan_entry *e) {
  return strncmp(e->rule, AQ_RULE_TENSOR, strlen(AQ_RULE_TENSOR)) == 0 || strcmp(e->rule, "plan") == 0;
}

static aq_status fail_entry(const plan_job *job, size_t i, const char *why, const char *hint, aq_error *err) {
  char text[64];
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "%s files cannot hold it as %s: %s", job->format->name,
                aq_plan_entry_text(&job->plan->entries[i], text, sizeof text), why);
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "%s", hint);
  return aq_error_in_tensor(err, AQ_ERR_ARGUMENT, job->tensors[i].name);
}

/* Whether all values of a tensor are finite as FP16. */
static aq_status find_fits_f16(const plan_job *job, size_t i, bool *fits, aq_error *err) {
  enum { VALUES = 1 << 14 };
  const uint64_t count = job->tensors[i].num_params;
  float *values = aq_realloc_array(NULL, VALUES, sizeof *values);
  if (values == NULL) return aq_fail_memory(err, VALUES * sizeof *values);
  aq_status status = AQ_OK;
  *fits = true;
  for (uint64_t at = 0; status == AQ_OK && *fits && at < count; at += VALUES) {
    const size_t n = (size_t)AQ_MIN(count - at, (uint64_t)VALUES);
    status = aq_source_read_f32(job->source, i, at, n, values, err);
    for (size_t k = 0; status == AQ_OK && k < n; k++) *fits = *fits && fabsf(values[k]) <= 65504.0F;
  }
  aq_free(values);
  return status;
}

/* A target counts the bytes of what has no codes, too: it need not be more than 16 bits where the search may choose
 * such. Some formats have values of 16 bits in any case. */
static bool has_short_values(const plan_job *job, size_t i, bool is_planned) {
  const aq_export_layout *layout = job->format->layout;
  if (layout->has_short_values) return job->why[i].words != not_stored;
  return is_planned && !job->why[i].is_of_values && aq_export_layout_has_values(layout);
}

static aq_status shorten_values(const plan_job *job, size_t i, bool is_planned, aq_error *err) {
  const aq_tensor_info *t = &job->tensors[i];
  aq_plan_entry *e = &job->plan->entries[i];
  bool fits = false;
  if (!has_short_values(job, i, is_planned)) return AQ_OK;
  if (t->rank < 2 || aq_dtype_bits(t->dtype) <= 16) return AQ_OK;
  AQ_TRY(find_fits_f16(job, i, &fits, err));
  if (!fits) return AQ_OK;
  e->action = AQ_CONVERT;
  e->dtype = aq_export_value_dtype(t->dtype);
  return AQ_OK;
}

static aq_status keep_entry(const plan_job *job, size_t i, aq_error *err) {
  aq_plan_entry *e = &job->plan->entries[i];
  const bool is_planned = aq_plan_entry_is_open(e, AQ_RD);
  if (is_of_caller(e)) {
    return job->why[i].words == not_stored ? AQ_OK
                                           : fail_entry(job, i, job->why[i].words, "Keep it (`keep_patterns`)", err);
  }
  char *rule = aq_format("no codes in %s: %s", job->format->name, job->why[i].words);
  if (rule == NULL) return aq_fail_memory(err, 64);
  aq_free(e->rule);
  e->rule = rule;
  e->action = AQ_KEEP;
  e->kept_by_default = true;
  e->unexpected = job->tensors[i].rank >= 2 && !job->why[i].is_of_values;
  return shorten_values(job, i, is_planned, err);
}

/* Groups that nobody asked for become rows where the format has these. */
static aq_status fit_span(const plan_job *job, size_t i, aq_error *err) {
  const aq_tensor_info *t = &job->tensors[i];
  const aq_export_layout *layout = job->format->layout;
  aq_plan_entry *e = &job->plan->entries[i];
  const char *why = layout->refuse_span(t, e->span_length);
  if (why == NULL) return AQ_OK;
  const uint64_t row = t->num_params / (uint64_t)t->shape[0];
  const bool is_fixed = layout->group_size > 0 || layout->has_one_setting;
  if (is_of_caller(e) || e->group_size == 0 || is_fixed || layout->refuse_span(t, row) != NULL) {
    return fail_entry(job, i, why, "Use `group_size=32`, or `granularity=channel`", err);
  }
  e->group_size = 0;
  e->span_length = row;
  return AQ_OK;
}

/* Scales that a plan brings along are not fitted, and must be on the grid already. */
static aq_status check_scales(const plan_job *job, size_t i, aq_scale_grid grid, aq_error *err) {
  const aq_plan_entry *e = &job->plan->entries[i];
  for (uint64_t k = 0; e->scales != NULL && k < e->scale_count; k++) {
    float scale = e->scales[k], zero_point = e->zero_points != NULL ? e->zero_points[k] : 0;
    aq_scale_grid_round(grid, e->scheme.type, 0, 0, &scale, &zero_point);
    if (scale == e->scales[k] && (e->zero_points == NULL || zero_point == e->zero_points[k])) continue;
    return fail_entry(job, i, "it has no such scales as the plan gives", "Make the plan with `for_format`", err);
  }
  return AQ_OK;
}

/* Whether scales that a plan brings along have factors, in a choice of the format with such groups. */
static bool has_factors(const plan_job *job, size_t i) {
  const aq_plan_entry *e = &job->plan->entries[i];
  const aq_export_layout *layout = job->format->layout;
  const aq_tensor_info *t = &job->tensors[i];
  const uint64_t block = (uint64_t)layout->factor_group * layout->factor_scales;
  bool is_choice = false;
  for (size_t k = 0; k < layout->choice_count; k++) {
    const aq_code_choice *c = &layout->choices[k];
    is_choice = is_choice || (c->type == e->scheme.type && c->group == layout->factor_group);
  }
  if (!is_choice || e->scales == NULL || e->zero_points != NULL || block == 0 || t->rank < 2) return false;
  if ((uint64_t)e->group_size != layout->factor_group || (uint64_t)t->shape[t->rank - 1] % block != 0) return false;
  float factor;
  bool all = true;
  for (uint64_t k = 0; k < e->scale_count && all; k += layout->factor_scales)
    all = aq_scale_factor_find(e->scales + k, layout->factor_scales, layout->factor_most, &factor);
  return all;
}

static aq_status fit_entry(const plan_job *job, size_t i, aq_error *err) {
  aq_plan_entry *e = &job->plan->entries[i];
  if (e->action != AQ_QUANTIZE || e->tied) return AQ_OK;
  if (job->why[i].words != NULL) return keep_entry(job, i, err);
  if (aq_plan_entry_is_open(e, AQ_RD) || has_factors(job, i)) return AQ_OK;
  const aq_code_grid *grid = find_grid(job->format->layout, e->scheme.type, e->scheme.symmetric);
  if (grid == NULL) {
    return fail_entry(job, i, "it has no such codes", "Choose symmetric codes, or another `type`", err);
  }
  AQ_TRY(fit_span(job, i, err));
  e->scheme.grid = grid->scales;
  return check_scales(job, i, grid->scales, err);
}

/* ---- one setting for all ---- */

static const char mixed_hint[] =
    "Give all of them one type and one group size, without rules of their own, or choose "
    "`for_format=compressed-tensors`, which may mix settings";

static aq_status fail_setting(const plan_job *job, size_t i, const char *why, const char *hint, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "%s files have codes of one setting for all linear layers of the blocks: %s",
                job->format->name, why);
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "%s", hint);
  return aq_error_in_tensor(err, AQ_ERR_ARGUMENT, job->tensors[i].name);
}

/* A scale for each row is the same for rows of all lengths. */
static bool has_same_setting(const plan_job *job, size_t a, size_t b) {
  const aq_plan_entry *x = &job->plan->entries[a], *y = &job->plan->entries[b];
  const bool x_open = aq_plan_entry_is_open(x, AQ_RD), y_open = aq_plan_entry_is_open(y, AQ_RD);
  if (x_open || y_open) return x_open && y_open;
  const bool x_rows = x->span_length >= (uint64_t)job->tensors[a].shape[1],
             y_rows = y->span_length >= (uint64_t)job->tensors[b].shape[1];
  if (x->scheme.type != y->scheme.type || x->scheme.symmetric != y->scheme.symmetric) return false;
  return (x_rows && y_rows) || x->span_length == y->span_length;
}

static aq_status check_one_setting(const plan_job *job, aq_error *err) {
  size_t first = job->plan->count;
  if (!job->format->layout->has_one_setting) return AQ_OK;
  for (size_t i = 0; i < job->plan->count; i++) {
    const aq_plan_entry *e = &job->plan->entries[i];
    const no_codes *why = &job->why[i];
    if (e->tied) continue;
    if (why->is_layer && e->action != AQ_QUANTIZE && why->words != NULL)
      return fail_setting(job, i, why->words, "Choose `for_format=compressed-tensors`, which may leave it values", err);
    if (why->is_layer && e->action != AQ_QUANTIZE) return fail_setting(job, i, "it would stay values", mixed_hint, err);
    if (e->action != AQ_QUANTIZE || why->words != NULL) continue;
    if (first == job->plan->count) first = i;
    if (!has_same_setting(job, first, i)) return fail_setting(job, i, "it would have another", mixed_hint, err);
  }
  return AQ_OK;
}

aq_status aq_export_plan_fit(const aq_file_format *format, const aq_source *source, const aq_tensor_info *tensors,
                             aq_plan *plan, aq_error *err) {
  const plan_job job = {format, source, tensors, plan, aq_calloc(plan->count + 1, sizeof *job.why)};
  if (job.why == NULL) return aq_fail_memory(err, plan->count * sizeof *job.why);
  aq_status status = find_reasons(&job, source, err);
  for (size_t i = 0; i < plan->count && status == AQ_OK; i++) status = fit_entry(&job, i, err);
  if (status == AQ_OK) status = check_one_setting(&job, err);
  aq_free(job.why);
  return status == AQ_OK ? aq_plan_share_ties(plan, err) : status;
}
