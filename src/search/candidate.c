/* candidate.c - a model's matrices at one lambda. */
#include "search/candidate.h"

#include <math.h>
#include <string.h>

#include "calib/bias_correction.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "search/candidate_base.h"
#include "search/cost.h"
#include "search/fisher_sensitivity.h"
#include "search/format_choice.h"
#include "search/rounding.h"
#include "tensor/shape.h"

#define REPAIR_TEXTS ((size_t)400)

aq_status aq_candidate_create(const aq_calibration *calibration, const aq_plan *plan, const aq_encoded *encoded,
                              aq_search_problem *problem, aq_candidate *out, aq_error *err) {
  *out = (aq_candidate){.calibration = calibration, .plan = plan, .problem = problem};
  out->items = aq_calloc(AQ_MAX(problem->count, 1), sizeof *out->items);
  if (out->items == NULL) return aq_fail_memory(err, problem->count * sizeof *out->items);
  for (size_t i = 0; i < problem->count; i++) {
    aq_search_item *planned = &problem->items[i];
    out->items[i].planned = planned;
    out->items[i].factors = aq_fisher_factors_of(calibration, problem->source, planned->tensor);
  }
  return aq_candidate_make_base(out, plan, encoded, err);
}

void aq_candidate_reset(aq_candidate *r) {
  for (size_t i = 0; r->items != NULL && i < r->problem->count; i++) aq_encoded_reset(&r->items[i].encoded);
  aq_free(r->items);
  aq_free(r->ruled_at);
  aq_params_reset(&r->base);
  aq_params_reset(&r->quantized);
  *r = (aq_candidate){0};
}

aq_status aq_candidate_tell_progress(const aq_candidate *r, aq_error *err) {
  return r->progress != NULL ? aq_progress_add(r->progress, NULL, 0, 0, err) : AQ_OK;
}

/* ---- one matrix ---- */

/* Other matrices of the encoder that are the same bytes are stored once. */
static void share_values(const aq_candidate *r, const aq_candidate_item *item, const float *values) {
  const aq_source *source = r->problem->source;
  const size_t owner = item->planned->tensor, from = item->factors->tensor;
  for (size_t i = owner; i < source->tensor_count; i++) {
    size_t count;
    float *other =
        i == owner || source->tensors[i].alias_of == (int32_t)owner ? aq_params_find(&r->quantized, i, &count) : NULL;
    if (other != NULL && i != from) memcpy(other, values, count * sizeof *other);
  }
}

/* values: those of the base, of which a choice of values is made. */
static void decode_item(const aq_candidate *r, const aq_candidate_item *item, float *values, size_t count) {
  if (item->encoded.type == AQ_KEPT) {
    aq_format_round_values(r->problem, item->planned, values, count);
  } else {
    aq_encoded_decode(&item->encoded, values);
  }
}

aq_status aq_candidate_apply_item(const aq_candidate *r, aq_candidate_item *item, uint32_t worker, aq_error *err) {
  size_t count;
  float *values = aq_params_find(&r->quantized, item->factors->tensor, &count);
  if (values != NULL) { /* else, when its layer is held */
    decode_item(r, item, values, count);
    share_values(r, item, values);
  }
  return aq_search_item_count_bits(r->problem, item->planned, &item->encoded, worker, err);
}

static aq_status choose_item(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const aq_candidate *r = ctx;
  aq_candidate_item *item = &r->items[i];
  float *w;
  if (item->factors == NULL) return AQ_OK;
  aq_status status = aq_search_item_values(r->problem, item->planned, &w, err);
  if (status == AQ_OK) status = aq_search_item_choose(r->problem, item->planned, w, worker, &item->encoded, err);
  aq_free(w);
  return status;
}

static aq_status make_codes(const aq_candidate *r, aq_candidate_item *item, const float *w, aq_pool *pool,
                            aq_error *err) {
  aq_encoded *e = &item->encoded;
  if (e->type == AQ_KEPT) return AQ_OK;
  e->codes = aq_malloc((size_t)e->count);
  if (e->codes == NULL) return aq_fail_memory(err, (size_t)e->count);
  if (item->to_nearest) {
    aq_encoded_round(e, w, e->codes);
    return AQ_OK;
  }
  const double price = r->problem->layout == NULL ? r->problem->lambda : 0; /* codes are not compressed there */
  return aq_rounding_with_feedback(item->factors, w, price, item->planned->bits, pool, e, err);
}

static aq_status round_item(const aq_candidate *r, aq_candidate_item *item, aq_pool *pool, uint32_t worker,
                            aq_error *err) {
  float *w;
  aq_status status = aq_search_item_values(r->problem, item->planned, &w, err);
  if (status == AQ_OK) status = make_codes(r, item, w, pool, err);
  aq_free(w);
  return status == AQ_OK ? aq_candidate_apply_item(r, item, worker, err) : status;
}

static bool rows_are_independent(const aq_candidate_item *item) { return item->factors->output_l.n == 0; }

/* Matrices whose rows depend on each other go side by side; the others have all threads for themselves. */
static aq_status round_dependent(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const aq_candidate *r = ctx;
  aq_candidate_item *item = &r->items[i];
  if (item->factors == NULL || rows_are_independent(item)) return AQ_OK;
  return round_item(r, item, NULL, worker, err);
}

/* What the encoder does not use is rounded to nearest when it is written. */
static aq_status round_others(aq_candidate *r, aq_error *err) {
  for (size_t i = 0; i < r->problem->count; i++) {
    aq_candidate_item *item = &r->items[i];
    if (item->factors == NULL) {
      AQ_TRY(aq_search_item_round_to_nearest(r->problem, item->planned, 0, &item->encoded, err));
    } else if (rows_are_independent(item)) {
      AQ_TRY(round_item(r, item, r->problem->pool, AQ_ALL_WORKERS, err));
    }
  }
  return AQ_OK;
}

/* ---- all of them ---- */

/* A matrix of a layer when the layer is held: what the codes stand for, or where there are none, what the base has. */
static aq_status read_quantized(const void *ctx, uint32_t weight, float *to, aq_error *err) {
  const aq_candidate *r = ctx;
  const size_t owner = aq_owner_of(r->problem->source->tensors, r->quantized.model->weights[weight].tensor);
  for (size_t i = 0; i < r->problem->count; i++) {
    const aq_candidate_item *item = &r->items[i];
    const bool are_values = item->encoded.count > 0 && item->encoded.type == AQ_KEPT;
    if (item->planned->tensor != owner || (item->encoded.codes == NULL && !are_values)) continue;
    if (are_values) AQ_TRY(aq_params_read(&r->base, weight, to, err));
    decode_item(r, item, to, item->planned->rows * item->planned->cols);
    return AQ_OK;
  }
  return aq_params_read(&r->base, weight, to, err);
}

aq_status aq_candidate_clear(aq_candidate *r, aq_error *err) {
  for (size_t i = 0; i < r->problem->count; i++) aq_encoded_reset(&r->items[i].encoded);
  aq_params_reset(&r->quantized);
  AQ_TRY(aq_params_copy(&r->base, &r->quantized, err));
  aq_params_set_reader(&r->quantized, (aq_weight_reader){read_quantized, r});
  return AQ_OK;
}

aq_status aq_candidate_round(aq_candidate *r, aq_error *err) {
  AQ_TRY(aq_candidate_clear(r, err));
  AQ_TRY(aq_candidate_tell_progress(r, err));
  AQ_TRY(aq_pool_run(r->problem->pool, r->problem->count, choose_item, r, err));
  AQ_TRY(aq_pool_run(r->problem->pool, r->problem->count, round_dependent, r, err));
  return round_others(r, err);
}

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

/* Vectors as they were before they were adjusted. */
static void restore_vectors(aq_candidate *r) {
  const aq_model *m = r->quantized.model;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    if (w->kind != AQ_WEIGHT_VECTOR) continue;
    memcpy(r->quantized.values[i], r->base.values[i], aq_weight_floats(w) * sizeof(float));
  }
}

aq_status aq_candidate_adjust(aq_candidate *r, aq_error *err) {
  const aq_calibration *c = r->calibration;
  if (!c->kind->adjusts || !aq_bias_corrects(&c->model)) {
    AQ_TRY(aq_candidate_tell_progress(r, err));
    AQ_TRY(aq_candidate_measure(r, err));
    r->before_repair = NAN;
    return AQ_OK;
  }
  const size_t texts = AQ_MIN(c->fit.count, REPAIR_TEXTS);
  AQ_TRY(aq_candidate_tell_progress(r, err));
  AQ_TRY(aq_calibration_similarity(c, &r->quantized, &c->held, &r->before_repair, err));
  AQ_TRY(aq_candidate_tell_progress(r, err));
  AQ_TRY(aq_bias_correct(&c->original, &r->quantized, c->fit.ids, c->fit.lengths, texts, c->pool, err));
  restore_settled(r);
  AQ_TRY(aq_calibration_similarity(c, &r->quantized, &c->held, &r->similarity, err));
  if (r->similarity >= r->before_repair) return AQ_OK;
  restore_vectors(r);
  r->similarity = r->before_repair;
  return AQ_OK;
}

/* ---- what was rounded before ---- */

static aq_status measure_loss(const aq_candidate *r, const aq_candidate_item *item, double *loss, aq_error *err) {
  const aq_search_item *p = item->planned;
  const size_t count = p->rows * p->cols;
  float *w, *values = aq_realloc_array(NULL, count, sizeof *values);
  aq_status status = aq_search_item_values(r->problem, p, &w, err);
  if (status == AQ_OK && values == NULL) status = aq_fail_memory(err, count * sizeof *values);
  if (status == AQ_OK) aq_encoded_decode(&item->encoded, values);
  for (size_t i = 0; status == AQ_OK && i < count; i++) {
    const double error = (double)w[i] - (double)values[i];
    *loss += (double)p->sensitivity[i / p->cols] * error * error;
  }
  aq_free(w);
  aq_free(values);
  return status;
}

aq_status aq_candidate_set_item(aq_candidate *r, size_t i, aq_encoded *encoded, aq_error *err) {
  aq_candidate_item *item = &r->items[i];
  item->encoded = *encoded;
  *encoded = (aq_encoded){.count = 0};
  item->planned->loss = 0; /* of what the encoder does not use, nobody measured it */
  if (item->factors == NULL) {
    return aq_search_item_count_bits(r->problem, item->planned, &item->encoded, AQ_ALL_WORKERS, err);
  }
  AQ_TRY(aq_candidate_apply_item(r, item, AQ_ALL_WORKERS, err));
  return measure_loss(r, item, &item->planned->loss, err);
}

aq_status aq_candidate_measure(aq_candidate *r, aq_error *err) {
  restore_settled(r);
  return aq_calibration_similarity(r->calibration, &r->quantized, &r->calibration->held, &r->similarity, err);
}

/* ---- for the writer ---- */

static aq_status copy_values(const float *values, size_t count, aq_encoded *out, aq_error *err) {
  out->values = aq_realloc_array(NULL, count, sizeof *values);
  if (out->values == NULL) return aq_fail_memory(err, count * sizeof *values);
  memcpy(out->values, values, count * sizeof *values);
  out->count = count;
  out->type = AQ_KEPT;
  return AQ_OK;
}

/* A matrix that is values of 16 bits now is one by the plan. */
static bool is_vector(const aq_candidate *r, size_t tensor) {
  const aq_weight *w = aq_model_find_tensor(r->quantized.model, tensor);
  return w != NULL && w->kind == AQ_WEIGHT_VECTOR;
}

/* Vectors that are not what they were. */
static aq_status finish_vectors(const aq_candidate *r, aq_plan *plan, aq_encoded *encoded, aq_error *err) {
  const aq_tensor_info *tensors = r->problem->source->tensors;
  for (size_t i = 0; i < plan->count; i++) {
    aq_encoded *e = &encoded[aq_owner_of(tensors, i)];
    size_t count;
    const float *now = aq_params_find(&r->quantized, i, &count), *before = aq_params_find(&r->base, i, &count);
    if (now == NULL || count != tensors[i].num_params || e->codes != NULL || !is_vector(r, i)) continue;
    if (memcmp(now, before, count * sizeof *now) == 0) continue;
    if (e->values == NULL) AQ_TRY(copy_values(now, count, e, err));
    if (plan->entries[i].action == AQ_KEEP) plan->entries[i].adjusted = true;
  }
  return AQ_OK;
}

aq_status aq_candidate_finish(aq_candidate *r, const char *target, aq_plan *plan, aq_encoded *encoded, aq_error *err) {
  for (size_t i = 0; i < r->problem->count; i++) {
    aq_candidate_item *item = &r->items[i];
    const size_t tensor = item->planned->tensor;
    AQ_TRY(aq_search_item_fix_entry(r->problem, item->planned, &item->encoded, target, &plan->entries[tensor], err));
    if (item->encoded.codes == NULL) continue;
    encoded[tensor] = item->encoded;
    item->encoded = (aq_encoded){.count = 0};
  }
  return finish_vectors(r, plan, encoded, err);
}
