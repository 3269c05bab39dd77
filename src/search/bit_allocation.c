/* bit_allocation.c - searching for the price of a bit.
 *
 * Sizes are estimated first, from samples, which takes a fraction of a second for any lambda. From the lambda found the
 * search goes on with real sizes: a backend makes a candidate at each. Similarities are measured on held-out texts
 * after every candidate, where the backend can. */
#include "search/bit_allocation.h"

#include <math.h>
#include <stdio.h>

#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "report/report.h"
#include "search/budget.h"
#include "search/cost.h"
#include "search/setting.h"
#include "search/solve.h"

#define MOST_TUNED 0.998 /* of a budget before tuning, which may change the size of codes a little */
#define SIMILARITY_CANDIDATES 8
#define CONFIRMATIONS 5 /* of a similarity on other texts, at most */

typedef struct search_run {
  const aq_quantize_options *options;
  aq_search_setup setup;
  aq_search_problem *problem;
  aq_search_backend *backend;
  aq_budget budget; /* zeros: none */
  char target[64];  /* in words */
} search_run;

bool aq_bit_allocation_is_wanted(const aq_plan *plan) {
  for (size_t i = 0; i < plan->count; i++) {
    if (aq_plan_entry_is_open(&plan->entries[i], AQ_RD)) return true;
  }
  return false;
}

/* ---- candidates ---- */

static aq_status make_candidate(const search_run *s, double lambda, aq_error *err) {
  s->problem->lambda = lambda;
  return s->backend->ops->make_candidate(s->backend, err);
}

static aq_status adjust_candidate(const search_run *s, double *similarity, aq_error *err) {
  return s->backend->ops->adjust != NULL ? s->backend->ops->adjust(s->backend, similarity, err) : AQ_OK;
}

static aq_status candidate_bits(void *ctx, double lambda, double *value, aq_error *err) {
  const search_run *s = ctx;
  AQ_TRY(make_candidate(s, lambda, err));
  *value = aq_search_problem_bits(s->problem);
  return AQ_OK;
}

static aq_status candidate_similarity(void *ctx, double lambda, double *value, aq_error *err) {
  const search_run *s = ctx;
  AQ_TRY(make_candidate(s, lambda, err));
  return adjust_candidate(s, value, err);
}

static bool has_one_setting(const search_run *s) {
  return s->problem->layout != NULL && s->problem->layout->has_one_setting;
}

/* ---- a size ---- */

static aq_status estimated_bits(void *ctx, double lambda, double *value, aq_error *err) {
  AQ_TRY(aq_search_problem_estimate(ctx, lambda, err));
  *value = aq_search_problem_bits(ctx);
  return AQ_OK;
}

/* A lambda to begin with. */
static aq_status estimate_lambda(const search_run *s, double bits, double *lambda, aq_error *err) {
  aq_solve_options search;
  aq_solve_result found;
  aq_solve_options_init(&search);
  search.target = bits;
  search.slack = 0.02;
  search.most = 24;
  AQ_TRY(aq_solve_size(&search, estimated_bits, s->problem, &found, err));
  *lambda = found.lambda;
  return AQ_OK;
}

/* Goes on from there with real sizes, and leaves the candidate that is the largest that fits. */
static aq_status search_size(search_run *s, aq_error *err) {
  const double bits = s->options->search->tune_seconds > 0 ? s->budget.bits * MOST_TUNED : s->budget.bits;
  aq_solve_options search;
  aq_solve_result found;
  double unused;
  aq_solve_options_init(&search);
  AQ_TRY(estimate_lambda(s, bits, &search.start, err));
  search.target = bits;
  search.slack = s->backend->ops->slack;
  search.most = s->backend->ops->rounds;
  AQ_TRY(aq_solve_size(&search, candidate_bits, s, &found, err));
  if (!found.reached) return aq_budget_fail_too_small(&s->budget, s->options, found.value, err);
  if (s->problem->lambda != found.lambda) AQ_TRY(make_candidate(s, found.lambda, err));
  return adjust_candidate(s, &unused, err);
}

/* What the search does not plan takes the whole budget. */
static aq_status fail_nothing_left(const search_run *s, aq_error *err) {
  aq_solve_options widest;
  aq_solve_options_init(&widest);
  AQ_TRY(aq_search_problem_estimate(s->problem, widest.highest, err));
  return aq_budget_fail_too_small(&s->budget, s->options, aq_search_problem_bits(s->problem), err);
}

/* ---- a similarity, or a KL divergence, which is 1 - similarity (search/calibration.h) ---- */

static bool has_quality(const aq_quantize_options *o) { return o->min_similarity > 0 || o->max_kl > 0; }

static double quality_of(const aq_quantize_options *o) { return o->max_kl > 0 ? 1 - o->max_kl : o->min_similarity; }

static aq_status predicted_similarity(void *ctx, double lambda, double *value, aq_error *err) {
  aq_search_problem *problem = ctx;
  AQ_TRY(aq_search_problem_estimate(problem, lambda, err));
  *value = 1;
  for (size_t i = 0; i < problem->count; i++) *value -= problem->items[i].loss;
  *value = fmax(*value, -1);
  return AQ_OK;
}

static aq_status fail_not_similar(const search_run *s, double reached, aq_error *err) {
  if (s->options->max_kl > 0) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "a KL divergence of %.6g cannot be reached; %.6f can", s->options->max_kl,
                  1 - reached);
  } else {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "a similarity of %.6g cannot be reached; %.6f can", s->options->min_similarity,
                  reached);
  }
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Ask for less, or keep tensors as they are (`keep_patterns`)");
}

/* On held-out texts. */
static aq_status search_held_out(search_run *s, double target, double start, aq_error *err) {
  aq_solve_options search;
  aq_solve_result found;
  double unused;
  aq_solve_options_init(&search);
  search.target = target;
  search.slack = 0.04;
  search.start = start;
  search.most = SIMILARITY_CANDIDATES;
  AQ_TRY(aq_solve_quality(&search, candidate_similarity, s, &found, err));
  if (!found.reached) return fail_not_similar(s, found.value, err);
  return s->problem->lambda == found.lambda ? AQ_OK : candidate_similarity(s, found.lambda, &unused, err);
}

static aq_status predict_lambda(const search_run *s, double *lambda, aq_error *err) {
  aq_solve_options search;
  aq_solve_result guess;
  aq_solve_options_init(&search);
  search.target = quality_of(s->options);
  search.slack = 0.05;
  search.most = 20;
  AQ_TRY(aq_solve_quality(&search, predicted_similarity, s->problem, &guess, err));
  *lambda = guess.lambda;
  return AQ_OK;
}

static aq_status check_is_run(const search_run *s, aq_error *err) {
  if (s->backend->ops->confirm != NULL) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "%s, and this model is not run",
                s->options->max_kl > 0 ? "a KL divergence is one of predictions" : "a similarity is one of embeddings");
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Name a size (`target_size`, `target_bpw`)");
}

/* The search goes by held-out texts; others must agree, or it goes on for more. */
static aq_status search_similarity(search_run *s, aq_error *err) {
  const double asked = quality_of(s->options);
  double target = asked, reached = 0, start;
  AQ_TRY(predict_lambda(s, &start, err));
  for (int i = 0; i < CONFIRMATIONS; i++) {
    AQ_TRY(search_held_out(s, target, start, err));
    AQ_TRY(s->backend->ops->confirm(s->backend, &reached, err));
    if (reached >= asked) return AQ_OK;
    target = 1 - 0.95 * (1 - target) * (1 - asked) / (1 - reached); /* losses on both sets of texts fall together */
    start = s->problem->lambda;
  }
  return fail_not_similar(s, reached, err);
}

static aq_status search_quality(search_run *s, aq_error *err) {
  double reached;
  AQ_TRY(check_is_run(s, err));
  if (!has_one_setting(s)) return search_similarity(s, err);
  AQ_TRY(aq_setting_search_quality(s->problem, s->backend, quality_of(s->options), &reached, err));
  return reached >= quality_of(s->options) ? AQ_OK : fail_not_similar(s, reached, err);
}

/* ---- any target ---- */

/* No search: what an earlier run found. */
static aq_status resume_search(const search_run *s, aq_error *err) {
  AQ_TRY(s->backend->ops->resume(s->backend, s->options->search->tune_from, err));
  if (s->budget.bits <= 0 || aq_search_problem_bits(s->problem) <= s->budget.bits) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "the table to go on with is larger than the target");
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Make one with this target first, or leave the target out");
}

static aq_status search_target(search_run *s, aq_error *err) {
  const aq_quantize_options *o = s->options;
  if (has_quality(o)) return search_quality(s, err);
  if (o->target_size > 0 || o->target_bpw > 0) {
    AQ_TRY(aq_budget_measure(s->setup.source, s->setup.plan, o, &s->budget, err));
    if (s->budget.bits <= 0) return fail_nothing_left(s, err);
  }
  if (has_one_setting(s)) return aq_setting_search_size(s->problem, s->backend, &s->budget, o, err);
  const bool resumes = o->search->tune_from != NULL && s->backend->ops->resume != NULL;
  return resumes ? resume_search(s, err) : search_size(s, err);
}

/* Codes that grew past the budget are not taken: what was there before is made again. */
static aq_status tune_candidate(search_run *s, aq_error *err) {
  bool too_large = false;
  double unused;
  AQ_TRY(s->backend->ops->tune(s->backend, s->budget.bits, &too_large, err));
  if (!too_large) return AQ_OK;
  if (s->options->search->tune_from != NULL) return resume_search(s, err);
  return candidate_similarity(s, s->problem->lambda, &unused, err);
}

static aq_status report_search(const search_run *s, json_t *report, aq_error *err) {
  AQ_TRY(aq_report_set(report, "target", aq_json_string(s->target), err));
  AQ_TRY(aq_report_set(report, "lambda", aq_json_real(s->problem->lambda), err));
  AQ_TRY(aq_report_set(report, "planned_tensors", aq_json_count(s->problem->count), err));
  AQ_TRY(
      aq_report_set(report, "expected_bytes", aq_json_count((uint64_t)(aq_search_problem_bits(s->problem) / 8)), err));
  return s->backend->ops->report(s->backend, report, err);
}

static aq_status run_search(search_run *s, aq_bit_allocation *out, aq_error *err) {
  const aq_search_backend_ops *ops = s->backend->ops;
  AQ_TRY(ops->begin(s->backend, &s->setup, s->problem, err));
  AQ_FAIL_IF(s->problem->count == 0, AQ_ERR_ARGUMENT, "no tensor is left for the target to plan");
  AQ_TRY(search_target(s, err));
  if (s->options->search->tune_seconds > 0 && ops->tune != NULL) AQ_TRY(tune_candidate(s, err));
  out->report = json_object();
  AQ_TRY(report_search(s, out->report, err));
  AQ_TRY(ops->finish(s->backend, s->target, out->encoded, err));
  return aq_plan_share_ties(s->setup.plan, err);
}

/* ---- the whole ---- */

static void name_target(const aq_quantize_options *o, char *out, size_t size) {
  if (o->target_size > 0) {
    (void)snprintf(out, size, "target %.4g MB", (double)o->target_size / 1e6);
  } else if (o->target_bpw > 0) {
    (void)snprintf(out, size, "target %.4g bits", o->target_bpw);
  } else if (o->min_similarity > 0) {
    (void)snprintf(out, size, "target similarity %.6g", o->min_similarity);
  } else if (o->max_kl > 0) {
    (void)snprintf(out, size, "target KL divergence %.6g", o->max_kl);
  } else {
    (void)snprintf(out, size, "as in the table it was tuned from");
  }
}

aq_status aq_bit_allocation_open(aq_source *source, const aq_quantize_options *options, bool texts, const char *output,
                                 aq_bit_allocation *out, aq_error *err) {
  AQ_TRY(aq_search_backend_open(source, options, texts, output, &out->backend, err));
  out->count = source->tensor_count;
  out->encoded = aq_calloc(AQ_MAX(out->count, 1), sizeof *out->encoded);
  return out->encoded != NULL ? AQ_OK : aq_fail_memory(err, out->count * sizeof *out->encoded);
}

aq_status aq_bit_allocation_run(aq_source *source, const aq_quantize_options *options, aq_plan *plan,
                                aq_bit_allocation *out, aq_error *err) {
  search_run s = {.options = options, .problem = &out->problem, .backend = out->backend};
  s.setup = (aq_search_setup){
      .source = source, .options = options, .plan = plan, .encoded = out->encoded, .progress = &out->progress};
  name_target(options, s.target, sizeof s.target);
  aq_progress_begin(&out->progress, &options->run, "plan", 0, 0);
  return run_search(&s, out, err);
}

void aq_bit_allocation_end_search(aq_bit_allocation *a) {
  aq_search_backend_free(a->backend);
  a->backend = NULL;
  aq_search_problem_reset(&a->problem);
}

void aq_bit_allocation_reset(aq_bit_allocation *a) {
  aq_bit_allocation_end_search(a);
  for (size_t i = 0; a->encoded != NULL && i < a->count; i++) aq_encoded_reset(&a->encoded[i]);
  aq_free(a->encoded);
  json_decref(a->report);
  *a = (aq_bit_allocation){.count = 0};
}
