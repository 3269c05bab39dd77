/* candidate_tune.c - which matrices of a candidate are tuned, and what becomes of them. */
#include "search/candidate_tune.h"

#include <string.h>

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

/* original: whole. */
static aq_tune_matrix matrix_of(const aq_candidate *r, const aq_params *original, const aq_candidate_item *item) {
  const aq_encoded *e = &item->encoded;
  size_t count;
  return (aq_tune_matrix){
      .tensor = item->factors->tensor,
      .rows = item->factors->rows,
      .cols = item->factors->cols,
      .span = (size_t)e->span_length,
      .qmin = aq_quant_min(e->type),
      .qmax = aq_quant_max(e->type),
      .steps = e->scales,
      .codes = e->codes,
      .w = aq_params_find(original, item->factors->tensor, &count),
      .tune_codes = true,
      .tune_steps = r->calibration->kind->tuning.tune_groups || e->span_length == item->factors->cols};
}

static aq_status run_tune(const aq_calibration *c, const aq_quantize_options *o, const aq_params *original,
                          aq_params *quantized, aq_tune_matrix *matrices, size_t count, aq_tune_result *result,
                          aq_error *err) {
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
  return aq_tune(original, quantized, matrices, count, c->fit.ids, c->fit.lengths, c->fit.count, c->held.texts.ids,
                 c->held.texts.lengths, c->held.texts.count, &options, c->pool, &progress, result, err);
}

static aq_status tune_matrices(const aq_candidate *r, const aq_quantize_options *o, const aq_params *original,
                               aq_params *quantized, aq_tune_result *result, aq_error *err) {
  aq_tune_matrix *matrices = aq_calloc(AQ_MAX(r->problem->count, 1), sizeof *matrices);
  if (matrices == NULL) return aq_fail_memory(err, r->problem->count * sizeof *matrices);
  size_t count = 0;
  for (size_t i = 0; i < r->problem->count; i++) {
    if (is_tuned(r, &r->items[i])) matrices[count++] = matrix_of(r, original, &r->items[i]);
  }
  const aq_status status = run_tune(r->calibration, o, original, quantized, matrices, count, result, err);
  aq_free(matrices);
  return status;
}

static void take_vectors(const aq_params *from, const aq_params *to) {
  for (uint32_t i = 0; i < to->model->weight_count; i++) {
    const aq_weight *w = &to->model->weights[i];
    if (w->kind == AQ_WEIGHT_VECTOR) memcpy(to->values[i], from->values[i], aq_weight_floats(w) * sizeof(float));
  }
}

/* A step changes all layers: both models are in memory as a whole. */
static aq_status tune_whole(aq_candidate *r, const aq_quantize_options *o, aq_tune_result *result, aq_error *err) {
  const aq_calibration *c = r->calibration;
  aq_params original = {0}, quantized = {0};
  aq_status status = aq_params_copy_whole(&c->original, c->pool, &original, err);
  if (status == AQ_OK) status = aq_params_copy_whole(&r->quantized, c->pool, &quantized, err);
  if (status == AQ_OK) status = tune_matrices(r, o, &original, &quantized, result, err);
  if (status == AQ_OK) take_vectors(&quantized, &r->quantized);
  aq_params_reset(&original);
  aq_params_reset(&quantized);
  return status;
}

aq_status aq_candidate_tune(aq_candidate *r, const aq_quantize_options *options, aq_tune_result *result,
                            aq_error *err) {
  AQ_TRY(tune_whole(r, options, result, err));
  for (size_t i = 0; i < r->problem->count; i++) {
    if (is_tuned(r, &r->items[i])) AQ_TRY(aq_candidate_apply_item(r, &r->items[i], AQ_ALL_WORKERS, err));
  }
  return aq_candidate_measure(r, err);
}
