/* candidate_tune.c - which matrices of a candidate are tuned, and what becomes of them. */
#include "search/candidate_tune.h"

#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "search/cost.h"
#include "tensor/dtype.h"

/* Matrices of layers; tables of tokens and a head are not. */
static bool is_tuned(const aq_candidate *r, const aq_candidate_item *item) {
  if (item->factors == NULL) return false;
  const aq_weight *w = aq_model_find_tensor(&r->calibration->model, item->factors->tensor);
  return w != NULL && w->kind == AQ_WEIGHT_LINEAR && w->layer != AQ_NO_LAYER;
}

static aq_tune_matrix matrix_of(const aq_candidate *r, const aq_candidate_item *item) {
  const aq_encoded *e = &item->encoded;
  return (aq_tune_matrix){
      .tensor = item->factors->tensor,
      .rows = item->factors->rows,
      .cols = item->factors->cols,
      .span = (size_t)e->span_length,
      .qmin = aq_quant_min(e->type),
      .qmax = aq_quant_max(e->type),
      .steps = e->scales,
      .codes = e->codes,
      .w = item->factors->w,
      .tune_codes = true,
      .tune_steps = r->calibration->kind->tuning.tune_groups || e->span_length == item->factors->cols};
}

static aq_status run_tune(aq_candidate *r, const aq_quantize_options *o, aq_tune_matrix *matrices, size_t count,
                          aq_tune_result *result, aq_error *err) {
  const aq_calibration *c = r->calibration;
  const aq_tuning_manner *manner = &c->kind->tuning;
  aq_tune_options options;
  aq_tune_options_init(&options);
  options.seconds = o->search->tune_seconds;
  options.batch_tokens = manner->batch_tokens;
  options.full_steps = manner->full_steps;
  options.code_rate *= manner->rates;
  options.step_rate *= manner->rates;
  options.vector_rate *= manner->rates;
  aq_progress progress;
  aq_progress_begin(&progress, &o->run, "tune", 0, 0);
  return aq_tune(&c->original, &r->quantized, matrices, count, c->fit.ids, c->fit.lengths, c->fit.count,
                 c->held.texts.ids, c->held.texts.lengths, c->held.texts.count, &options, c->pool, &progress, result,
                 err);
}

aq_status aq_candidate_tune(aq_candidate *r, const aq_quantize_options *options, aq_tune_result *result,
                            aq_error *err) {
  aq_tune_matrix *matrices = aq_calloc(AQ_MAX(r->problem->count, 1), sizeof *matrices);
  if (matrices == NULL) return aq_fail_memory(err, r->problem->count * sizeof *matrices);
  size_t count = 0;
  for (size_t i = 0; i < r->problem->count; i++) {
    if (is_tuned(r, &r->items[i])) matrices[count++] = matrix_of(r, &r->items[i]);
  }
  const aq_status status = run_tune(r, options, matrices, count, result, err);
  aq_free(matrices);
  AQ_TRY(status);
  for (size_t i = 0; i < r->problem->count; i++) {
    if (is_tuned(r, &r->items[i])) AQ_TRY(aq_candidate_apply_item(r, &r->items[i], AQ_ALL_WORKERS, err));
  }
  return aq_candidate_measure(r, err);
}
