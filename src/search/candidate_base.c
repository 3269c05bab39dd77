/* candidate_base.c - the original parameters with what rules make of tensors. */
#include "search/candidate_base.h"

#include "core/error.h"
#include "core/memory.h"
#include "tensor/shape.h"
#include "transform/round_trip.h"

#define NOT_RULED UINT64_MAX

/* The entry of a plan by which a tensor of the model is quantized whatever the search does; NULL: there is none. */
static const aq_plan_entry *rule_of(const aq_candidate *r, const aq_plan *plan, size_t tensor) {
  const aq_tensor_info *tensors = r->problem->source->tensors;
  const aq_plan_entry *e = &plan->entries[aq_owner_of(tensors, tensor)];
  const aq_weight *w = aq_model_find_tensor(r->calibration->original.model, tensor);
  const bool is_ruled = w != NULL && e->action == AQ_QUANTIZE && aq_weight_floats(w) == tensors[tensor].num_params;
  return is_ruled && !aq_plan_entry_is_open(e, AQ_RD) ? e : NULL;
}

/* What the rule makes of a tensor. */
static aq_status make_ruled(const aq_candidate *r, const aq_plan_entry *e, const aq_encoded *encoded, size_t tensor,
                            aq_round_trip *trip, float *values, aq_error *err) {
  const aq_source *source = r->problem->source;
  const size_t owner = aq_owner_of(source->tensors, tensor);
  uint64_t bytes;
  if (encoded[owner].codes == NULL) return aq_round_trip_run(trip, source, owner, e, values, &bytes, err);
  aq_encoded_decode(&encoded[owner], values);
  return AQ_OK;
}

/* The same of what is held by part: into the scratch file. */
static aq_status store_ruled(const aq_candidate *r, const aq_plan_entry *e, const aq_encoded *encoded, size_t tensor,
                             aq_round_trip *trip, aq_error *err) {
  const aq_model *m = r->base.model;
  const aq_weight *w = aq_model_find_tensor(m, tensor);
  const size_t size = aq_weight_floats(w) * sizeof(float);
  float *values = aq_malloc(size);
  if (values == NULL) return aq_fail_memory(err, size);
  aq_status status = make_ruled(r, e, encoded, tensor, trip, values, err);
  if (status == AQ_OK) {
    aq_scratch *scratch = r->calibration->scratch;
    const uint64_t at = r->ruled_at[w - m->weights] = aq_scratch_reserve(scratch, size);
    status = aq_scratch_write(scratch, at, values, size, err);
  }
  aq_free(values);
  return status;
}

static aq_status quantize_ruled(const aq_candidate *r, const aq_plan *plan, const aq_encoded *encoded, aq_error *err) {
  aq_round_trip *trip = NULL;
  AQ_TRY(aq_round_trip_create(r->problem->pool, &trip, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; status == AQ_OK && i < plan->count; i++) {
    const aq_plan_entry *e = rule_of(r, plan, i);
    size_t count;
    if (e == NULL) continue;
    float *values = aq_params_find(&r->base, i, &count);
    status =
        values != NULL ? make_ruled(r, e, encoded, i, trip, values, err) : store_ruled(r, e, encoded, i, trip, err);
  }
  aq_round_trip_free(trip);
  return status;
}

static aq_status read_base(const void *ctx, uint32_t weight, float *to, aq_error *err) {
  const aq_candidate *r = ctx;
  if (r->ruled_at[weight] == NOT_RULED) return aq_params_read(&r->calibration->original, weight, to, err);
  const size_t size = aq_weight_floats(&r->base.model->weights[weight]) * sizeof *to;
  return aq_scratch_read(r->calibration->scratch, r->ruled_at[weight], to, size, err);
}

static aq_status begin_base(aq_candidate *r, aq_error *err) {
  const uint32_t weights = r->calibration->original.model->weight_count;
  r->ruled_at = aq_realloc_array(NULL, weights, sizeof *r->ruled_at);
  if (r->ruled_at == NULL) return aq_fail_memory(err, weights * sizeof *r->ruled_at);
  for (uint32_t i = 0; i < weights; i++) r->ruled_at[i] = NOT_RULED;
  AQ_TRY(aq_params_copy(&r->calibration->original, &r->base, err));
  aq_params_set_reader(&r->base, (aq_weight_reader){read_base, r});
  return AQ_OK;
}

aq_status aq_candidate_make_base(aq_candidate *r, const aq_plan *plan, const aq_encoded *encoded, aq_error *err) {
  AQ_TRY(begin_base(r, err));
  return quantize_ruled(r, plan, encoded, err);
}
