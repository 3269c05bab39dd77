/* tune_encoder.c - tuning an encoder: it is drawn to the embeddings and hidden states of the original (distill.h), and
 * judged by the cosine of its embeddings. */
#include <math.h>

#include "calib/tune/distill.h"
#include "calib/tune/held_out.h"
#include "calib/tune/teacher.h"
#include "calib/tune/tune_kind.h"
#include "core/error.h"
#include "core/memory.h"

typedef struct encoder_tuning {
  const aq_tune_setup *setup;
  aq_teacher teacher;
  aq_distill distill;
  aq_held_out held;
  aq_tape tape;
  aq_student *student; /* while it makes a step */
} encoder_tuning;

static void free_tuning(void *state) {
  encoder_tuning *t = state;
  if (t == NULL) return;
  aq_tape_reset(&t->tape);
  aq_held_out_reset(&t->held);
  aq_distill_reset(&t->distill);
  aq_teacher_reset(&t->teacher);
  aq_free(t);
}

static aq_status make_parts(encoder_tuning *t, aq_error *err) {
  const aq_tune_setup *s = t->setup;
  const aq_model_config *c = &s->original->model->config;
  const aq_hint_layers hints = aq_hint_layers_of(c->layers);
  AQ_TRY(aq_teacher_init(&t->teacher, s->original, s->batches, &hints, s->options->memory, err));
  AQ_TRY(aq_distill_init(&t->distill, &hints, c->layers, c->hidden, s->batches, err));
  return aq_held_out_init(&t->held, s->original, s->held_ids, s->held_lengths, s->held_texts, s->options->batch_tokens,
                          s->pool, s->progress, err);
}

static aq_status create_tuning(const aq_tune_setup *setup, void **state, aq_error *err) {
  encoder_tuning *t = aq_calloc(1, sizeof *t);
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

static void step_norm(const encoder_tuning *t, uint32_t gain) {
  const aq_weight *w = &t->tape.model->weights[gain];
  const size_t width = aq_weight_floats(w);
  const bool has_shift = w->bias != AQ_NO_WEIGHT;
  float *d_gain = t->student->d_vector, *d_shift = d_gain + width;
  aq_tape_norm_gradient(&t->tape, &t->tape.norm[gain], width, false, d_gain, has_shift ? d_shift : NULL);
  aq_student_move_vector(t->student, gain, d_gain);
  if (has_shift) aq_student_move_vector(t->student, w->bias, d_shift);
}

static aq_status step_linear(const encoder_tuning *t, uint32_t weight, aq_error *err) {
  float *db = t->tape.model->weights[weight].bias != AQ_NO_WEIGHT ? t->student->d_vector : NULL;
  AQ_TRY(aq_tape_linear_gradient(&t->tape, &t->tape.linear[weight], false, t->student->gradient, db, err));
  return aq_student_move_linear(t->student, weight, t->setup->pool, err);
}

static aq_status step_layer(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err) {
  const encoder_tuning *t = ctx;
  for (uint32_t i = 0; i < tape->model->weight_count; i++) {
    const aq_weight *w = &tape->model->weights[i];
    if (w->layer != layer) continue;
    const bool is_gain = w->kind == AQ_WEIGHT_VECTOR && aq_model_find(tape->model, layer, w->role) == i;
    if (w->kind == AQ_WEIGHT_LINEAR && layer != AQ_NO_LAYER) AQ_TRY(step_linear(t, i, err));
    if (is_gain) step_norm(t, i);
  }
  return AQ_OK;
}

static aq_status descend_batch(void *state, size_t batch, aq_student *student, double factor, bool *lost,
                               aq_error *err) {
  encoder_tuning *t = state;
  const aq_tune_setup *s = t->setup;
  aq_target target;
  aq_distill_loss loss;
  AQ_TRY(aq_teacher_run(&t->teacher, batch, &t->tape, s->pool, &target, err));
  AQ_TRY(aq_batch_begin(s->batches, batch, &student->params, &t->tape, s->pool, err));
  AQ_TRY(aq_tape_forward(&t->tape, &student->params, err));
  AQ_TRY(aq_distill_run(&t->distill, &t->tape, &target, s->options->hidden_weight, s->pool, &loss, err));
  *lost = !(isfinite(loss.embedding) && isfinite(loss.hidden));
  if (*lost) return AQ_OK;
  t->student = student;
  aq_student_begin_step(student, s->options, factor);
  const aq_tape_visitor visitor = {step_layer, t};
  return aq_tape_backward(&t->tape, &student->params, t->distill.d_embeddings, t->distill.d_hidden, &visitor, err);
}

static aq_status measure_cosines(void *state, const aq_params *params, double *loss, aq_error *err) {
  encoder_tuning *t = state;
  return aq_held_out_loss(&t->held, params, &t->tape, loss, err);
}

const aq_tune_kind aq_encoder_tuning = {
    .create = create_tuning, .free = free_tuning, .descend = descend_batch, .measure = measure_cosines};
