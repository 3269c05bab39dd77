/* tune_decoder.c - tuning a decoder: it is drawn to the original's predictions of the next token (token_distill.h), and
 * judged by its divergence from them on held-out windows.
 *
 * The original runs beside the student on each batch: in the time that there is, each window comes by once or a few
 * times, so that keeping the original's states would save less than a fifth of it. */
#include <math.h>
#include <string.h>

#include "calib/tune/token_distill.h"
#include "calib/tune/tune_kind.h"
#include "calib/window_divergence.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/run/tape_linear_gradient.h"

typedef struct decoder_tuning {
  const aq_tune_setup *setup;
  aq_token_distill distill;
  float *states;      /* of the original, tokens of a batch x hidden */
  float *held_states; /* of the original, tokens of all held-out windows x hidden */
  aq_gradient_room room;
  aq_decoder_tape tape;
  aq_student *student; /* while it makes a step */
} decoder_tuning;

static void free_tuning(void *state) {
  decoder_tuning *t = state;
  if (t == NULL) return;
  aq_decoder_tape_reset(&t->tape);
  aq_token_distill_reset(&t->distill);
  aq_free(t->states);
  aq_free(t->held_states);
  aq_free(t->room.turned);
  aq_free(t->room.columns);
  aq_free(t);
}

/* ---- room ---- */

static aq_status allocate_floats(size_t rows, size_t columns, float **out, aq_error *err) {
  *out = aq_realloc_array(NULL, AQ_MAX(rows, 1) * columns, sizeof **out);
  return *out != NULL ? AQ_OK : aq_fail_memory(err, rows * columns * sizeof **out);
}

static aq_status make_gradient_room(decoder_tuning *t, aq_error *err) {
  const aq_model *m = t->setup->original->model;
  const size_t tokens = t->setup->batches->most_tokens;
  size_t turned = 0, columns = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    if (w->kind != AQ_WEIGHT_LINEAR || w->layer == AQ_NO_LAYER) continue;
    turned = AQ_MAX(turned, aq_gradient_turned_floats(w->rows, tokens));
    columns = AQ_MAX(columns, aq_gradient_column_floats(w->cols, tokens));
  }
  AQ_TRY(allocate_floats(turned, 1, &t->room.turned, err));
  return allocate_floats(columns, 1, &t->room.columns, err);
}

static aq_status make_parts(decoder_tuning *t, aq_error *err) {
  const aq_tune_setup *s = t->setup;
  const size_t hidden = s->original->model->config.hidden;
  size_t held = 0;
  for (size_t i = 0; i < s->held_texts; i++) held += s->held_lengths[i];
  AQ_TRY(aq_token_distill_init(&t->distill, s->original, err));
  AQ_TRY(make_gradient_room(t, err));
  AQ_TRY(allocate_floats(s->batches->most_tokens, hidden, &t->states, err));
  AQ_TRY(allocate_floats(held, hidden, &t->held_states, err));
  return aq_window_states(s->original, s->held_ids, s->held_lengths, s->held_texts, s->pool, t->held_states, err);
}

static aq_status create_tuning(const aq_tune_setup *setup, void **state, aq_error *err) {
  decoder_tuning *t = aq_calloc(1, sizeof *t);
  if (t == NULL) return aq_fail_memory(err, sizeof *t);
  t->setup = setup;
  const aq_status status = make_parts(t, err);
  if (status == AQ_OK) {
    *state = t;
  } else {
    free_tuning(t);
  }
  return status;
}

/* ---- a step ---- */

static aq_status step_linear(const decoder_tuning *t, uint32_t weight, aq_error *err) {
  aq_student *s = t->student;
  const bool has_bias = t->tape.model->weights[weight].bias != AQ_NO_WEIGHT;
  if (s->latents[weight].matrix == NULL && !has_bias) return AQ_OK;
  AQ_TRY(aq_linear_gradient(&t->tape.linear[weight], t->tape.tokens, &t->room, false, s->gradient,
                            has_bias ? s->d_vector : NULL, t->setup->pool, err));
  return aq_student_move_linear(s, weight, t->setup->pool, err);
}

static aq_status step_norm(const decoder_tuning *t, uint32_t gain, aq_error *err) {
  AQ_TRY(aq_decoder_norm_gradient(&t->tape, &t->tape.norm[gain], t->student->d_vector, err));
  aq_student_move_vector(t->student, gain, t->student->d_vector);
  return AQ_OK;
}

/* A head of its own has no gradient at its outputs, and is not tuned. */
static aq_status step_layer(void *ctx, const aq_decoder_tape *tape, uint32_t layer, aq_error *err) {
  const decoder_tuning *t = ctx;
  for (uint32_t i = 0; i < tape->model->weight_count; i++) {
    if (tape->model->weights[i].layer != layer) continue;
    if (tape->linear[i].dy != NULL) AQ_TRY(step_linear(t, i, err));
    if (tape->norm[i].dy != NULL) AQ_TRY(step_norm(t, i, err));
  }
  return AQ_OK;
}

static aq_status run_batch(decoder_tuning *t, const aq_params *params, size_t batch, bool forward_only, aq_error *err) {
  const aq_text_batches *b = t->setup->batches;
  const size_t first = b->first[batch], texts = b->first[batch + 1] - first;
  const int32_t *const *ids = b->ids + first;
  if (forward_only) {
    AQ_TRY(aq_decoder_tape_begin_forward(&t->tape, params, ids, b->lengths + first, texts, t->setup->pool, err));
  } else {
    AQ_TRY(aq_decoder_tape_begin(&t->tape, params, ids, b->lengths + first, texts, t->setup->pool, err));
  }
  return aq_decoder_tape_forward(&t->tape, params, err);
}

static aq_status step_down(decoder_tuning *t, size_t batch, double factor, aq_error *err) {
  const aq_params *original = t->setup->original, *params = &t->student->params;
  AQ_TRY(run_batch(t, original, batch, true, err));
  memcpy(t->states, t->tape.final, t->tape.tokens * original->model->config.hidden * sizeof *t->states);
  AQ_TRY(run_batch(t, params, batch, false, err));
  aq_student_begin_step(t->student, t->setup->options, factor);
  const aq_decoder_loss loss = aq_token_distill_begin(&t->distill, t->states);
  const aq_decoder_visitor visitor = {step_layer, t};
  return aq_decoder_tape_backward(&t->tape, params, &loss, 0, &visitor, err);
}

/* The original's logits are finite, or it would have had no statistics. */
static aq_status descend_batch(void *state, size_t batch, aq_student *student, double factor, bool *lost,
                               aq_error *err) {
  decoder_tuning *t = state;
  t->student = student;
  const aq_status status = step_down(t, batch, factor, err);
  *lost = status == AQ_ERR_NONFINITE;
  if (*lost) aq_error_clear(err);
  return *lost ? AQ_OK : status;
}

static aq_status measure_divergence(void *state, const aq_params *params, double *loss, aq_error *err) {
  const decoder_tuning *t = state;
  const aq_tune_setup *s = t->setup;
  const aq_window_set held = {s->held_ids, s->held_lengths, s->held_texts, t->held_states};
  const aq_status status = aq_window_divergence(s->original, &held, params, s->pool, s->progress, loss, err);
  if (status != AQ_ERR_NONFINITE) return status;
  aq_error_clear(err);
  *loss = INFINITY;
  return AQ_OK;
}

const aq_tune_kind aq_decoder_tuning = {.cuts_texts = true,
                                        .create = create_tuning,
                                        .free = free_tuning,
                                        .descend = descend_batch,
                                        .measure = measure_divergence};
