/* candidate.c - an encoder's matrices at one lambda. */
#include "search/candidate.h"

#include <math.h>
#include <string.h>

#include "arrowquant_experimental.h"
#include "calib/bias_correction.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "quant/descent.h"
#include "quant/feedback.h"
#include "search/candidate_base.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

#define REPAIR_TEXTS ((size_t)400)
#define DAMPED_GAIN 0.9F /* feedback is damped below */
#define FINE_BITS 6.0    /* so many bits a weight, as the statistics know the coarse errors less well */
#define PRICE 0.7        /* of lambda: what a bit costs when single codes are chosen by it */
#define SWEEPS 3         /* of the descent on codes; more gain next to nothing */

aq_status aq_candidate_create(const aq_calibration *calibration, const aq_plan *plan, const float *const *values,
                              aq_search_problem *set, aq_candidate *out, aq_error *err) {
  *out = (aq_candidate){.calibration = calibration, .plan = plan, .set = set};
  out->items = aq_calloc(AQ_MAX(set->count, 1), sizeof *out->items);
  out->plain = aq_calloc(AQ_MAX(set->count, 1), sizeof *out->plain);
  if (out->items == NULL || out->plain == NULL) return aq_fail_memory(err, set->count * sizeof *out->items);
  for (size_t i = 0; i < set->count; i++) out->items[i].planned = &set->items[i];
  return aq_candidate_make_base(out, plan, values, err);
}

static void reset_item(aq_candidate_item *item) {
  aq_rd_choice_reset(&item->choice);
  aq_free(item->codes);
  item->codes = NULL;
}

void aq_candidate_reset(aq_candidate *r) {
  for (size_t i = 0; r->items != NULL && i < r->set->count; i++) reset_item(&r->items[i]);
  aq_free(r->items);
  aq_free(r->plain);
  aq_params_reset(&r->base);
  aq_params_reset(&r->quantized);
  *r = (aq_candidate){0};
}

static aq_status tell(const aq_candidate *r, aq_error *err) {
  return r->progress != NULL ? aq_progress_add(r->progress, NULL, 0, 0, err) : AQ_OK;
}

/* ---- one matrix ---- */

/* The place in the parameters of what the item's codes stand for. */
static float *values_of(const aq_params *params, const aq_candidate_item *item) {
  size_t count;
  return aq_params_find(params, item->planned->factors->tensor, &count);
}

/* Other matrices of the encoder that are the same bytes are stored once. */
static void share_values(const aq_candidate *r, const aq_candidate_item *item) {
  const aq_source *source = r->set->source;
  const size_t owner = item->planned->tensor, from = item->planned->factors->tensor;
  const float *values = values_of(&r->quantized, item);
  for (size_t i = owner; i < source->tensor_count; i++) {
    size_t count;
    float *other =
        i == owner || source->tensors[i].alias_of == (int32_t)owner ? aq_params_find(&r->quantized, i, &count) : NULL;
    if (other != NULL && i != from) memcpy(other, values, count * sizeof *other);
  }
}

static void dequantize(const aq_candidate_item *item, float *values) {
  const aq_kernels *k = aq_kernels_get();
  const size_t cols = item->planned->cols, total = item->planned->rows * cols;
  const size_t span = aq_search_item_span(item->planned, &item->choice);
  for (size_t at = 0, i = 0; at < total; at += span, i++) {
    k->dequantize_s8(item->codes + at, AQ_MIN(span, total - at), item->choice.steps[i], 0, values + at);
  }
}

/* Ideal lengths of the codes that were used. */
static void measure_bits(const int8_t *codes, size_t count, int32_t qmin, int32_t qmax, float *bits) {
  size_t seen[256] = {0};
  for (size_t i = 0; i < count; i++) seen[codes[i] - qmin]++;
  const double total = (double)count + 0.5 * (double)(qmax - qmin + 1);
  for (int32_t q = 0; q <= qmax - qmin; q++) bits[q] = (float)log2(total / ((double)seen[q] + 0.5));
}

/* Feedback decides each code once; then those are changed that are better otherwise. */
static aq_status descend_item(const aq_candidate_item *item, double lambda, aq_pool *pool, int8_t *codes,
                              aq_error *err) {
  const aq_search_item *p = item->planned;
  const aq_fisher_factors *factors = p->factors;
  if (!aq_fisher_factors_have_metric(factors)) return AQ_OK;
  float bits[256];
  float *inputs = aq_realloc_array(NULL, p->cols * p->cols, sizeof *inputs);
  float *outputs = factors->g != NULL ? aq_realloc_array(NULL, p->rows * p->rows, sizeof *outputs) : NULL;
  const bool room = inputs != NULL && (outputs != NULL || factors->g == NULL);
  aq_status status = room ? AQ_OK : aq_fail_memory(err, p->cols * p->cols * sizeof *inputs);
  if (status == AQ_OK) {
    const aq_descent d = {.rows = p->rows,
                          .cols = p->cols,
                          .w = factors->w,
                          .inputs = inputs,
                          .outputs = outputs,
                          .row_weight = factors->row_weight,
                          .scales = item->choice.steps,
                          .span = aq_search_item_span(p, &item->choice),
                          .qmin = aq_quant_min(item->choice.type),
                          .qmax = aq_quant_max(item->choice.type),
                          .price = (float)(PRICE * lambda),
                          .code_bits = bits,
                          .sweeps = SWEEPS};
    aq_fisher_factors_metric(factors, inputs, outputs);
    measure_bits(codes, p->rows * p->cols, d.qmin, d.qmax, bits);
    status = aq_descent_run(&d, pool, codes, err);
  }
  aq_free(inputs);
  aq_free(outputs);
  return status;
}

/* Rounds to nearest where the factors are NULL. */
static aq_status round_with_factors(const aq_candidate_item *item, double lambda, const float *input_l,
                                    const float *output_l, aq_pool *pool, int8_t *codes, aq_error *err) {
  const aq_search_item *p = item->planned;
  const bool fine = item->choice.bits > FINE_BITS * (double)(p->rows * p->cols);
  const float gain = fine ? 1 : DAMPED_GAIN;
  aq_feedback f = {.rows = p->rows,
                   .cols = p->cols,
                   .w = p->factors->w,
                   .input_l = input_l,
                   .output_l = output_l,
                   .input_gain = gain,
                   .output_gain = gain,
                   .scales = item->choice.steps,
                   .span = aq_search_item_span(p, &item->choice),
                   .qmin = aq_quant_min(item->choice.type),
                   .qmax = aq_quant_max(item->choice.type)};
  AQ_TRY(aq_feedback_round(&f, pool, codes, err));
  if (input_l == NULL || fine || p->factors->input_d == NULL) return AQ_OK;
  float bits[256];
  f.price = (float)(PRICE * lambda);
  f.code_bits = bits;
  f.row_loss = p->factors->sensitivity;
  f.column_loss = p->factors->input_d;
  measure_bits(codes, p->rows * p->cols, f.qmin, f.qmax, bits);
  return aq_feedback_round(&f, pool, codes, err);
}

static aq_status round_item(const aq_candidate_item *item, double lambda, bool plain, aq_pool *pool, int8_t *codes,
                            aq_error *err) {
  if (plain) return round_with_factors(item, lambda, NULL, NULL, pool, codes, err);
  float *input_l, *output_l;
  AQ_TRY(aq_fisher_factors_expand(item->planned->factors, &input_l, &output_l, err));
  const aq_status status = round_with_factors(item, lambda, input_l, output_l, pool, codes, err);
  aq_free(input_l);
  aq_free(output_l);
  return status == AQ_OK ? descend_item(item, lambda, pool, codes, err) : status;
}

static bool rows_are_independent(const aq_search_item *p) { return p->factors->output_l == NULL; }

static aq_status choose_item(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const aq_candidate *r = ctx;
  aq_candidate_item *item = &r->items[i];
  const aq_search_item *p = item->planned;
  if (p->factors == NULL) return AQ_OK;
  return aq_search_item_choose(r->set, p, p->factors->w, r->lambda, worker, &item->choice, err);
}

/* New codes and values of an item: to the tensors tied to it, and to its size. */
static aq_status publish(const aq_candidate *r, aq_candidate_item *item, uint32_t worker, aq_error *err) {
  share_values(r, item);
  return aq_search_item_stored_bytes(r->set, item->planned, item->codes, &item->choice, worker, &item->bytes, err);
}

static aq_status finish_item(const aq_candidate *r, size_t i, aq_pool *pool, uint32_t worker, aq_error *err) {
  aq_candidate_item *item = &r->items[i];
  const size_t count = item->planned->rows * item->planned->cols;
  item->codes = aq_malloc(count);
  if (item->codes == NULL) return aq_fail_memory(err, count);
  item->plain = r->plain[i];
  AQ_TRY(round_item(item, r->lambda, item->plain, pool, item->codes, err));
  dequantize(item, values_of(&r->quantized, item));
  return publish(r, item, worker, err);
}

/* Matrices whose rows depend on each other go side by side; the others have all threads for themselves. */
static aq_status round_dependent(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const aq_candidate *r = ctx;
  const aq_search_item *p = r->items[i].planned;
  if (p->factors == NULL || rows_are_independent(p)) return AQ_OK;
  return finish_item(r, (size_t)i, NULL, worker, err);
}

static aq_status round_all(aq_candidate *r, aq_error *err) {
  AQ_TRY(aq_pool_run(r->set->pool, r->set->count, choose_item, r, err));
  AQ_TRY(aq_pool_run(r->set->pool, r->set->count, round_dependent, r, err));
  for (size_t i = 0; i < r->set->count; i++) {
    const aq_search_item *p = r->items[i].planned;
    if (p->factors == NULL || !rows_are_independent(p)) continue;
    AQ_TRY(finish_item(r, i, r->set->pool, AQ_ALL_WORKERS, err));
  }
  return AQ_OK;
}

/* ---- sizes ---- */

/* What the encoder does not use has no codes, and no choice before it is counted. */
static aq_status count_bits(aq_candidate *r, aq_error *err) {
  r->bits = 0;
  for (size_t i = 0; i < r->set->count; i++) {
    aq_search_item *p = &r->set->items[i];
    aq_candidate_item *item = &r->items[i];
    if (item->choice.steps == NULL) {
      AQ_TRY(aq_search_item_round_to_nearest(r->set, p, r->lambda, 0, &item->choice, err));
    } else if (item->codes != NULL) {
      p->bits = 8 * (double)item->bytes;
      p->loss = item->choice.loss;
    }
    r->bits += p->bits;
  }
  return AQ_OK;
}

/* ---- the whole ---- */

/* What a rule of the caller keeps or quantizes stays what the rule makes of it: a vector that moves afterwards would be
 * rounded again when it is written, and nobody would have measured that. */
static bool is_settled(const aq_plan_entry *e) {
  return e->action == AQ_QUANTIZE ? e->scheme.method != AQ_RD : e->action == AQ_KEEP && !e->kept_by_default;
}

static void restore_settled(aq_candidate *r) {
  for (size_t i = 0; i < r->plan->count; i++) {
    size_t count;
    float *values = aq_params_find(&r->quantized, i, &count);
    if (values == NULL || !is_settled(&r->plan->entries[i])) continue;
    memcpy(values, aq_params_find(&r->base, i, &count), count * sizeof *values);
  }
}

aq_status aq_candidate_clear(aq_candidate *r, aq_error *err) {
  for (size_t i = 0; i < r->set->count; i++) reset_item(&r->items[i]);
  aq_params_reset(&r->quantized);
  return aq_params_copy(&r->base, &r->quantized, err);
}

aq_status aq_candidate_round(aq_candidate *r, double lambda, aq_error *err) {
  r->lambda = lambda;
  AQ_TRY(aq_candidate_clear(r, err));
  AQ_TRY(tell(r, err));
  AQ_TRY(round_all(r, err));
  return count_bits(r, err);
}

aq_status aq_candidate_correct_biases(aq_candidate *r, aq_error *err) {
  const aq_calibration *c = r->calibration;
  const size_t texts = AQ_MIN(c->fit.count, REPAIR_TEXTS);
  AQ_TRY(tell(r, err));
  AQ_TRY(aq_calibration_similarity(c, &r->quantized, &c->held, &r->before_repair, err));
  AQ_TRY(tell(r, err));
  AQ_TRY(aq_bias_correct(&c->original, &r->quantized, c->fit.ids, c->fit.lengths, texts, c->pool, err));
  restore_settled(r);
  return aq_calibration_similarity(c, &r->quantized, &c->held, &r->similarity, err);
}

/* ---- what was rounded before ---- */

static double squared_errors(const aq_candidate_item *item, const float *values) {
  const aq_search_item *p = item->planned;
  double loss = 0;
  for (size_t i = 0; i < p->rows * p->cols; i++) {
    const double error = (double)p->factors->w[i] - (double)values[i];
    loss += (double)p->sensitivity[i / p->cols] * error * error;
  }
  return loss;
}

aq_status aq_candidate_set_item(aq_candidate *r, size_t i, aq_rd_choice *choice, int8_t *codes, aq_error *err) {
  aq_candidate_item *item = &r->items[i];
  aq_search_item *p = &r->set->items[i];
  item->choice = *choice;
  item->codes = codes;
  *choice = (aq_rd_choice){0};
  if (p->factors != NULL) {
    float *values = values_of(&r->quantized, item);
    dequantize(item, values);
    item->choice.loss = squared_errors(item, values);
    return publish(r, item, AQ_ALL_WORKERS, err);
  }
  AQ_TRY(aq_search_item_stored_bytes(r->set, p, codes, &item->choice, AQ_ALL_WORKERS, &item->bytes, err));
  p->bits = 8 * (double)item->bytes;
  p->loss = 0; /* nobody measured it */
  item->codes = NULL;
  aq_free(codes);
  return AQ_OK;
}

static aq_status measure(aq_candidate *r, aq_error *err) {
  restore_settled(r);
  AQ_TRY(aq_calibration_similarity(r->calibration, &r->quantized, &r->calibration->held, &r->similarity, err));
  return count_bits(r, err);
}

aq_status aq_candidate_measure(aq_candidate *r, aq_error *err) {
  AQ_TRY(measure(r, err));
  r->before_repair = r->similarity;
  return AQ_OK;
}

/* ---- feedback or not ---- */

static aq_status similarity_of(const aq_candidate *r, const aq_params *params, double *out, aq_error *err) {
  return aq_calibration_similarity(r->calibration, params, &r->calibration->choose, out, err);
}

/* Only this matrix differs from the original's. */
static aq_status try_item(aq_candidate *r, size_t i, const aq_params *single, int8_t *nearest, aq_error *err) {
  aq_candidate_item *item = &r->items[i];
  float *values = values_of(single, item);
  double with_feedback, without;
  dequantize(item, values);
  AQ_TRY(similarity_of(r, single, &with_feedback, err));
  AQ_TRY(round_item(item, r->lambda, true, NULL, nearest, err));
  int8_t *const codes = item->codes;
  item->codes = nearest;
  dequantize(item, values);
  item->codes = codes;
  AQ_TRY(similarity_of(r, single, &without, err));
  r->plain[i] = without > with_feedback;
  return AQ_OK;
}

static aq_status choose_for_item(aq_candidate *r, size_t i, bool *replaced, int8_t *nearest, aq_error *err) {
  const aq_model *m = r->calibration->original.model;
  bool *at = &replaced[aq_model_find_tensor(m, r->items[i].planned->factors->tensor) - m->weights];
  aq_params single;
  *at = true;
  aq_status status = aq_params_overlay(&r->calibration->original, replaced, &single, err);
  if (status == AQ_OK) status = try_item(r, i, &single, nearest, err);
  aq_params_reset(&single);
  *at = false;
  return status;
}

aq_status aq_candidate_choose_rounding(aq_candidate *r, bool *changed, aq_error *err) {
  const uint32_t weights = r->calibration->original.model->weight_count;
  size_t most = 1;
  *changed = false;
  for (size_t i = 0; i < r->set->count; i++) most = AQ_MAX(most, r->items[i].planned->rows * r->items[i].planned->cols);
  int8_t *nearest = aq_malloc(most);
  bool *replaced = aq_calloc(weights, sizeof *replaced);
  aq_status status = nearest != NULL && replaced != NULL ? AQ_OK : aq_fail_memory(err, most);
  for (size_t i = 0; status == AQ_OK && i < r->set->count; i++) {
    const aq_search_item *p = r->items[i].planned;
    status = tell(r, err);
    if (status == AQ_OK && p->factors != NULL && p->factors->input_l != NULL) {
      status = choose_for_item(r, i, replaced, nearest, err);
      *changed = *changed || r->plain[i];
    }
  }
  aq_free(replaced);
  aq_free(nearest);
  return status;
}

/* ---- tuning ---- */

static aq_tune_matrix matrix_of(const aq_candidate_item *item) {
  const aq_search_item *p = item->planned;
  return (aq_tune_matrix){.tensor = p->factors->tensor,
                          .rows = p->rows,
                          .cols = p->cols,
                          .span = aq_search_item_span(p, &item->choice),
                          .qmin = aq_quant_min(item->choice.type),
                          .qmax = aq_quant_max(item->choice.type),
                          .steps = item->choice.steps,
                          .codes = item->codes,
                          .w = p->factors->w,
                          .tune_codes = true,
                          .tune_steps = true};
}

static aq_status run_tune(aq_candidate *r, const aq_quantize_options *o, aq_tune_matrix *matrices, size_t count,
                          aq_error *err) {
  const aq_calibration *c = r->calibration;
  aq_tune_options options;
  aq_tune_options_init(&options);
  options.seconds = o->search->tune_seconds;
  aq_progress progress;
  aq_progress_begin(&progress, &o->run, "tune", 0, 0);
  return aq_tune(&c->original, &r->quantized, matrices, count, c->fit.ids, c->fit.lengths, c->fit.count,
                 c->held.texts.ids, c->held.texts.lengths, c->held.texts.count, &options, c->pool, &progress, &r->tuned,
                 err);
}

static bool is_tuned(const aq_search_item *p) { return p->factors != NULL && !rows_are_independent(p); }

aq_status aq_candidate_tune(aq_candidate *r, const aq_quantize_options *options, aq_error *err) {
  aq_tune_matrix *matrices = aq_calloc(AQ_MAX(r->set->count, 1), sizeof *matrices);
  if (matrices == NULL) return aq_fail_memory(err, r->set->count * sizeof *matrices);
  size_t count = 0;
  for (size_t i = 0; i < r->set->count; i++) {
    if (is_tuned(r->items[i].planned)) matrices[count++] = matrix_of(&r->items[i]);
  }
  const aq_status status = run_tune(r, options, matrices, count, err);
  aq_free(matrices);
  AQ_TRY(status);
  for (size_t i = 0; i < r->set->count; i++) {
    if (is_tuned(r->items[i].planned)) AQ_TRY(publish(r, &r->items[i], AQ_ALL_WORKERS, err));
  }
  return measure(r, err);
}

/* ---- values that differ from the source's ---- */

void aq_candidate_collect_values(const aq_candidate *r, aq_plan *plan, const float *const *owned,
                                 const float **values) {
  for (size_t i = 0; i < plan->count; i++) {
    const aq_tensor_info *t = &r->set->source->tensors[i];
    aq_plan_entry *e = &plan->entries[i];
    const size_t owner = aq_owner_of(r->set->source->tensors, i);
    size_t count;
    const float *now = aq_params_find(&r->quantized, i, &count), *before = aq_params_find(&r->base, i, &count);
    if (now == NULL || count != t->num_params || owned[owner] != NULL) continue;
    const bool planned = e->action == AQ_QUANTIZE && e->scheme.method == AQ_RD;
    const bool changed = memcmp(now, before, count * sizeof *now) != 0;
    if (planned || changed) values[owner] = now;
    if (changed && e->action == AQ_KEEP) e->adjusted = true;
  }
}
