/* student.c - all parameters that are tuned, one step of them.
 *
 * A step goes linear by linear: the gradient of one is computed into the same memory as that of the others and used at
 * once. Inputs and gradients at the outputs belong to the pass, so it does not matter that parameters change on the
 * way. */
#include "calib/tune/student.h"

#include <string.h>

#include "calib/tune/adam.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

/* Vectors: gain and shift of the first norm, then of each layer its biases and those of its two norms. */
#define NORM_VECTORS ((size_t)2)
#define LAYER_VECTORS (AQ_LAYER_LINEARS + 2 * NORM_VECTORS)

/* ---- which matrix is which linear ---- */

static aq_param_linear *find_linear(const aq_params *p, size_t tensor, size_t *place) {
  for (uint32_t i = 0; i < p->config->layers; i++) {
    for (size_t j = 0; j < AQ_LAYER_LINEARS; j++) {
      *place = i * AQ_LAYER_LINEARS + j;
      if (p->layers[i].linear[j].w_tensor == tensor) return &p->layers[i].linear[j];
    }
  }
  return NULL;
}

static aq_status take_matrix(aq_student *s, aq_tune_matrix *m, const aq_tune_options *o, aq_error *err) {
  size_t place;
  if (!m->tune_codes && !m->tune_steps) return AQ_OK;
  const aq_param_linear *l = find_linear(&s->params, m->tensor, &place);
  AQ_FAIL_IF(l == NULL, AQ_ERR_ARGUMENT,
             "tensor %zu is to be tuned and is no linear layer's weight: tables make the result worse", m->tensor);
  AQ_FAIL_IF(m->rows != l->out || m->cols != l->in, AQ_ERR_ARGUMENT,
             "the matrix of tensor %zu is %zu x %zu, not %u x %u", m->tensor, m->rows, m->cols, l->out, l->in);
  AQ_FAIL_IF(s->latents[place].matrix != NULL, AQ_ERR_ARGUMENT, "the matrix of tensor %zu is given twice", m->tensor);
  return aq_latents_init(&s->latents[place], m, l->w, o->latent_slack, o->step_mantissa, err);
}

/* ---- vectors ---- */

static void add_vector(aq_student *s, const float *values, size_t count) {
  s->vectors[s->vector_count++] = (aq_vector_state){.offset = (size_t)(values - s->params.memory), .count = count};
  s->vector_floats += count;
}

static void add_norm(aq_student *s, const aq_param_norm *norm) {
  add_vector(s, norm->gain, s->params.config->hidden);
  add_vector(s, norm->shift, s->params.config->hidden);
}

static void list_vectors(aq_student *s) {
  add_norm(s, &s->params.first_norm);
  for (uint32_t i = 0; i < s->params.config->layers; i++) {
    const aq_param_layer *layer = &s->params.layers[i];
    for (size_t j = 0; j < AQ_LAYER_LINEARS; j++) add_vector(s, layer->linear[j].b, layer->linear[j].out);
    add_norm(s, &layer->attention_norm);
    add_norm(s, &layer->last_norm);
  }
}

static aq_status make_vectors(aq_student *s, aq_error *err) {
  const size_t layers = s->params.config->layers, room = NORM_VECTORS + layers * LAYER_VECTORS;
  s->vectors = aq_calloc(room, sizeof *s->vectors);
  if (s->vectors == NULL) return aq_fail_memory(err, room * sizeof *s->vectors);
  list_vectors(s);
  s->moments = aq_calloc(2 * s->vector_floats, sizeof(float));
  s->best = aq_calloc(s->vector_floats, sizeof(float));
  if (s->moments == NULL || s->best == NULL) return aq_fail_memory(err, 2 * s->vector_floats * sizeof(float));
  float *at = s->moments;
  for (size_t i = 0; i < s->vector_count; i++) {
    s->vectors[i].m = at;
    s->vectors[i].v = at + s->vectors[i].count;
    at += 2 * s->vectors[i].count;
  }
  return AQ_OK;
}

/* ---- making one ---- */

static aq_status fill(aq_student *s, const aq_params *quantized, aq_tune_matrix *matrices, size_t count,
                      const aq_tune_options *o, aq_error *err) {
  const size_t hidden = quantized->config->hidden, inner = quantized->config->inner;
  const size_t widest = AQ_MAX(hidden, inner), layers = quantized->config->layers;
  AQ_TRY(aq_params_copy(quantized, &s->params, err));
  s->gradient = aq_calloc(hidden * widest, sizeof(float));
  s->d_vector = aq_calloc(2 * widest, sizeof(float));
  s->latents = aq_calloc(layers * AQ_LAYER_LINEARS, sizeof *s->latents);
  if (s->gradient == NULL || s->d_vector == NULL || s->latents == NULL) {
    return aq_fail_memory(err, hidden * widest * sizeof(float));
  }
  AQ_TRY(make_vectors(s, err));
  for (size_t i = 0; i < count; i++) AQ_TRY(take_matrix(s, &matrices[i], o, err));
  return AQ_OK;
}

aq_status aq_student_init(aq_student *student, const aq_params *quantized, aq_tune_matrix *matrices, size_t count,
                          const aq_tune_options *options, aq_error *err) {
  *student = (aq_student){0};
  const aq_status status = fill(student, quantized, matrices, count, options, err);
  if (status != AQ_OK) aq_student_reset(student);
  return status;
}

void aq_student_reset(aq_student *student) {
  const size_t linears = student->latents != NULL ? student->params.config->layers * AQ_LAYER_LINEARS : 0;
  for (size_t i = 0; i < linears; i++) aq_latents_reset(&student->latents[i]);
  aq_free(student->latents);
  aq_free(student->vectors);
  aq_free(student->moments);
  aq_free(student->best);
  aq_free(student->gradient);
  aq_free(student->d_vector);
  aq_params_reset(&student->params);
  *student = (aq_student){0};
}

/* ---- a step ---- */

typedef struct stepping {
  aq_student *student;
  const aq_tape *tape;
  aq_latent_rates rates;
  float vector_rate;
  aq_pool *pool;
  size_t next_vector;
} stepping;

static void step_vector(stepping *s, const float *gradient) {
  const aq_vector_state *v = &s->student->vectors[s->next_vector++];
  aq_adam_step(v->count, gradient, s->vector_rate, v->m, v->v, s->student->params.memory + v->offset);
}

static void step_norm(stepping *s, const aq_tape_norm *norm) {
  float *d_gain = s->student->d_vector, *d_shift = d_gain + s->tape->config->hidden;
  aq_tape_norm_gradient(s->tape, norm, false, d_gain, d_shift);
  step_vector(s, d_gain);
  step_vector(s, d_shift);
}

static aq_status step_linear(stepping *s, const aq_tape_linear *linear, aq_latents *latents, aq_error *err) {
  aq_student *student = s->student;
  AQ_TRY(aq_tape_linear_gradient(s->tape, linear, false, student->gradient, student->d_vector, err));
  step_vector(s, student->d_vector);
  return latents->matrix != NULL ? aq_latents_step(latents, student->gradient, s->rates, s->pool, err) : AQ_OK;
}

/* In the order in which vectors are listed. */
aq_status aq_student_step(aq_student *student, const aq_tape *tape, const aq_tune_options *options, double factor,
                          aq_pool *pool, aq_error *err) {
  const double corrected = factor * (double)aq_adam_correction(++student->step);
  stepping s = {.student = student,
                .tape = tape,
                .rates = {(float)(options->code_rate * corrected), (float)(options->step_rate * corrected)},
                .vector_rate = (float)(options->vector_rate * corrected),
                .pool = pool};
  step_norm(&s, &tape->first_norm);
  for (uint32_t i = 0; i < tape->config->layers; i++) {
    const aq_tape_layer *layer = &tape->layers[i];
    for (size_t j = 0; j < AQ_LAYER_LINEARS; j++) {
      AQ_TRY(step_linear(&s, &layer->linear[j], &student->latents[i * AQ_LAYER_LINEARS + j], err));
    }
    step_norm(&s, &layer->attention_norm);
    step_norm(&s, &layer->last_norm);
  }
  return AQ_OK;
}

/* ---- the best state ---- */

void aq_student_keep_best(aq_student *student) {
  float *out = student->best;
  for (size_t i = 0; i < student->vector_count; i++) {
    const aq_vector_state *v = &student->vectors[i];
    memcpy(out, student->params.memory + v->offset, v->count * sizeof *out);
    out += v->count;
  }
  for (size_t i = 0; i < student->params.config->layers * AQ_LAYER_LINEARS; i++) {
    if (student->latents[i].matrix != NULL) aq_latents_keep_best(&student->latents[i]);
  }
}

void aq_student_take_best(const aq_student *student, aq_params *quantized) {
  const float *in = student->best;
  for (size_t i = 0; i < student->vector_count; i++) {
    const aq_vector_state *v = &student->vectors[i];
    memcpy(quantized->memory + v->offset, in, v->count * sizeof *in);
    in += v->count;
  }
  for (size_t i = 0; i < student->params.config->layers * AQ_LAYER_LINEARS; i++) {
    const aq_latents *l = &student->latents[i];
    if (l->matrix != NULL) aq_latents_take_best(l, quantized->memory + (l->values - student->params.memory));
  }
}
