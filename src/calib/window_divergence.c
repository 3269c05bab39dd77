/* window_divergence.c - states of all windows a layer at a time, and both decoders' logits side by side, a block of
 * positions at a time. */
#include "calib/window_divergence.h"

#include <string.h>

#include "calib/text_windows.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "measure/divergence.h"
#include "model/run/decoder_tape.h"

/* ---- states ---- */

/* Windows that go through a decoder side by side, a layer at a time: parameters may have to be read for each. */
typedef struct window_run {
  const aq_params *params;
  const int32_t *const *ids;
  const uint32_t *lengths;
  size_t count;
  aq_pool *pool;
  aq_decoder_tape tape;
  aq_progress *progress;
  float *states; /* tokens of all windows x hidden */
} window_run;

typedef aq_status (*window_step)(window_run *r, uint32_t layer, aq_error *err);

static aq_status embed_window(window_run *r, uint32_t layer, aq_error *err) {
  (void)layer;
  return aq_decoder_tape_embed(&r->tape, r->params, err);
}

static aq_status run_layer(window_run *r, uint32_t layer, aq_error *err) {
  return aq_decoder_tape_layer(&r->tape, r->params, layer, err);
}

/* A step of every window, from its states to its states. */
static aq_status step_windows(window_run *r, window_step step, uint32_t layer, aq_error *err) {
  float *states = r->states;
  for (size_t i = 0; i < r->count; i++) {
    const size_t floats = (size_t)r->lengths[i] * r->params->model->config.hidden;
    if (r->progress != NULL) AQ_TRY(aq_progress_add(r->progress, NULL, 0, 0, err));
    AQ_TRY(aq_decoder_tape_begin_forward(&r->tape, r->params, r->ids + i, r->lengths + i, 1, r->pool, err));
    float *state = aq_decoder_tape_state(&r->tape);
    memcpy(state, states, floats * sizeof *states);
    AQ_TRY(step(r, layer, err));
    memcpy(states, state, floats * sizeof *states);
    states += floats;
  }
  return AQ_OK;
}

/* Into what is before the head. */
static aq_status end_window(window_run *r, uint32_t layer, aq_error *err) {
  const size_t floats = r->tape.tokens * r->params->model->config.hidden;
  (void)layer;
  AQ_TRY(aq_decoder_tape_end(&r->tape, r->params, err));
  memcpy(aq_decoder_tape_state(&r->tape), r->tape.final, floats * sizeof(float));
  return AQ_OK;
}

static aq_status run_windows(window_run *r, aq_error *err) {
  AQ_TRY(step_windows(r, embed_window, 0, err));
  for (uint32_t i = 0; i < r->params->model->config.layers; i++) AQ_TRY(step_windows(r, run_layer, i, err));
  return step_windows(r, end_window, 0, err);
}

static size_t count_tokens(const uint32_t *lengths, size_t count) {
  size_t tokens = 0;
  for (size_t i = 0; i < count; i++) tokens += lengths[i];
  return tokens;
}

aq_status aq_window_states(const aq_params *original, const int32_t *const *ids, const uint32_t *lengths, size_t count,
                           aq_pool *pool, float *states, aq_error *err) {
  window_run r = {.params = original, .ids = ids, .lengths = lengths, .count = count, .pool = pool, .states = states};
  memset(states, 0, count_tokens(lengths, count) * original->model->config.hidden * sizeof *states);
  const aq_status status = run_windows(&r, err);
  aq_decoder_tape_reset(&r.tape);
  return status;
}

/* ---- divergence ---- */

typedef struct comparison {
  const aq_params *original, *params;
  aq_pool *pool;
  size_t vocabulary, block; /* positions whose logits are held */
  float *reference, *logits;
  const int32_t *next; /* the tokens that follow them */
  double *divergences; /* of them */
} comparison;

static aq_status compare_position(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const comparison *k = ctx;
  const size_t at = (size_t)item * k->vocabulary;
  (void)worker;
  (void)err;
  k->divergences[item] =
      aq_token_compare(k->reference + at, k->logits + at, k->vocabulary, (uint32_t)k->next[item]).divergence;
  return AQ_OK;
}

/* Adds the divergences of one window. tape: begun for it; states, of it in both: before the head. */
static aq_status compare_window(comparison *k, const aq_decoder_tape *tape, const float *reference_states,
                                const float *states, const int32_t *ids, double *sum, aq_error *err) {
  const size_t length = tape->tokens;
  aq_decoder_tape original = *tape, other = *tape; /* its room, with these states */
  original.final = reference_states;
  other.final = states;
  for (size_t at = aq_window_first_counted(length); at + 1 < length; at += k->block) {
    const size_t rows = AQ_MIN(k->block, length - 1 - at);
    AQ_TRY(aq_decoder_tape_logits(&original, k->original, at, rows, k->reference, err));
    AQ_TRY(aq_decoder_tape_logits(&other, k->params, at, rows, k->logits, err));
    k->next = ids + at + 1;
    AQ_TRY(aq_pool_run(k->pool, rows, compare_position, k, err));
    for (size_t i = 0; i < rows; i++) *sum += k->divergences[i];
  }
  return AQ_OK;
}

static aq_status compare_windows(comparison *k, window_run *r, const float *reference, double *mean, aq_error *err) {
  const float *states = r->states;
  const size_t hidden = k->original->model->config.hidden;
  double sum = 0;
  size_t counted = 0;
  AQ_TRY(run_windows(r, err));
  for (size_t i = 0; i < r->count; i++) {
    const size_t length = r->lengths[i];
    if (r->progress != NULL) AQ_TRY(aq_progress_add(r->progress, NULL, 0, 0, err));
    AQ_TRY(aq_decoder_tape_begin_forward(&r->tape, k->params, r->ids + i, r->lengths + i, 1, k->pool, err));
    AQ_TRY(compare_window(k, &r->tape, reference, states, r->ids[i], &sum, err));
    states += length * hidden;
    reference += length * hidden;
    counted += length - 1 - aq_window_first_counted(length);
  }
  *mean = counted > 0 ? sum / (double)counted : 0;
  return AQ_OK;
}

uint64_t aq_window_divergence_bytes(const aq_model *m, size_t tokens) {
  const uint64_t logits = 2 * (uint64_t)aq_decoder_tape_block(m) * m->config.vocabulary;
  return (logits + (uint64_t)tokens * m->config.hidden) * sizeof(float);
}

aq_status aq_window_divergence(const aq_params *original, const aq_window_set *on, const aq_params *params,
                               aq_pool *pool, aq_progress *progress, double *mean, aq_error *err) {
  const size_t floats = count_tokens(on->lengths, on->count) * original->model->config.hidden;
  comparison k = {.original = original,
                  .params = params,
                  .pool = pool,
                  .vocabulary = original->model->config.vocabulary,
                  .block = aq_decoder_tape_block(original->model)};
  window_run r = {.params = params, .ids = on->ids, .lengths = on->lengths, .count = on->count};
  r.pool = pool;
  r.progress = progress;
  r.states = aq_calloc(AQ_MAX(floats, 1), sizeof *r.states);
  k.reference = aq_realloc_array(NULL, k.block * k.vocabulary, sizeof *k.reference);
  k.logits = aq_realloc_array(NULL, k.block * k.vocabulary, sizeof *k.logits);
  k.divergences = aq_calloc(k.block, sizeof *k.divergences);
  *mean = 0;
  const bool room = r.states != NULL && k.reference != NULL && k.logits != NULL && k.divergences != NULL;
  const aq_status status = room ? compare_windows(&k, &r, on->states, mean, err)
                                : aq_fail_memory(err, (floats + 2 * k.block * k.vocabulary) * sizeof *k.logits);
  aq_decoder_tape_reset(&r.tape);
  aq_free(r.states);
  aq_free(k.reference);
  aq_free(k.logits);
  aq_free(k.divergences);
  return status;
}
