/* student.c - all parameters that are tuned, and one step of each. */
#include "calib/tune/student.h"

#include <string.h>

#include "calib/tune/adam.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

/* ---- which matrix is which linear ---- */

/* Tables, and the head of a decoder, stay as they are and where they are. */
static bool is_layer_linear(const aq_weight *w) { return w->kind == AQ_WEIGHT_LINEAR && w->layer != AQ_NO_LAYER; }

static aq_status add_matrix(aq_student *s, aq_tune_matrix *m, const aq_tune_options *o, aq_error *err) {
  if (!m->tune_codes && !m->tune_steps) return AQ_OK;
  const aq_weight *l = aq_model_find_tensor(s->params.model, m->tensor);
  AQ_FAIL_IF(l == NULL || !is_layer_linear(l), AQ_ERR_ARGUMENT,
             "tensor %zu is to be tuned and is no linear layer's weight: tables make the result worse", m->tensor);
  AQ_FAIL_IF(m->rows != l->rows || m->cols != l->cols, AQ_ERR_ARGUMENT,
             "the matrix of tensor %zu is %zu x %zu, not %u x %u", m->tensor, m->rows, m->cols, l->rows, l->cols);
  const size_t i = (size_t)(l - s->params.model->weights);
  AQ_FAIL_IF(s->latents[i].matrix != NULL, AQ_ERR_ARGUMENT, "the matrix of tensor %zu is given twice", m->tensor);
  return aq_latents_init(&s->latents[i], m, s->params.values[i], o->latent_slack, o->step_mantissa, err);
}

/* ---- vectors ---- */

static aq_status make_vectors(aq_student *s, aq_error *err) {
  const aq_model *m = s->params.model;
  s->vectors = aq_calloc(m->weight_count, sizeof *s->vectors);
  if (s->vectors == NULL) return aq_fail_memory(err, m->weight_count * sizeof *s->vectors);
  size_t floats = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    if (m->weights[i].kind == AQ_WEIGHT_VECTOR) floats += aq_weight_floats(&m->weights[i]);
  }
  s->moments = aq_calloc(2 * floats, sizeof(float));
  s->best = aq_calloc(floats, sizeof(float));
  if (s->moments == NULL || s->best == NULL) return aq_fail_memory(err, 2 * floats * sizeof(float));
  float *at = s->moments, *best = s->best;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    if (m->weights[i].kind != AQ_WEIGHT_VECTOR) continue;
    const size_t count = aq_weight_floats(&m->weights[i]);
    s->vectors[i] = (aq_vector_state){.count = count, .m = at, .v = at + count, .best = best};
    at += 2 * count;
    best += count;
  }
  return AQ_OK;
}

/* ---- making one ---- */

static void find_sizes(const aq_model *m, size_t *largest, size_t *longest) {
  *largest = *longest = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    if (is_layer_linear(w)) *largest = AQ_MAX(*largest, aq_weight_floats(w));
    if (w->kind == AQ_WEIGHT_VECTOR) *longest = AQ_MAX(*longest, aq_weight_floats(w));
  }
}

static aq_status make_params(aq_student *s, const aq_params *quantized, aq_error *err) {
  const aq_model *m = quantized->model;
  bool *replaced = aq_calloc(m->weight_count, sizeof *replaced);
  if (replaced == NULL) return aq_fail_memory(err, m->weight_count);
  for (uint32_t i = 0; i < m->weight_count; i++) {
    replaced[i] = m->weights[i].kind == AQ_WEIGHT_VECTOR || is_layer_linear(&m->weights[i]);
  }
  const aq_status status = aq_params_overlay(quantized, replaced, &s->params, err);
  aq_free(replaced);
  return status;
}

static aq_status make_parts(aq_student *s, const aq_params *quantized, aq_tune_matrix *matrices, size_t count,
                            const aq_tune_options *o, aq_error *err) {
  size_t largest, longest;
  find_sizes(quantized->model, &largest, &longest);
  AQ_TRY(make_params(s, quantized, err));
  s->gradient = aq_calloc(largest, sizeof(float));
  s->d_vector = aq_calloc(2 * longest, sizeof(float));
  s->latents = aq_calloc(quantized->model->weight_count, sizeof *s->latents);
  if (s->gradient == NULL || s->d_vector == NULL || s->latents == NULL) {
    return aq_fail_memory(err, largest * sizeof(float));
  }
  AQ_TRY(make_vectors(s, err));
  for (size_t i = 0; i < count; i++) AQ_TRY(add_matrix(s, &matrices[i], o, err));
  return AQ_OK;
}

aq_status aq_student_init(aq_student *student, const aq_params *quantized, aq_tune_matrix *matrices, size_t count,
                          const aq_tune_options *options, aq_error *err) {
  *student = (aq_student){0};
  const aq_status status = make_parts(student, quantized, matrices, count, options, err);
  if (status != AQ_OK) aq_student_reset(student);
  return status;
}

uint64_t aq_student_bytes(const aq_model *model) {
  size_t largest, longest;
  find_sizes(model, &largest, &longest);
  uint64_t bytes = (largest + 2 * longest) * sizeof(float);
  for (uint32_t i = 0; i < model->weight_count; i++) {
    const aq_weight *w = &model->weights[i];
    if (is_layer_linear(w)) bytes += AQ_LATENT_BYTES * aq_weight_floats(w);
    if (w->kind == AQ_WEIGHT_VECTOR) bytes += AQ_VECTOR_BYTES * aq_weight_floats(w);
  }
  return bytes;
}

void aq_student_reset(aq_student *student) {
  const uint32_t weights = student->latents != NULL ? student->params.model->weight_count : 0;
  for (uint32_t i = 0; i < weights; i++) aq_latents_reset(&student->latents[i]);
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

void aq_student_begin_step(aq_student *student, const aq_tune_options *options, double factor) {
  const double corrected = factor * (double)aq_adam_correction(++student->step);
  student->rates = (aq_latent_rates){(float)(options->code_rate * corrected), (float)(options->step_rate * corrected)};
  student->vector_rate = (float)(options->vector_rate * corrected);
}

void aq_student_move_vector(aq_student *student, uint32_t weight, const float *gradient) {
  const aq_vector_state *v = &student->vectors[weight];
  aq_adam_step(v->count, gradient, student->vector_rate, v->m, v->v, student->params.values[weight]);
}

aq_status aq_student_move_linear(aq_student *student, uint32_t weight, aq_pool *pool, aq_error *err) {
  const uint32_t bias = student->params.model->weights[weight].bias;
  aq_latents *latents = &student->latents[weight];
  if (bias != AQ_NO_WEIGHT) aq_student_move_vector(student, bias, student->d_vector);
  return latents->matrix != NULL ? aq_latents_step(latents, student->gradient, student->rates, pool, err) : AQ_OK;
}

/* ---- the best state ---- */

void aq_student_keep_best(aq_student *student) {
  for (uint32_t i = 0; i < student->params.model->weight_count; i++) {
    const aq_vector_state *v = &student->vectors[i];
    if (v->count > 0) memcpy(v->best, student->params.values[i], v->count * sizeof *v->best);
    if (student->latents[i].matrix != NULL) aq_latents_keep_best(&student->latents[i]);
  }
}

void aq_student_take_best(const aq_student *student, aq_params *quantized) {
  for (uint32_t i = 0; i < student->params.model->weight_count; i++) {
    const aq_vector_state *v = &student->vectors[i];
    const aq_latents *l = &student->latents[i];
    if (v->count > 0) memcpy(quantized->values[i], v->best, v->count * sizeof *v->best);
    if (l->matrix != NULL) aq_latents_take_best(l, quantized->values[i]);
  }
}
