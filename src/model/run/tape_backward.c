/* tape_backward.c - the backward pass: the steps of tape_forward.c in the opposite order, each by its derivative.
 *
 * A layer is four rounds of the pool: panels of its weights; blocks of tokens from its last step back to the output of
 * attention; attention; blocks of tokens again, to what goes into the layer. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "model/nn/gate.h"
#include "model/nn/layer_norm.h"
#include "model/nn/pooling.h"
#include "model/nn/row_norm.h"
#include "model/run/tape_buffers.h"

/* A round. */
typedef struct backward {
  const aq_tape *tape;
  const aq_params *params;
  const aq_layer_steps *steps;
  aq_tape_buffers *buffers;
  const float *d_embeddings;
  const float *const *d_hidden; /* NULL, or NULL for some */
  aq_stage stage;
  uint32_t run; /* of a layer, at hand */
} backward;

static void add(const float *x, size_t n, float *to) {
  for (size_t i = 0; i < n; i++) to[i] += x[i];
}

/* The loss's own gradient at hidden[i]; to: tokens x hidden. */
static void add_from_loss(const backward *b, uint32_t i, size_t first, size_t count, float *to) {
  if (b->d_hidden == NULL || b->d_hidden[i] == NULL) return;
  add(b->d_hidden[i] + first, count, to + first);
}

static float *gradient_rows(const backward *b, aq_slot slot, size_t first) {
  return aq_tape_rows(b->tape->model, b->buffers->gradient, slot, first);
}

/* ---- tokens ---- */

static void undo_norms(const aq_param_norm *norm, size_t n, const float *dy, const float *z, const float *scale,
                       size_t rows, float *out) {
  for (size_t t = 0; t < rows; t++) {
    aq_layer_norm_backward(dy + t * n, z + t * n, scale[t], norm->gain, n, out + t * n);
  }
}

static void undo_norm_of_sum(const backward *b, const aq_step *s, size_t first, size_t rows) {
  const aq_tape_layer_buffers *l = &b->buffers->layers[b->run];
  const aq_param_norm norm = aq_params_norm(b->params, aq_tape_layer_of(b->tape->config, b->run), s->role);
  const size_t n = b->tape->config->hidden;
  undo_norms(&norm, n, gradient_rows(b, s->out, first), l->z[s->out] + first * n, l->scale[s->out] + first, rows,
             gradient_rows(b, s->in, first));
}

/* What passes a step by: the activation that it reads is added to another one as well. */
static void add_residual(const backward *b, aq_slot slot, size_t first, size_t rows) {
  const aq_slot sum = aq_layer_steps_residual(b->steps, slot);
  if (sum == AQ_SLOT_NONE) return;
  add(gradient_rows(b, sum, first), rows * aq_slot_width(b->tape->model, slot), gradient_rows(b, slot, first));
}

static void undo_norm(const backward *b, const aq_step *s, size_t first, size_t rows) {
  const aq_tape_layer_buffers *l = &b->buffers->layers[b->run];
  const aq_row_norm norm = aq_row_norm_of(b->params, aq_tape_layer_of(b->tape->config, b->run), s->role);
  const size_t at = first * norm.n;
  aq_row_norm_backward(&norm, b->buffers->gradient[s->out] + at, l->value[s->in] + at, l->z[s->out] + at,
                       l->scale[s->out] + first, rows, b->buffers->gradient[s->in] + at);
  add_residual(b, s->in, first, rows);
}

static void undo_linear(const backward *b, size_t number, size_t first, size_t rows) {
  const aq_step *s = &b->steps->step[number];
  const aq_model *m = b->tape->model;
  aq_gemm_run(&b->stage.product[number], gradient_rows(b, s->out, first), aq_slot_width(m, s->out), rows,
              gradient_rows(b, s->in, first), aq_slot_width(m, s->in));
  add_residual(b, s->in, first, rows);
}

static void undo_activation(const backward *b, const aq_step *s, size_t first, size_t rows) {
  const aq_model *m = b->tape->model;
  float *const *value = b->buffers->layers[b->run].value;
  b->tape->config->activation->backward(aq_tape_rows(m, value, s->in, first), aq_tape_rows(m, value, s->out, first),
                                        rows * aq_slot_width(m, s->in), gradient_rows(b, s->in, first));
}

static void undo_gate(const backward *b, const aq_step *s, size_t first, size_t rows) {
  const aq_gate gate = aq_step_gate(s, b->tape->config, aq_kernels_get());
  const float *x = aq_tape_rows(b->tape->model, b->buffers->layers[b->run].value, s->in, first);
  float *dy = gradient_rows(b, s->out, first), *dx = gradient_rows(b, s->in, first);
  for (size_t t = 0; t < rows; t++) aq_gate_backward(&gate, x + t * 2 * gate.n, dy + t * gate.n, dx + t * 2 * gate.n);
}

static void undo_step(const backward *b, size_t number, size_t first, size_t rows) {
  const aq_step *s = &b->steps->step[number];
  switch (s->kind) {
    case AQ_STEP_LINEAR:
      undo_linear(b, number, first, rows);
      break;
    case AQ_STEP_ACTIVATION:
      undo_activation(b, s, first, rows);
      break;
    case AQ_STEP_ADD_NORM:
      undo_norm_of_sum(b, s, first, rows);
      break;
    case AQ_STEP_NORM:
      undo_norm(b, s, first, rows);
      break;
    case AQ_STEP_GATE:
    case AQ_STEP_GATE_LAST:
      undo_gate(b, s, first, rows);
      break;
    case AQ_STEP_ADD:       /* the gradient of a sum is that of what is added */
    case AQ_STEP_ATTENTION: /* in a round of its own */
      break;
  }
}

/* Steps end - 1, ..., begin. */
static void undo_steps(const backward *b, size_t begin, size_t end, size_t first, size_t rows) {
  for (size_t i = end; i-- > begin;) undo_step(b, i, first, rows);
}

/* What the forward pass did not keep of the layer at hand. */
static void recompute_rows(const backward *b, size_t first, size_t rows) {
  const size_t n = b->tape->config->hidden;
  const aq_tape_layer_buffers *l = &b->buffers->layers[b->run];
  for (size_t i = 0; i < b->steps->count; i++) {
    const aq_step *s = &b->steps->step[i];
    if (!aq_tape_recomputes(s)) continue;
    if (s->kind != AQ_STEP_ADD_NORM) {
      aq_tape_make_rows(b->tape, b->params, b->run, s, first, rows);
      continue;
    }
    const aq_param_norm norm = aq_params_norm(b->params, aq_tape_layer_of(b->tape->config, b->run), s->role);
    for (size_t t = first; t < first + rows; t++) {
      aq_layer_norm_output(l->z[s->out] + t * n, n, norm.gain, norm.shift, l->value[s->out] + t * n);
    }
  }
}

/* The gradient at what the last layer gives, from that behind the norm after it. */
static aq_status undo_last_norm(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const aq_tape_buffers *t = b->buffers;
  const aq_row_norm norm = aq_row_norm_of(b->params, AQ_NO_LAYER, AQ_ROLE_FINAL_NORM);
  const float *x = t->layers[aq_tape_runs(b->tape->config) - 1].value[AQ_SLOT_OUTPUT];
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(b->tape, (size_t)item, &first, &rows);
  const size_t at = first * norm.n;
  aq_row_norm_backward(&norm, t->d_final + at, x + at, t->final_z + at, t->final_scale + first, rows,
                       t->gradient[AQ_SLOT_INPUT] + at);
  return AQ_OK;
}

/* From the output of a layer back to that of its attention. */
static aq_status undo_behind(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const size_t n = b->tape->config->hidden;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(b->tape, (size_t)item, &first, &rows);
  memcpy(gradient_rows(b, AQ_SLOT_OUTPUT, first), gradient_rows(b, AQ_SLOT_INPUT, first), rows * n * sizeof(float));
  if (b->run + 1 == aq_tape_runs(b->tape->config)) {
    add_from_loss(b, b->run + 1, first * n, rows * n, b->buffers->gradient[AQ_SLOT_OUTPUT]);
  }
  recompute_rows(b, first, rows);
  undo_steps(b, b->steps->attention + 1, b->steps->count, first, rows);
  return AQ_OK;
}

/* From what attention is made of to the input of the layer. */
static aq_status undo_before(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const size_t n = b->tape->config->hidden;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(b->tape, (size_t)item, &first, &rows);
  undo_steps(b, 0, b->steps->attention, first, rows);
  add_from_loss(b, b->run, first * n, rows * n, b->buffers->gradient[AQ_SLOT_INPUT]);
  return AQ_OK;
}

/* From the input of the first layer to the tables. */
static aq_status undo_embedding(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const aq_tape_buffers *t = b->buffers;
  const aq_param_norm norm = aq_params_norm(b->params, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM);
  const size_t n = b->tape->config->embedding, hidden = b->tape->config->hidden;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(b->tape, (size_t)item, &first, &rows);
  const size_t at = first * n;
  if (b->tape->config->projects) {
    aq_gemm_run(&b->stage.product[AQ_STAGE_PROJECTION], gradient_rows(b, AQ_SLOT_INPUT, first), hidden, rows,
                t->d_embedded + at, n);
  }
  if (norm.gain != NULL) {
    undo_norms(&norm, n, t->d_embedded + at, t->embedding_z + at, t->embedding_scale + first, rows, t->d_input + at);
  } else {
    memcpy(t->d_input + at, t->d_embedded + at, rows * n * sizeof *t->d_input);
  }
  return AQ_OK;
}

/* ---- texts ---- */

static void attend(const backward *b, size_t text, size_t h, uint32_t worker) {
  const aq_model_config *c = b->tape->config;
  const aq_step *s = &b->steps->step[b->steps->attention];
  const size_t first = b->tape->first[text], width = c->attention / c->heads;
  float *to = gradient_rows(b, s->in, first) + h * width;
  const aq_head_backward gradient = {.head = aq_tape_head(b->tape, b->params, b->run, text, h),
                                     .d_query = to,
                                     .d_key = to + c->attention,
                                     .d_value = to + 2 * (size_t)c->attention,
                                     .d_out = gradient_rows(b, s->out, first) + h * width};
  aq_attention_backward(&gradient, aq_kernels_get(), b->buffers->scratch + worker * b->buffers->scratch_stride);
  const float *angles = aq_tape_angles(b->tape, b->run);
  const aq_rope *rope = &b->params->rope[c->is_local[aq_tape_layer_of(c, b->run)]];
  for (size_t t = 0; angles != NULL && t < gradient.head.tokens; t++, angles += width, to += gradient.head.stride) {
    aq_rope_turn_back(rope, angles, to);
    aq_rope_turn_back(rope, angles, to + c->attention);
  }
}

static aq_status attend_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const size_t heads = b->tape->config->heads;
  (void)err;
  attend(b, (size_t)item / heads, (size_t)item % heads, worker);
  return AQ_OK;
}

static aq_status unpool_text(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const aq_model_config *c = b->tape->config;
  const size_t i = (size_t)item;
  (void)worker;
  (void)err;
  aq_pooling_backward(c, b->buffers->embeddings + i * c->hidden, b->buffers->factors[i],
                      b->d_embeddings + i * c->hidden, b->tape->lengths[i],
                      b->buffers->d_final + b->tape->first[i] * c->hidden);
  return AQ_OK;
}

/* ---- rounds ---- */

static backward begin_rounds(const aq_tape *tape, const aq_params *params) {
  return (backward){
      .tape = tape, .params = params, .steps = aq_layer_steps_of(tape->model), .buffers = aq_tape_buffers_of(tape)};
}

float *aq_tape_gradient(const aq_tape *tape) { return aq_tape_buffers_of(tape)->gradient[AQ_SLOT_INPUT]; }

static aq_status undo_layer(backward *b, uint32_t run, const aq_tape_visitor *visitor, aq_error *err) {
  const aq_tape *tape = b->tape;
  const uint32_t layer = aq_tape_layer_of(tape->config, run);
  aq_pool *pool = tape->pool;
  b->run = run;
  AQ_TRY(aq_params_hold(b->params, layer, pool, err));
  AQ_TRY(aq_stage_prepare(b->params, layer, true, b->buffers->panels, pool, &b->stage, err));
  AQ_TRY(aq_pool_run(pool, aq_tape_blocks(tape), undo_behind, b, err));
  AQ_TRY(aq_pool_run(pool, tape->texts * tape->config->heads, attend_item, b, err));
  AQ_TRY(aq_pool_run(pool, aq_tape_blocks(tape), undo_before, b, err));
  aq_tape_show_layer(tape, run);
  return visitor->visit(visitor->ctx, tape, layer, err);
}

aq_status aq_tape_end_backward(aq_tape *tape, const aq_params *params, const float *d_embeddings, aq_error *err) {
  backward b = begin_rounds(tape, params);
  b.d_embeddings = d_embeddings;
  AQ_TRY(aq_pool_run(tape->pool, tape->texts, unpool_text, &b, err));
  if (b.buffers->final_z == NULL) return AQ_OK;
  return aq_pool_run(tape->pool, aq_tape_blocks(tape), undo_last_norm, &b, err);
}

aq_status aq_tape_layer_backward(aq_tape *tape, const aq_params *params, uint32_t run, const aq_tape_visitor *visitor,
                                 aq_error *err) {
  backward b = begin_rounds(tape, params);
  return undo_layer(&b, run, visitor, err);
}

aq_status aq_tape_input_backward(aq_tape *tape, const aq_params *params, const aq_tape_visitor *visitor,
                                 aq_error *err) {
  backward b = begin_rounds(tape, params);
  if (tape->config->projects) AQ_TRY(aq_params_hold(params, AQ_PART_TOKENS, tape->pool, err));
  AQ_TRY(aq_stage_prepare(params, AQ_NO_LAYER, true, b.buffers->panels, tape->pool, &b.stage, err));
  AQ_TRY(aq_pool_run(tape->pool, aq_tape_blocks(tape), undo_embedding, &b, err));
  return visitor->visit(visitor->ctx, tape, AQ_NO_LAYER, err);
}

aq_status aq_tape_backward(aq_tape *tape, const aq_params *params, const float *d_embeddings,
                           const float *const *d_hidden, const aq_tape_visitor *visitor, aq_error *err) {
  backward b = begin_rounds(tape, params);
  b.d_hidden = d_hidden;
  AQ_TRY(aq_tape_end_backward(tape, params, d_embeddings, err));
  for (uint32_t run = aq_tape_runs(tape->config); run-- > 0;) AQ_TRY(undo_layer(&b, run, visitor, err));
  return aq_tape_input_backward(tape, params, visitor, err);
}
