/* bit_allocation.c - searching for the price of a bit.
 *
 * Sizes are estimated first, from samples, which takes a fraction of a second for any lambda. From the lambda found the
 * search goes on with real sizes: a model that is run is rounded at each, of another all values are looked at.
 * Similarities are measured on held-out texts after every rounding. */
#include "search/bit_allocation.h"

#include <math.h>
#include <stdio.h>

#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "io/model_files.h"
#include "report/report.h"
#include "report/source_json.h"
#include "search/exclude.h"
#include "search/resume.h"
#include "search/solve.h"

#define SLACK 0.006       /* of a budget that may stay unused */
#define MOST_TUNED 0.998  /* of it before tuning, which may change the size of codes a little */
#define ROUNDINGS 6       /* at most, for a size */
#define UNRUN_SLACK 0.004 /* of a model that is not run */
#define UNRUN_COUNTS 8    /* looks at all its values, at most */
/* Tensors of fewer values are counted side by side, one a thread. */
#define SIDE_BY_SIDE_PARAMS ((uint64_t)16 << 20)
#define SIMILARITY_ROUNDINGS 8
#define CONFIRMATIONS 5   /* of a similarity on other texts, at most */
#define ROW_BYTES 300     /* of a tensor in the footer and in the plan that the metadata hold, at most about */
#define FOOTER_BYTES 2048 /* beside that */
#define EXPANDED 255      /* a codec may add a byte to so many that it cannot compress, at most */

typedef struct search_run {
  aq_source *source;
  const aq_quantize_options *options;
  aq_plan *plan;
  aq_bit_allocation *out;
  aq_progress progress;
  char target[64]; /* in words */
  double lambda;
  aq_rd_choice *unrun; /* of each planned tensor, where the model is not run */
  double counted;      /* lambda of these, and of the tensors' bits */
  uint32_t roundings;
  double budget;     /* bits that the planned tensors may take; 0: no limit */
  double other_bits; /* of quantized tensors that the search does not plan */
  uint64_t quantized_params;
} search_run;

bool aq_bit_allocation_is_wanted(const aq_plan *plan) {
  for (size_t i = 0; i < plan->count; i++) {
    if (aq_plan_entry_is_open(&plan->entries[i], AQ_RD)) return true;
  }
  return false;
}

/* ---- the budget ---- */

/* Bits of quantized tensors that rules settled, and bytes of all that is no quantized weight; both at most. */
static aq_status count_others(search_run *s, uint64_t *fixed_bytes, aq_error *err) {
  uint64_t files;
  const uint64_t part_params = AQ_MAX(s->out->set.part_params, 1);
  AQ_TRY(aq_model_files_measure(s->source, &files, err));
  *fixed_bytes = files + FOOTER_BYTES;
  for (size_t i = 0; i < s->plan->count; i++) {
    const aq_tensor_info *t = &s->source->tensors[i];
    const aq_plan_entry *e = &s->plan->entries[i];
    *fixed_bytes += ROW_BYTES * (1 + t->num_params / part_params);
    if (t->alias_of >= 0) continue;
    if (e->action == AQ_QUANTIZE) s->quantized_params += t->num_params;
    if (aq_plan_entry_is_open(e, AQ_RD)) continue;
    const uint64_t bytes = aq_plan_entry_bytes(t, e),
                   more = bytes / EXPANDED + aq_search_item_header_bytes(t->num_params);
    if (e->action == AQ_QUANTIZE) {
      s->other_bits += 8 * (double)(bytes + more);
    } else {
      *fixed_bytes += bytes + more;
    }
  }
  return AQ_OK;
}

/* Bits that the planned tensors may take. */
static aq_status budget(search_run *s, double *bits, aq_error *err) {
  uint64_t fixed;
  AQ_TRY(count_others(s, &fixed, err));
  if (s->options->target_bpw > 0) {
    *bits = s->options->target_bpw * (double)s->quantized_params - s->other_bits;
  } else {
    *bits = 8 * ((double)s->options->target_size - (double)fixed) - s->other_bits;
  }
  return AQ_OK;
}

static aq_status too_small(const search_run *s, double budget_bits, double least, aq_error *err) {
  const aq_quantize_options *o = s->options;
  const double more = fmax(least - budget_bits, 0);
  if (o->target_bpw > 0) {
    const double bpw = o->target_bpw + more / (double)AQ_MAX(s->quantized_params, 1);
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "%.4g bits a weight cannot be reached; about %.3f can", o->target_bpw, bpw);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Use `target_bpw=%.2f` or more", ceil(bpw * 100) / 100);
  }
  const double size = (double)o->target_size + more / 8;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "a file of %llu bytes cannot be reached; about %.0f can",
                (unsigned long long)o->target_size, size);
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Use `target_size=%.2fMB` or more", ceil(size / 1e4) / 100);
}

/* ---- a size ---- */

static aq_status estimated_bits(void *ctx, double lambda, double *value, aq_error *err) {
  return aq_search_problem_estimate_bits(ctx, lambda, value, err);
}

/* A lambda to begin with. */
static aq_status search_estimate(search_run *s, double bits, aq_error *err) {
  aq_solve_options search;
  aq_solve_result found;
  aq_solve_options_init(&search);
  search.target = bits;
  search.slack = 0.02;
  search.most = 24;
  AQ_TRY(aq_solve_size(&search, estimated_bits, &s->out->set, &found, err));
  s->lambda = found.lambda;
  return AQ_OK;
}

/* Goes on from there with real sizes; leaves the lambda of the largest that fits. */
static aq_status search_size(search_run *s, double bits, double slack, uint32_t most, aq_solve_fn size, aq_error *err) {
  aq_solve_options search;
  aq_solve_result found;
  AQ_TRY(search_estimate(s, bits, err));
  aq_solve_options_init(&search);
  search.target = bits;
  search.slack = slack;
  search.start = s->lambda;
  search.most = most;
  AQ_TRY(aq_solve_size(&search, size, s, &found, err));
  if (!found.reached) return too_small(s, bits, found.value, err);
  s->lambda = found.lambda;
  return AQ_OK;
}

/* The first rounding shows which matrices are better off without feedback. */
static aq_status round_at(search_run *s, aq_error *err) {
  aq_candidate *r = &s->out->candidate;
  AQ_TRY(aq_candidate_round(r, s->lambda, err));
  if (++s->roundings > 1) return AQ_OK;
  bool changed;
  AQ_TRY(aq_candidate_choose_rounding(r, &changed, err));
  return changed ? aq_candidate_round(r, s->lambda, err) : AQ_OK;
}

static aq_status round_and_repair(search_run *s, aq_error *err) {
  AQ_TRY(round_at(s, err));
  return aq_candidate_correct_biases(&s->out->candidate, err);
}

static aq_status rounded_bits(void *ctx, double lambda, double *value, aq_error *err) {
  search_run *s = ctx;
  s->lambda = lambda;
  AQ_TRY(round_at(s, err));
  *value = s->out->candidate.bits;
  return AQ_OK;
}

static aq_status round_to_size(search_run *s, double bits, aq_error *err) {
  const bool tuned = s->options->search->tune_seconds > 0;
  AQ_TRY(search_size(s, tuned ? bits * MOST_TUNED : bits, SLACK, ROUNDINGS, rounded_bits, err));
  if (s->out->candidate.lambda != s->lambda) AQ_TRY(round_at(s, err));
  return aq_candidate_correct_biases(&s->out->candidate, err);
}

static bool is_large(const search_run *s, const aq_search_item *item) {
  return s->source->tensors[item->tensor].num_params > SIDE_BY_SIDE_PARAMS;
}

static aq_status count_unrun(const search_run *s, aq_search_item *item, uint32_t worker, aq_error *err) {
  aq_rd_choice *choice = &s->unrun[item - s->out->set.items];
  aq_rd_choice_reset(choice);
  return aq_search_item_round_to_nearest(&s->out->set, item, s->lambda, worker, choice, err);
}

static aq_status count_item(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const search_run *s = ctx;
  aq_search_item *item = &s->out->set.items[i];
  return is_large(s, item) ? AQ_OK : count_unrun(s, item, worker, err);
}

/* Of a model that is not run, from all values. A sample says too much of tables: neighbouring rows are alike, and so
 * are their steps, and compression makes use of it. Large tensors are held one at a time. */
static aq_status unrun_bits(void *ctx, double lambda, double *value, aq_error *err) {
  search_run *s = ctx;
  aq_search_problem *set = &s->out->set;
  s->lambda = s->counted = lambda;
  AQ_TRY(aq_pool_run(set->pool, set->count, count_item, s, err));
  for (size_t i = 0; i < set->count; i++) {
    if (is_large(s, &set->items[i])) AQ_TRY(count_unrun(s, &set->items[i], 0, err));
  }
  *value = 0;
  for (size_t i = 0; i < set->count; i++) *value += set->items[i].bits;
  return AQ_OK;
}

/* ---- a similarity ---- */

static aq_status rounded_similarity(void *ctx, double lambda, double *value, aq_error *err) {
  search_run *s = ctx;
  s->lambda = lambda;
  AQ_TRY(round_and_repair(s, err));
  *value = s->out->candidate.similarity;
  return AQ_OK;
}

static aq_status total_loss(void *ctx, double lambda, double *value, aq_error *err) {
  aq_search_problem *set = ctx;
  double bits;
  AQ_TRY(aq_search_problem_estimate_bits(set, lambda, &bits, err));
  *value = 1;
  for (size_t i = 0; i < set->count; i++) *value -= set->items[i].loss;
  *value = fmax(*value, -1);
  return AQ_OK;
}

static aq_status not_similar(const search_run *s, double reached, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "a similarity of %.6g cannot be reached; %.6f can", s->options->min_similarity,
                reached);
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Ask for less, or keep tensors as they are (`keep_patterns`)");
}

static aq_status search_similarity(search_run *s, double target, aq_error *err) {
  aq_solve_options search;
  aq_solve_result found;
  aq_solve_options_init(&search);
  search.target = target;
  search.slack = 0.04;
  search.start = s->lambda;
  search.most = SIMILARITY_ROUNDINGS;
  AQ_TRY(aq_solve_quality(&search, rounded_similarity, s, &found, err));
  if (!found.reached) return not_similar(s, found.value, err);
  if (s->lambda == found.lambda) return AQ_OK;
  s->lambda = found.lambda;
  return round_and_repair(s, err);
}

/* The search goes by held-out texts; others must agree, or it goes on for more. */
static aq_status round_to_similarity(search_run *s, aq_error *err) {
  aq_solve_options search;
  aq_solve_result guess;
  aq_solve_options_init(&search);
  search.target = s->options->min_similarity;
  search.slack = 0.05;
  search.most = 20;
  AQ_TRY(aq_solve_quality(&search, total_loss, &s->out->set, &guess, err));
  s->lambda = guess.lambda;
  double target = s->options->min_similarity, reached = 0;
  for (int i = 0; i < CONFIRMATIONS; i++) {
    AQ_TRY(search_similarity(s, target, err));
    AQ_TRY(aq_calibration_similarity(s->out->calibration, &s->out->candidate.quantized, &s->out->calibration->choose,
                                     &reached, err));
    if (reached >= s->options->min_similarity) return AQ_OK;
    /* Losses on both sets of texts fall together. */
    target = 1 - 0.95 * (1 - target) * (1 - s->options->min_similarity) / (1 - reached);
  }
  return not_similar(s, reached, err);
}

/* ---- settling ---- */

static aq_status settle(search_run *s, aq_error *err) {
  aq_bit_allocation *out = s->out;
  for (size_t i = 0; i < out->set.count; i++) {
    const aq_search_item *item = &out->set.items[i];
    aq_rd_choice *choice = out->calibration != NULL ? &out->candidate.items[i].choice : &s->unrun[i];
    AQ_TRY(aq_search_item_fix_entry(item, &s->source->tensors[item->tensor], choice, s->target,
                                    &s->plan->entries[item->tensor], err));
  }
  return aq_plan_share_ties(s->plan, err);
}

/* ---- the report ---- */

static aq_status report_run(const search_run *s, json_t *report, aq_error *err) {
  const aq_bit_allocation *out = s->out;
  const aq_candidate *r = &out->candidate;
  size_t plain = 0;
  for (size_t i = 0; i < out->set.count; i++) plain += r->plain[i] ? 1 : 0;
  AQ_TRY(aq_report_set(report, "calibration", aq_calibration_json(out->calibration), err));
  AQ_TRY(aq_report_set(report, "notes", aq_notes_json(&out->calibration->model.notes), err));
  AQ_TRY(aq_report_set(report, "roundings", json_integer((json_int_t)s->roundings), err));
  AQ_TRY(aq_report_set(report, "rounded_to_nearest", aq_json_count(plain), err));
  AQ_TRY(aq_report_set(report, "similarity_before_repair", aq_json_real(r->before_repair), err));
  AQ_TRY(aq_report_set(report, "similarity", aq_json_real(r->similarity), err));
  double confirmed;
  AQ_TRY(aq_calibration_similarity(out->calibration, &r->quantized, &out->calibration->choose, &confirmed, err));
  AQ_TRY(aq_report_set(report, "similarity_on_other_texts", aq_json_real(confirmed), err));
  if (r->tuned.steps == 0) return AQ_OK;
  return aq_report_set(
      report, "tuning",
      json_pack("{s:i, s:f, s:f, s:b, s:b}", "steps", (int)r->tuned.steps, "loss_before", r->tuned.before, "loss_after",
                r->tuned.after, "accepted", r->tuned.accepted ? 1 : 0, "too_large", r->tuned_too_large ? 1 : 0),
      err);
}

static aq_status make_report(search_run *s, aq_error *err) {
  json_t *report = s->out->report = json_object();
  double bits = 0;
  for (size_t i = 0; i < s->out->set.count; i++) bits += s->out->set.items[i].bits;
  AQ_TRY(aq_report_set(report, "target", aq_json_string(s->target), err));
  AQ_TRY(aq_report_set(report, "lambda", aq_json_real(s->lambda), err));
  AQ_TRY(aq_report_set(report, "planned_tensors", aq_json_count(s->out->set.count), err));
  AQ_TRY(aq_report_set(report, "expected_bytes", aq_json_count((uint64_t)(bits / 8)), err));
  AQ_TRY(aq_report_set(report, "model_was_run", json_boolean(s->out->calibration != NULL), err));
  if (s->out->calibration != NULL) return report_run(s, report, err);
  return aq_report_set(report, "reason", aq_json_string(s->out->why_not), err);
}

/* ---- the whole ---- */

static void name_target(search_run *s) {
  const aq_quantize_options *o = s->options;
  if (o->target_size > 0) {
    (void)snprintf(s->target, sizeof s->target, "target %.4g MB", (double)o->target_size / 1e6);
  } else if (o->target_bpw > 0) {
    (void)snprintf(s->target, sizeof s->target, "target %.4g bits", o->target_bpw);
  } else if (o->min_similarity > 0) {
    (void)snprintf(s->target, sizeof s->target, "target similarity %.6g", o->min_similarity);
  } else {
    (void)snprintf(s->target, sizeof s->target, "as in the table it was tuned from");
  }
}

aq_status aq_bit_allocation_open(aq_source *source, const aq_quantize_options *options, bool texts,
                                 aq_bit_allocation *out, aq_error *err) {
  const bool named = aq_calibration_is_named(options) || options->search->stats_path != NULL;
  if (texts || named) {
    AQ_TRY(aq_calibration_open(source, options, &out->calibration, &out->why_not, err));
  }
  if (out->calibration == NULL) AQ_TRY(aq_pool_create(options->run.threads, &out->pool, err));
  out->count = source->tensor_count;
  out->values = aq_calloc(AQ_MAX(out->count, 1), sizeof *out->values);
  out->owned = aq_calloc(AQ_MAX(out->count, 1), sizeof *out->owned);
  return out->values != NULL && out->owned != NULL ? AQ_OK : aq_fail_memory(err, out->count * sizeof *out->values);
}

static aq_status prepare(search_run *s, aq_error *err) {
  aq_bit_allocation *out = s->out;
  if (out->calibration != NULL) AQ_TRY(aq_exclude_vectors(s->source, &out->calibration->model, s->plan, err));
  AQ_TRY(aq_search_problem_create(s->source, s->plan, out->calibration != NULL ? out->calibration->factors : NULL,
                                  out->calibration != NULL ? out->calibration->factor_count : 0, &s->options->table,
                                  out->calibration != NULL ? out->calibration->pool : out->pool, &out->set, err));
  AQ_FAIL_IF(out->set.count == 0, AQ_ERR_ARGUMENT, "no tensor is left for the target to plan");
  if (out->calibration == NULL) {
    s->unrun = aq_calloc(out->set.count, sizeof *s->unrun);
    return s->unrun != NULL ? AQ_OK : aq_fail_memory(err, out->set.count * sizeof *s->unrun);
  }
  AQ_TRY(aq_candidate_create(out->calibration, s->plan, out->values, &out->set, &out->candidate, err));
  out->candidate.progress = &s->progress;
  return AQ_OK;
}

/* What the search does not plan takes the whole budget. */
static aq_status nothing_left(const search_run *s, double bits, aq_error *err) {
  aq_solve_options widest;
  double least;
  aq_solve_options_init(&widest);
  AQ_TRY(aq_search_problem_estimate_bits(&s->out->set, widest.highest, &least, err));
  return too_small(s, bits, least, err);
}

/* No search: what an earlier run found. */
static aq_status start(search_run *s, aq_error *err) {
  const aq_quantize_options *o = s->options;
  AQ_TRY(aq_resume_from_table(o->search->tune_from, &o->run, &s->out->candidate, err));
  if (s->budget <= 0 || s->out->candidate.bits <= s->budget) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "the table to go on with is larger than the target");
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Make one with this target first, or leave the target out");
}

static aq_status search(search_run *s, aq_error *err) {
  const aq_quantize_options *o = s->options;
  if (o->min_similarity > 0) {
    if (s->out->calibration != NULL) return round_to_similarity(s, err);
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "a similarity is one of embeddings, and this model is not run");
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Name a size (`target_size`, `target_bpw`)");
  }
  double bits = 0;
  if (o->target_size > 0 || o->target_bpw > 0) {
    AQ_TRY(budget(s, &bits, err));
    if (bits <= 0) return nothing_left(s, bits, err);
  }
  s->budget = bits;
  if (o->search->tune_from != NULL) return start(s, err);
  if (s->out->calibration != NULL) return round_to_size(s, bits, err);
  AQ_TRY(search_size(s, bits, UNRUN_SLACK, UNRUN_COUNTS, unrun_bits, err));
  return s->counted == s->lambda ? AQ_OK : unrun_bits(s, s->lambda, &bits, err);
}

/* Codes that grew past the budget are not taken: what was there before is made again. */
static aq_status tune(search_run *s, aq_error *err) {
  aq_candidate *r = &s->out->candidate;
  AQ_TRY(aq_candidate_tune(r, s->options, err));
  if (s->budget <= 0 || r->bits <= s->budget) return AQ_OK;
  AQ_TRY(s->options->search->tune_from != NULL ? start(s, err) : round_and_repair(s, err));
  r->tuned.accepted = false;
  r->tuned_too_large = true;
  return AQ_OK;
}

static aq_status make(search_run *s, aq_error *err) {
  aq_bit_allocation *out = s->out;
  AQ_TRY(prepare(s, err));
  AQ_TRY(search(s, err));
  if (out->calibration != NULL && s->options->search->tune_seconds > 0) AQ_TRY(tune(s, err));
  AQ_TRY(make_report(s, err));
  AQ_TRY(settle(s, err));
  if (out->calibration != NULL) {
    aq_candidate_collect_values(&out->candidate, s->plan, (const float *const *)out->owned, out->values);
  }
  return AQ_OK;
}

aq_status aq_bit_allocation_run(aq_source *source, const aq_quantize_options *options, aq_plan *plan,
                                aq_bit_allocation *out, aq_error *err) {
  search_run s = {.source = source, .options = options, .plan = plan, .out = out};
  if (out->calibration != NULL) aq_stats_drop_moments(&out->calibration->stats); /* gptq needs them, and came before */
  name_target(&s);
  aq_progress_begin(&s.progress, &options->run, "plan", 0, 0);
  const aq_status status = make(&s, err);
  for (size_t i = 0; s.unrun != NULL && i < out->set.count; i++) aq_rd_choice_reset(&s.unrun[i]);
  aq_free(s.unrun);
  out->candidate.progress = NULL;
  return status;
}

void aq_bit_allocation_reset(aq_bit_allocation *a) {
  for (size_t i = 0; a->owned != NULL && i < a->count; i++) aq_free(a->owned[i]);
  aq_free(a->owned);
  aq_free(a->values);
  aq_free(a->why_not);
  json_decref(a->report);
  aq_candidate_reset(&a->candidate);
  aq_search_problem_reset(&a->set);
  aq_calibration_free(a->calibration);
  aq_pool_free(a->pool);
  *a = (aq_bit_allocation){0};
}
