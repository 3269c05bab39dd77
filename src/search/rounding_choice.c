/* rounding_choice.c - statistics know some matrices too little for feedback to help: texts decide.
 *
 * The texts go through the original layer by layer. A matrix of a layer changes nothing before it: what is tried starts
 * from the states there. */
#include "search/rounding_choice.h"

#include <string.h>

#include "calib/text_states.h"
#include "core/error.h"
#include "core/memory.h"
#include "search/cost.h"

typedef struct trial {
  aq_candidate *candidate;
  aq_params single;              /* the original, but for one matrix */
  uint32_t weight;               /* which, */
  const aq_encoded *encoded;     /* and what it is */
  aq_text_states before, states; /* of the original before the layer at hand; of what is tried */
  float *embeddings;
} trial;

/* ---- one matrix ---- */

static aq_status read_single(const void *ctx, uint32_t weight, float *to, aq_error *err) {
  const trial *t = ctx;
  if (weight != t->weight) return aq_params_read(&t->candidate->calibration->original, weight, to, err);
  aq_encoded_decode(t->encoded, to);
  return AQ_OK;
}

static aq_status similarity_with(trial *t, const aq_encoded *encoded, double *similarity, aq_error *err) {
  const aq_calibration *c = t->candidate->calibration;
  const uint32_t layer = c->model.weights[t->weight].layer;
  t->encoded = encoded;
  aq_params_release(&t->single);
  if (layer == AQ_NO_LAYER) {
    AQ_TRY(aq_text_states_embed(&t->states, &t->single, c->pool, err));
  } else {
    memcpy(t->states.values, t->before.values, t->before.floats * sizeof(float));
  }
  for (uint32_t i = layer != AQ_NO_LAYER ? layer : 0; i < aq_tape_runs(&c->model.config); i++) {
    AQ_TRY(aq_text_states_layer(&t->states, &t->single, i, c->pool, err));
  }
  AQ_TRY(aq_text_states_end(&t->states, &t->single, c->pool, t->embeddings, err));
  return aq_calibration_compare(c, &c->choose, t->embeddings, similarity, err);
}

static aq_status round_to_nearest(const trial *t, const aq_candidate_item *item, aq_encoded *nearest, aq_error *err) {
  float *w = NULL;
  nearest->codes = aq_malloc((size_t)nearest->count);
  if (nearest->codes == NULL) return aq_fail_memory(err, (size_t)nearest->count);
  const aq_status status = aq_search_item_values(t->candidate->problem, item->planned, &w, err);
  if (status == AQ_OK) aq_encoded_round(nearest, w, nearest->codes);
  aq_free(w);
  return status;
}

/* The codes of `nearest` are taken over when they are better. */
static aq_status take_better(trial *t, aq_candidate_item *item, aq_encoded *nearest, aq_error *err) {
  double with_feedback, without;
  AQ_TRY(similarity_with(t, &item->encoded, &with_feedback, err));
  AQ_TRY(round_to_nearest(t, item, nearest, err));
  AQ_TRY(similarity_with(t, nearest, &without, err));
  item->to_nearest = without > with_feedback;
  if (!item->to_nearest) return AQ_OK;
  int8_t *codes = item->encoded.codes;
  item->encoded.codes = nearest->codes;
  nearest->codes = codes;
  return aq_candidate_apply_item(t->candidate, item, AQ_ALL_WORKERS, err);
}

static aq_status choose_for_item(trial *t, aq_candidate_item *item, aq_error *err) {
  aq_encoded nearest = item->encoded; /* its scales, borrowed */
  nearest.codes = NULL;
  const aq_status status = take_better(t, item, &nearest, err);
  aq_free(nearest.codes);
  return status;
}

/* ---- all of them ---- */

/* Those of a layer, or AQ_NO_LAYER. */
static aq_status choose_for_layer(trial *t, uint32_t layer, aq_error *err) {
  const aq_candidate *r = t->candidate;
  const aq_model *m = &r->calibration->model;
  for (size_t i = 0; i < r->problem->count; i++) {
    aq_candidate_item *item = &r->items[i];
    if (item->factors == NULL || item->factors->input_l.n == 0) continue;
    if (item->encoded.codes == NULL) continue; /* it is values */
    t->weight = (uint32_t)(aq_model_find_tensor(m, item->factors->tensor) - m->weights);
    if (m->weights[t->weight].layer != layer) continue;
    AQ_TRY(aq_candidate_tell_progress(r, err));
    AQ_TRY(choose_for_item(t, item, err));
  }
  return AQ_OK;
}

static aq_status choose_for_all(trial *t, aq_error *err) {
  const aq_calibration *c = t->candidate->calibration;
  AQ_TRY(choose_for_layer(t, AQ_NO_LAYER, err));
  AQ_TRY(aq_text_states_embed(&t->before, &c->original, c->pool, err));
  for (uint32_t i = 0; i < c->model.config.layers; i++) {
    AQ_TRY(choose_for_layer(t, i, err));
    AQ_TRY(aq_text_states_layer(&t->before, &c->original, i, c->pool, err));
  }
  return AQ_OK;
}

static aq_status begin_trial(trial *t, aq_error *err) {
  const aq_calibration *c = t->candidate->calibration;
  const aq_token_texts *texts = &c->choose.texts;
  const size_t room = texts->count * c->model.config.hidden;
  AQ_TRY(aq_params_copy(&c->original, &t->single, err));
  aq_params_set_reader(&t->single, (aq_weight_reader){read_single, t});
  AQ_TRY(aq_text_states_create(&c->model, texts, 0, texts->count, &t->before, err));
  AQ_TRY(aq_text_states_create(&c->model, texts, 0, texts->count, &t->states, err));
  t->embeddings = aq_realloc_array(NULL, room, sizeof *t->embeddings);
  return t->embeddings != NULL ? AQ_OK : aq_fail_memory(err, room * sizeof *t->embeddings);
}

aq_status aq_candidate_choose_rounding(aq_candidate *r, aq_error *err) {
  trial t = {.candidate = r};
  aq_status status = begin_trial(&t, err);
  if (status == AQ_OK) status = choose_for_all(&t, err);
  aq_params_release(&r->calibration->original);
  aq_params_reset(&t.single);
  aq_text_states_reset(&t.before);
  aq_text_states_reset(&t.states);
  aq_free(t.embeddings);
  return status;
}
