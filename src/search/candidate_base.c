/* candidate_base.c - the original parameters with what rules make of tensors. */
#include "search/candidate_base.h"

#include "core/error.h"
#include "core/memory.h"
#include "tensor/shape.h"
#include "transform/round_trip.h"

/* The entry of a plan by which a tensor of the model is quantized whatever the search does; NULL: there is none. */
static const aq_plan_entry *rule_of(const aq_candidate *r, const aq_plan *plan, size_t tensor) {
  const aq_tensor_info *tensors = r->problem->source->tensors;
  const aq_plan_entry *e = &plan->entries[aq_owner_of(tensors, tensor)];
  const aq_weight *w = aq_model_find_tensor(r->calibration->original.model, tensor);
  const bool is_ruled = w != NULL && e->action == AQ_QUANTIZE && aq_weight_floats(w) == tensors[tensor].num_params;
  return is_ruled && !aq_plan_entry_is_open(e, AQ_RD) ? e : NULL;
}

static aq_status quantize_ruled(const aq_candidate *r, const aq_plan *plan, const aq_encoded *encoded, aq_error *err) {
  const aq_source *source = r->problem->source;
  aq_round_trip *trip = NULL;
  AQ_TRY(aq_round_trip_create(r->problem->pool, &trip, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; status == AQ_OK && i < plan->count; i++) {
    const size_t owner = aq_owner_of(source->tensors, i);
    const aq_plan_entry *e = rule_of(r, plan, i);
    size_t count;
    uint64_t bytes;
    if (e == NULL) continue;
    float *values = aq_params_find(&r->base, i, &count);
    if (encoded[owner].codes != NULL) {
      aq_encoded_decode(&encoded[owner], values);
    } else {
      status = aq_round_trip_run(trip, source, owner, e, values, &bytes, err);
    }
  }
  aq_round_trip_free(trip);
  return status;
}

/* Few tensors are replaced, or none. */
aq_status aq_candidate_make_base(aq_candidate *r, const aq_plan *plan, const aq_encoded *encoded, aq_error *err) {
  const aq_model *m = r->calibration->original.model;
  bool *replaced = aq_calloc(m->weight_count, sizeof *replaced);
  if (replaced == NULL) return aq_fail_memory(err, m->weight_count);
  for (uint32_t i = 0; i < m->weight_count; i++) replaced[i] = rule_of(r, plan, m->weights[i].tensor) != NULL;
  const aq_status status = aq_params_overlay(&r->calibration->original, replaced, &r->base, err);
  aq_free(replaced);
  return status == AQ_OK ? quantize_ruled(r, plan, encoded, err) : status;
}
