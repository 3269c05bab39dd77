/* tape_backward.c - the backward pass: the steps of tape_forward.c in the opposite order, each by its derivative.
 *
 * A layer is four rounds of the pool again, and its visitor comes before the last: gradients at what goes into the
 * layer take the place of those at what it gives. Weights are read in the first round alone, which prepares their
 * panels. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "model/nn/attention.h"
#include "model/nn/layer_norm.h"
#include "model/nn/pooling.h"
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
  uint32_t layer;
} backward;

static void add(const float *x, size_t n, float *to) {
  for (size_t i = 0; i < n; i++) to[i] += x[i];
}

/* The loss's own gradient at hidden[i], the input of layer i. */
static void add_from_loss(const backward *b, uint32_t i, size_t first, size_t count) {
  if (b->d_hidden == NULL || b->d_hidden[i] == NULL) return;
  add(b->d_hidden[i] + first, count, b->buffers->gradient[AQ_SLOT_INPUT] + first);
}

/* ---- tokens ---- */

static void norm_rows(const aq_param_norm *norm, size_t n, const float *dy, const float *z, const float *scale,
                      size_t rows, float *out) {
  for (size_t t = 0; t < rows; t++) {
    aq_layer_norm_backward(dy + t * n, z + t * n, scale[t], norm->gain, n, out + t * n);
  }
}

static void undo_norm(const backward *b, const aq_step *s, size_t first, size_t rows) {
  const aq_tape_layer_buffers *l = &b->buffers->layers[b->layer];
  const aq_param_norm norm = aq_params_norm(b->params, b->layer, s->role);
  const size_t n = b->tape->config->hidden, at = first * n;
  norm_rows(&norm, n, b->buffers->gradient[s->out] + at, l->value[s->in] + at, l->scale[s->in] + first, rows,
            b->buffers->gradient[s->in] + at);
}

/* The gradient at what the linear reads, with what passes it by. */
static void undo_linear(const backward *b, size_t number, size_t first, size_t rows) {
  const aq_step *s = &b->steps->step[number];
  const aq_model *m = b->tape->model;
  const size_t width = aq_slot_width(m, s->in);
  const aq_slot residual = aq_layer_steps_residual(b->steps, s->in);
  float *to = aq_tape_rows(m, b->buffers->gradient, s->in, first);
  aq_gemm_run(&b->stage.product[number], aq_tape_rows(m, b->buffers->gradient, s->out, first), aq_slot_width(m, s->out),
              rows, to, width);
  if (residual != AQ_SLOT_NONE) add(aq_tape_rows(m, b->buffers->gradient, residual, first), rows * width, to);
}

static void undo_step(const backward *b, size_t number, size_t first, size_t rows) {
  const aq_step *s = &b->steps->step[number];
  const aq_model *m = b->tape->model;
  float *const *value = b->buffers->layers[b->layer].value;
  switch (s->kind) {
    case AQ_STEP_LINEAR:
      undo_linear(b, number, first, rows);
      break;
    case AQ_STEP_ACTIVATION:
      b->tape->config->activation->backward(aq_tape_rows(m, value, s->in, first), aq_tape_rows(m, value, s->out, first),
                                            rows * aq_slot_width(m, s->in),
                                            aq_tape_rows(m, b->buffers->gradient, s->in, first));
      break;
    case AQ_STEP_ADD_NORM:
      undo_norm(b, s, first, rows);
      break;
    case AQ_STEP_ATTENTION: /* in a round of its own */
    case AQ_STEP_NORM:      /* not differentiated */
    case AQ_STEP_GATE:
    case AQ_STEP_ADD:
      break;
  }
}

/* Steps end - 1, ..., begin. */
static void undo_steps(const backward *b, size_t begin, size_t end, size_t first, size_t rows) {
  for (size_t i = end; i-- > begin;) undo_step(b, i, first, rows);
}

/* What the forward pass did not keep of the layer at hand. */
static void recompute_rows(const backward *b, size_t first, size_t rows) {
  const aq_model *m = b->tape->model;
  const size_t n = b->tape->config->hidden;
  float *const *value = b->buffers->layers[b->layer].value;
  for (size_t i = b->steps->attention + 1; i < b->steps->count; i++) {
    const aq_step *s = &b->steps->step[i];
    if (!aq_tape_recomputes(s)) continue;
    const float *x = aq_tape_rows(m, value, s->in, first);
    float *y = aq_tape_rows(m, value, s->out, first);
    if (s->kind == AQ_STEP_ACTIVATION) {
      memcpy(y, x, rows * aq_slot_width(m, s->out) * sizeof *y);
      b->tape->config->activation->apply(aq_kernels_get(), y, rows * aq_slot_width(m, s->out));
    } else {
      const aq_param_norm norm = aq_params_norm(b->params, b->layer, s->role);
      for (size_t t = 0; t < rows; t++) aq_layer_norm_output(x + t * n, n, norm.gain, norm.shift, y + t * n);
    }
  }
}

/* From the output of the layer back to that of attention. */
static aq_status undo_behind(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const uint32_t layers = b->tape->config->layers;
  const size_t n = b->tape->config->hidden;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(b->tape, (size_t)item, &first, &rows);
  if (b->layer + 1 == layers) add_from_loss(b, layers, first * n, rows * n);
  recompute_rows(b, first, rows);
  undo_steps(b, b->steps->attention + 1, b->steps->count, first, rows);
  return AQ_OK;
}

/* From the output of the steps before attention to what goes into the layer. */
static aq_status undo_before(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const size_t n = b->tape->config->hidden;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(b->tape, (size_t)item, &first, &rows);
  undo_steps(b, 0, b->steps->attention, first, rows);
  add_from_loss(b, b->layer, first * n, rows * n);
  return AQ_OK;
}

static aq_status undo_embedding(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const aq_tape_buffers *buffers = b->buffers;
  const aq_param_norm norm = aq_params_norm(b->params, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM);
  const size_t n = b->tape->config->hidden;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(b->tape, (size_t)item, &first, &rows);
  norm_rows(&norm, n, buffers->gradient[AQ_SLOT_INPUT] + first * n, buffers->embedding_z + first * n,
            buffers->embedding_scale + first, rows, buffers->d_input + first * n);
  return AQ_OK;
}

/* ---- texts ---- */

static void attend(const backward *b, size_t text, size_t h, uint32_t worker) {
  const aq_model_config *c = b->tape->config;
  const size_t hidden = c->hidden, width = hidden / c->heads, first = b->tape->first[text];
  const aq_step *s = &b->steps->step[b->steps->attention];
  const float *from = b->buffers->layers[b->layer].value[s->in] + first * 3 * hidden + h * width;
  float *to = b->buffers->gradient[s->in] + first * 3 * hidden + h * width;
  const aq_head_backward head = {.query = from,
                                 .key = from + hidden,
                                 .value = from + 2 * hidden,
                                 .d_query = to,
                                 .d_key = to + hidden,
                                 .d_value = to + 2 * hidden,
                                 .stride = 3 * hidden,
                                 .d_out = b->buffers->gradient[s->out] + first * hidden + h * width,
                                 .out_stride = hidden,
                                 .tokens = b->tape->lengths[text],
                                 .width = width,
                                 .relative = aq_position_bias_of(&b->params->relative, h)};
  aq_attention_backward(&head, aq_kernels_get(), b->buffers->scratch + worker * b->buffers->scratch_stride);
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
                      b->buffers->gradient[AQ_SLOT_OUTPUT] + b->tape->first[i] * c->hidden);
  return AQ_OK;
}

/* ---- rounds ---- */

static backward begin_rounds(const aq_tape *tape, const aq_params *params) {
  return (backward){
      .tape = tape, .params = params, .steps = aq_layer_steps_of(tape->model), .buffers = aq_tape_buffers_of(tape)};
}

float *aq_tape_gradient(const aq_tape *tape) { return aq_tape_buffers_of(tape)->gradient[AQ_SLOT_INPUT]; }

static aq_status undo_layer(backward *b, uint32_t layer, const aq_tape_visitor *visitor, aq_error *err) {
  const aq_tape *tape = b->tape;
  aq_pool *pool = tape->pool;
  b->layer = layer;
  AQ_TRY(aq_params_hold(b->params, layer, pool, err));
  AQ_TRY(aq_stage_prepare(b->params, layer, true, b->buffers->panels, pool, &b->stage, err));
  AQ_TRY(aq_pool_run(pool, aq_tape_blocks(tape), undo_behind, b, err));
  AQ_TRY(aq_pool_run(pool, tape->texts * tape->config->heads, attend_item, b, err));
  AQ_TRY(visitor->visit(visitor->ctx, tape, layer, err));
  return aq_pool_run(pool, aq_tape_blocks(tape), undo_before, b, err);
}

aq_status aq_tape_end_backward(aq_tape *tape, const float *d_embeddings, aq_error *err) {
  backward b = begin_rounds(tape, NULL);
  b.d_embeddings = d_embeddings;
  return aq_pool_run(tape->pool, tape->texts, unpool_text, &b, err);
}

aq_status aq_tape_layer_backward(aq_tape *tape, const aq_params *params, uint32_t layer, const aq_tape_visitor *visitor,
                                 aq_error *err) {
  backward b = begin_rounds(tape, params);
  return undo_layer(&b, layer, visitor, err);
}

aq_status aq_tape_input_backward(aq_tape *tape, const aq_params *params, const aq_tape_visitor *visitor,
                                 aq_error *err) {
  backward b = begin_rounds(tape, params);
  AQ_TRY(aq_pool_run(tape->pool, aq_tape_blocks(tape), undo_embedding, &b, err));
  return visitor->visit(visitor->ctx, tape, AQ_NO_LAYER, err);
}

aq_status aq_tape_backward(aq_tape *tape, const aq_params *params, const float *d_embeddings,
                           const float *const *d_hidden, const aq_tape_visitor *visitor, aq_error *err) {
  backward b = begin_rounds(tape, params);
  b.d_hidden = d_hidden;
  AQ_TRY(aq_tape_end_backward(tape, d_embeddings, err));
  for (uint32_t layer = tape->config->layers; layer-- > 0;) AQ_TRY(undo_layer(&b, layer, visitor, err));
  return aq_tape_input_backward(tape, params, visitor, err);
}
