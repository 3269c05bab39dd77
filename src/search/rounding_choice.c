/* rounding_choice.c - statistics know some matrices too little for feedback to help: texts decide. */
#include "search/rounding_choice.h"

#include "core/error.h"
#include "core/memory.h"

static aq_status similarity_with(const aq_candidate *r, const aq_params *single, const aq_encoded *e, size_t tensor,
                                 double *similarity, aq_error *err) {
  size_t count;
  aq_encoded_decode(e, aq_params_find(single, tensor, &count));
  return aq_calibration_similarity(r->calibration, single, &r->calibration->choose, similarity, err);
}

/* In `single` only this matrix differs from the original's. */
static aq_status compare_roundings(const aq_candidate *r, aq_candidate_item *item, const aq_params *single,
                                   aq_error *err) {
  const size_t tensor = item->factors->tensor;
  double with_feedback, without;
  aq_encoded nearest = item->encoded; /* its scales, borrowed */
  AQ_TRY(similarity_with(r, single, &item->encoded, tensor, &with_feedback, err));
  nearest.codes = aq_malloc((size_t)nearest.count);
  if (nearest.codes == NULL) return aq_fail_memory(err, (size_t)nearest.count);
  aq_encoded_round(&nearest, item->factors->w, nearest.codes);
  const aq_status status = similarity_with(r, single, &nearest, tensor, &without, err);
  aq_free(nearest.codes);
  AQ_TRY(status);
  item->to_nearest = without > with_feedback;
  return AQ_OK;
}

static aq_status choose_for_item(const aq_candidate *r, aq_candidate_item *item, bool *replaced, aq_error *err) {
  const aq_model *m = r->calibration->original.model;
  bool *at = &replaced[aq_model_find_tensor(m, item->factors->tensor) - m->weights];
  aq_params single;
  *at = true;
  aq_status status = aq_params_overlay(&r->calibration->original, replaced, &single, err);
  if (status == AQ_OK) status = compare_roundings(r, item, &single, err);
  aq_params_reset(&single);
  *at = false;
  return status;
}

aq_status aq_candidate_choose_rounding(aq_candidate *r, bool *changed, aq_error *err) {
  const uint32_t weights = r->calibration->original.model->weight_count;
  *changed = false;
  bool *replaced = aq_calloc(weights, sizeof *replaced);
  aq_status status = replaced != NULL ? AQ_OK : aq_fail_memory(err, weights);
  for (size_t i = 0; status == AQ_OK && i < r->problem->count; i++) {
    aq_candidate_item *item = &r->items[i];
    status = aq_candidate_tell_progress(r, err);
    if (status != AQ_OK || item->factors == NULL || item->factors->input_l == NULL) continue;
    if (item->encoded.codes == NULL) continue; /* it is values */
    status = choose_for_item(r, item, replaced, err);
    *changed = *changed || item->to_nearest;
  }
  aq_free(replaced);
  return status;
}
