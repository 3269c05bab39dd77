/* backend_calibrated.c - a search that goes by what texts say of a model: Fisher factors for sensitivities, error
 * feedback for rounding, and outputs on texts for what is decided by measuring. */
#include "arrowquant_experimental.h"
#include "core/error.h"
#include "core/memory.h"
#include "report/report.h"
#include "report/source_json.h"
#include "search/backend.h"
#include "search/calibration.h"
#include "search/candidate.h"
#include "search/candidate_tune.h"
#include "search/exclude.h"
#include "search/fisher_sensitivity.h"
#include "search/resume.h"
#include "search/rounding_choice.h"

typedef struct calibrated_backend {
  aq_search_backend base; /* first */
  aq_calibration *calibration;
  const aq_quantize_options *options;
  aq_plan *plan;
  aq_candidate candidate;
  uint32_t candidates;  /* that were made */
  aq_tune_result tuned; /* steps 0: not tuned */
  bool tuned_too_large; /* the result passed a budget, and was given up */
} calibrated_backend;

static calibrated_backend *state_of(const aq_search_backend *backend) {
  return (calibrated_backend *)(uintptr_t)(const void *)backend;
}

static aq_status begin_calibrated(aq_search_backend *backend, const aq_search_setup *setup, aq_search_problem *problem,
                                  aq_error *err) {
  calibrated_backend *b = state_of(backend);
  aq_calibration *c = b->calibration;
  b->options = setup->options;
  b->plan = setup->plan;
  AQ_TRY(aq_calibration_make_factors(c, err)); /* gptq needs the moments, and came before */
  AQ_TRY(aq_exclude_vectors(setup->source, &c->model, setup->plan, err));
  AQ_TRY(aq_search_problem_create(setup->source, setup->plan, setup->options, c->pool, problem, err));
  AQ_TRY(aq_fisher_sensitivity_set(c, problem, err));
  AQ_TRY(aq_candidate_create(c, setup->plan, setup->encoded, problem, &b->candidate, err));
  b->candidate.progress = setup->progress;
  return AQ_OK;
}

/* The first candidate shows which matrices are better off without feedback. */
static aq_status make_calibrated(aq_search_backend *backend, aq_error *err) {
  calibrated_backend *b = state_of(backend);
  AQ_TRY(aq_candidate_round(&b->candidate, err));
  const bool first = b->candidates++ == 0;
  return first && b->calibration->kind->tries_roundings ? aq_candidate_choose_rounding(&b->candidate, err) : AQ_OK;
}

static aq_status adjust_calibrated(aq_search_backend *backend, double *similarity, aq_error *err) {
  calibrated_backend *b = state_of(backend);
  AQ_TRY(aq_candidate_adjust(&b->candidate, err));
  *similarity = b->candidate.similarity;
  return AQ_OK;
}

static aq_status confirm_calibrated(const aq_search_backend *backend, double *similarity, aq_error *err) {
  const calibrated_backend *b = state_of(backend);
  return aq_calibration_similarity(b->calibration, &b->candidate.quantized, &b->calibration->choose, similarity, err);
}

static aq_status resume_calibrated(aq_search_backend *backend, const char *table, aq_error *err) {
  calibrated_backend *b = state_of(backend);
  return aq_resume_from_table(table, &b->options->run, &b->candidate, err);
}

static aq_status tune_calibrated(aq_search_backend *backend, double budget, bool *too_large, aq_error *err) {
  calibrated_backend *b = state_of(backend);
  AQ_TRY(aq_candidate_tune(&b->candidate, b->options, &b->tuned, err));
  *too_large = budget > 0 && aq_search_problem_bits(b->candidate.problem) > budget;
  b->tuned_too_large = *too_large;
  b->tuned.accepted = b->tuned.accepted && !*too_large;
  return AQ_OK;
}

static aq_status finish_calibrated(aq_search_backend *backend, const char *target, aq_encoded *encoded, aq_error *err) {
  calibrated_backend *b = state_of(backend);
  return aq_candidate_finish(&b->candidate, target, b->plan, encoded, err);
}

/* A symmetric matrix, of which `triangle` has the lower half. */
static void add_triangle(const float *triangle, size_t n, float *square) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < i; j++, triangle++) {
      square[i * n + j] += *triangle;
      square[j * n + i] += *triangle;
    }
    square[i * n + i] += *triangle++;
  }
}

static aq_status add_moments(const aq_stats *stats, uint32_t weight, float *moments, aq_error *err) {
  const size_t n = stats->model->weights[weight].cols, floats = n * (n + 1) / 2;
  float *triangle = aq_realloc_array(NULL, floats, sizeof *triangle);
  if (triangle == NULL) return aq_fail_memory(err, floats * sizeof *triangle);
  const aq_status status = aq_stats_read_moments(stats, weight, triangle, err);
  if (status == AQ_OK) add_triangle(triangle, n, moments);
  aq_free(triangle);
  return status;
}

static aq_status add_input_moments(const aq_search_backend *backend, const aq_source *source, size_t tensor,
                                   float *moments, bool *known, aq_error *err) {
  const aq_calibration *c = state_of(backend)->calibration;
  *known = false;
  for (uint32_t i = 0; i < c->model.weight_count; i++) {
    const aq_weight *w = &c->model.weights[i];
    const bool same = w->tensor == tensor || source->tensors[w->tensor].alias_of == (int32_t)tensor;
    if (w->kind != AQ_WEIGHT_LINEAR || !same) continue;
    AQ_TRY(add_moments(&c->stats, i, moments, err));
    *known = true;
  }
  return AQ_OK;
}

/* ---- the report ---- */

static aq_status report_tuning(const calibrated_backend *b, json_t *report, aq_error *err) {
  return aq_report_set(
      report, "tuning",
      json_pack("{s:i, s:f, s:f, s:b, s:b}", "steps", (int)b->tuned.steps, "loss_before", b->tuned.before, "loss_after",
                b->tuned.after, "accepted", b->tuned.accepted ? 1 : 0, "too_large", b->tuned_too_large ? 1 : 0),
      err);
}

static aq_status report_calibrated(aq_search_backend *backend, json_t *report, aq_error *err) {
  const calibrated_backend *b = state_of(backend);
  const aq_candidate *r = &b->candidate;
  size_t to_nearest = 0;
  double confirmed;
  for (size_t i = 0; i < r->problem->count; i++) to_nearest += r->items[i].to_nearest ? 1 : 0;
  AQ_TRY(confirm_calibrated(backend, &confirmed, err));
  AQ_TRY(aq_report_set(report, "model_was_run", json_true(), err));
  AQ_TRY(aq_report_set(report, "calibration", aq_calibration_json(b->calibration), err));
  AQ_TRY(aq_report_set(report, "notes", aq_notes_json(&b->calibration->model.notes), err));
  AQ_TRY(aq_report_set(report, "roundings", json_integer((json_int_t)b->candidates), err));
  AQ_TRY(aq_report_set(report, "rounded_to_nearest", aq_json_count(to_nearest), err));
  AQ_TRY(b->calibration->kind->report(report, r->before_repair, r->similarity, confirmed, err));
  return b->tuned.steps == 0 ? AQ_OK : report_tuning(b, report, err);
}

static void free_calibrated(aq_search_backend *backend) {
  calibrated_backend *b = state_of(backend);
  aq_candidate_reset(&b->candidate);
  aq_calibration_free(b->calibration);
  aq_free(b);
}

static const aq_search_backend_ops calibrated_ops = {
    .slack = 0.006,
    .rounds = 6,
    .begin = begin_calibrated,
    .make_candidate = make_calibrated,
    .finish = finish_calibrated,
    .report = report_calibrated,
    .free = free_calibrated,
    .adjust = adjust_calibrated,
    .confirm = confirm_calibrated,
    .resume = resume_calibrated,
    .tune = tune_calibrated,
    .add_input_moments = add_input_moments,
};

aq_status aq_calibrated_backend_open(const aq_source *source, const aq_quantize_options *options, bool texts,
                                     const char *output, aq_search_backend **out, char **why_not, aq_error *err) {
  if (!texts && !aq_calibration_is_named(options) && options->search->stats_path == NULL) return AQ_OK;
  aq_calibration *calibration;
  AQ_TRY(aq_calibration_open(source, options, output, &calibration, why_not, err));
  if (calibration == NULL) return AQ_OK;
  calibrated_backend *b = aq_calloc(1, sizeof *b);
  if (b == NULL) {
    aq_calibration_free(calibration);
    return aq_fail_memory(err, sizeof *b);
  }
  b->base = (aq_search_backend){.ops = &calibrated_ops, .pool = calibration->pool};
  b->calibration = calibration;
  *out = &b->base;
  return AQ_OK;
}
