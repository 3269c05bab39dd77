/* window_divergence.c - both decoders' logits side by side, a block of positions at a time. */
#include "calib/window_divergence.h"

#include <string.h>

#include "calib/text_windows.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "measure/divergence.h"
#include "model/run/decoder_tape.h"

static aq_status run_window(const aq_params *params, const int32_t *const *ids, const uint32_t *length, aq_pool *pool,
                            aq_decoder_tape *tape, aq_error *err) {
  AQ_TRY(aq_decoder_tape_begin_forward(tape, params, ids, length, 1, pool, err));
  return aq_decoder_tape_forward(tape, params, err);
}

aq_status aq_window_states(const aq_params *original, const int32_t *const *ids, const uint32_t *lengths, size_t count,
                           aq_pool *pool, float *states, aq_error *err) {
  aq_decoder_tape tape = {0};
  aq_status status = AQ_OK;
  for (size_t i = 0; status == AQ_OK && i < count; i++) {
    const size_t floats = (size_t)lengths[i] * original->model->config.hidden;
    status = run_window(original, ids + i, lengths + i, pool, &tape, err);
    if (status == AQ_OK) memcpy(states, tape.final, floats * sizeof *states);
    states += floats;
  }
  aq_decoder_tape_reset(&tape);
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

/* Adds the divergences of one window, of which `tape` has the states of the one and `original` those of the other. */
static aq_status compare_window(comparison *k, const aq_decoder_tape *tape, const aq_decoder_tape *original,
                                const int32_t *ids, size_t length, double *sum, aq_error *err) {
  for (size_t at = aq_window_first_counted(length); at + 1 < length; at += k->block) {
    const size_t rows = AQ_MIN(k->block, length - 1 - at);
    AQ_TRY(aq_decoder_tape_logits(original, k->original, at, rows, k->reference, err));
    AQ_TRY(aq_decoder_tape_logits(tape, k->params, at, rows, k->logits, err));
    k->next = ids + at + 1;
    AQ_TRY(aq_pool_run(k->pool, rows, compare_position, k, err));
    for (size_t i = 0; i < rows; i++) *sum += k->divergences[i];
  }
  return AQ_OK;
}

static aq_status compare_windows(comparison *k, const aq_window_set *on, aq_decoder_tape *tape, aq_progress *progress,
                                 double *mean, aq_error *err) {
  const float *states = on->states;
  double sum = 0;
  size_t counted = 0;
  for (size_t i = 0; i < on->count; i++) {
    const size_t length = on->lengths[i];
    if (progress != NULL) AQ_TRY(aq_progress_add(progress, NULL, 0, 0, err));
    AQ_TRY(run_window(k->params, on->ids + i, on->lengths + i, k->pool, tape, err));
    aq_decoder_tape original = *tape; /* its room, with other states */
    original.final = states;
    AQ_TRY(compare_window(k, tape, &original, on->ids[i], length, &sum, err));
    states += length * k->original->model->config.hidden;
    counted += length - 1 - aq_window_first_counted(length);
  }
  *mean = counted > 0 ? sum / (double)counted : 0;
  return AQ_OK;
}

aq_status aq_window_divergence(const aq_params *original, const aq_window_set *on, const aq_params *params,
                               aq_pool *pool, aq_progress *progress, double *mean, aq_error *err) {
  comparison k = {.original = original,
                  .params = params,
                  .pool = pool,
                  .vocabulary = original->model->config.vocabulary,
                  .block = aq_decoder_tape_block(original->model)};
  k.reference = aq_realloc_array(NULL, k.block * k.vocabulary, sizeof *k.reference);
  k.logits = aq_realloc_array(NULL, k.block * k.vocabulary, sizeof *k.logits);
  k.divergences = aq_calloc(k.block, sizeof *k.divergences);
  aq_decoder_tape tape = {0};
  *mean = 0;
  const aq_status status = k.reference != NULL && k.logits != NULL && k.divergences != NULL
                               ? compare_windows(&k, on, &tape, progress, mean, err)
                               : aq_fail_memory(err, 2 * k.block * k.vocabulary * sizeof *k.logits);
  aq_decoder_tape_reset(&tape);
  aq_free(k.reference);
  aq_free(k.logits);
  aq_free(k.divergences);
  return status;
}
