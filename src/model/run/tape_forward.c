/* tape_forward.c - the forward pass, keeping what the backward pass needs.
 *
 * A layer is four rounds of the pool. In the first an item is a panel of the layer's weights; in the second and the
 * last it is a block of tokens, which goes through the steps before attention and through those behind it
 * (layer_steps.h); in the third one head over one text. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "model/nn/attention.h"
#include "model/nn/layer_norm.h"
#include "model/nn/pooling.h"
#include "model/nn/position.h"
#include "model/run/tape_buffers.h"

/* A round. */
typedef struct forward {
  const aq_tape *tape;
  const aq_params *params;
  const aq_layer_steps *steps;
  aq_tape_buffers *buffers;
  aq_stage stage;
  uint32_t layer;
  size_t begin, end; /* steps of it */
} forward;

/* ---- tokens ---- */

static void norm_rows(const forward *f, const aq_step *s, size_t first, size_t rows) {
  const aq_tape_layer_buffers *l = &f->buffers->layers[f->layer];
  const aq_param_norm norm = aq_params_norm(f->params, f->layer, s->role);
  const size_t n = f->tape->config->hidden;
  const float *residual = l->value[s->residual];
  for (size_t t = first; t < first + rows; t++) {
    l->scale[s->in][t] = aq_layer_norm_forward(residual + t * n, n, norm.gain, norm.shift, f->tape->config->epsilon,
                                               l->value[s->in] + t * n, l->value[s->out] + t * n);
  }
}

static void run_step(const forward *f, size_t number, size_t first, size_t rows) {
  const aq_step *s = &f->steps->step[number];
  const aq_model *m = f->tape->model;
  const aq_tape_layer_buffers *l = &f->buffers->layers[f->layer];
  const float *x = aq_tape_rows(m, l->value, s->in, first);
  float *y = aq_tape_rows(m, l->value, s->out, first);
  const size_t width = aq_slot_width(m, s->out);
  switch (s->kind) {
    case AQ_STEP_LINEAR:
      aq_gemm_run(&f->stage.product[number], x, aq_slot_width(m, s->in), rows, y, width);
      break;
    case AQ_STEP_ACTIVATION:
      memcpy(y, x, rows * width * sizeof *y);
      f->tape->config->activation->apply(aq_kernels_get(), y, rows * width);
      break;
    case AQ_STEP_ADD_NORM:
      norm_rows(f, s, first, rows);
      break;
    case AQ_STEP_ATTENTION: /* in a round of its own */
    case AQ_STEP_NORM:      /* not differentiated */
    case AQ_STEP_GATE:
    case AQ_STEP_ADD:
      break;
  }
}

/* Token t of the group: the text it belongs to is the last that begins at or before it. */
static size_t text_of(const aq_tape *tape, size_t t) {
  size_t low = 0, high = tape->texts;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (tape->first[middle] <= t) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

static void embed_rows(const forward *f, size_t first, size_t rows) {
  const aq_tape *tape = f->tape;
  const size_t n = tape->config->hidden;
  const aq_param_norm norm = aq_params_norm(f->params, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM);
  const float *words = aq_params_table(f->params, AQ_ROLE_EMBEDDING);
  const float *positions = aq_params_table(f->params, AQ_ROLE_POSITION);
  size_t text = text_of(tape, first);
  size_t counted = aq_position_count(tape->config, tape->ids[text], first - tape->first[text]);
  for (size_t t = first; t < first + rows; t++) {
    for (; t >= tape->first[text + 1]; text++) counted = 0;
    const int32_t id = tape->ids[text][t - tape->first[text]];
    const float *position = positions + aq_position_next(tape->config, id, &counted) * n;
    const float *word = words + (size_t)id * n;
    float *z = f->buffers->embedding_z + t * n;
    for (size_t i = 0; i < n; i++) z[i] = position[i] + f->params->type[i];
    f->buffers->embedding_scale[t] =
        aq_layer_norm_forward(word, n, norm.gain, norm.shift, tape->config->epsilon, z, f->buffers->hidden[0] + t * n);
  }
}

static aq_status embed_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const forward *f = ctx;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(f->tape, (size_t)item, &first, &rows);
  embed_rows(f, first, rows);
  return AQ_OK;
}

static aq_status run_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const forward *f = ctx;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(f->tape, (size_t)item, &first, &rows);
  for (size_t i = f->begin; i < f->end; i++) run_step(f, i, first, rows);
  return AQ_OK;
}

/* ---- texts ---- */

static void attend(const forward *f, size_t text, size_t h, uint32_t worker) {
  const size_t first = f->tape->first[text];
  const aq_tape_layer_buffers *l = &f->buffers->layers[f->layer];
  const aq_step *s = &f->steps->step[f->steps->attention];
  aq_head head = aq_attention_head(f->tape->config, aq_tape_rows(f->tape->model, l->value, s->in, first),
                                   f->tape->lengths[text], h, aq_tape_rows(f->tape->model, l->value, s->out, first));
  head.relative = aq_position_bias_of(&f->params->relative, h);
  aq_thread_space space =
      aq_attention_space(f->buffers->scratch + worker * f->buffers->scratch_stride, head.width, head.tokens);
  aq_attention_run(&head, aq_kernels_get(), &space);
}

static aq_status attend_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const forward *f = ctx;
  const size_t heads = f->tape->config->heads;
  (void)err;
  attend(f, (size_t)item / heads, (size_t)item % heads, worker);
  return AQ_OK;
}

static aq_status pool_text(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const forward *f = ctx;
  const aq_model_config *c = f->tape->config;
  const size_t text = (size_t)item;
  (void)worker;
  (void)err;
  const float *last = f->buffers->layers[c->layers - 1].value[AQ_SLOT_OUTPUT] + f->tape->first[text] * c->hidden;
  f->buffers->factors[text] =
      aq_pooling_run(c, last, f->tape->lengths[text], f->buffers->embeddings + text * c->hidden);
  return AQ_OK;
}

/* ---- rounds ---- */

static forward begin_rounds(const aq_tape *tape, const aq_params *params) {
  return (forward){
      .tape = tape, .params = params, .steps = aq_layer_steps_of(tape->model), .buffers = aq_tape_buffers_of(tape)};
}

static aq_status run_steps(forward *f, size_t begin, size_t end, aq_error *err) {
  f->begin = begin;
  f->end = end;
  return aq_pool_run(f->tape->pool, aq_tape_blocks(f->tape), run_block, f, err);
}

float *aq_tape_state(const aq_tape *tape) { return aq_tape_buffers_of(tape)->hidden[0]; }

aq_status aq_tape_embed(aq_tape *tape, const aq_params *params, aq_error *err) {
  forward f = begin_rounds(tape, params);
  AQ_TRY(aq_params_hold(params, AQ_PART_TOKENS, tape->pool, err));
  return aq_pool_run(tape->pool, aq_tape_blocks(tape), embed_block, &f, err);
}

aq_status aq_tape_layer(aq_tape *tape, const aq_params *params, uint32_t layer, aq_error *err) {
  forward f = begin_rounds(tape, params);
  f.layer = layer;
  AQ_TRY(aq_params_hold(params, layer, tape->pool, err));
  AQ_TRY(aq_stage_prepare(params, layer, false, f.buffers->panels, tape->pool, &f.stage, err));
  AQ_TRY(run_steps(&f, 0, f.steps->attention, err));
  AQ_TRY(aq_pool_run(tape->pool, tape->texts * tape->config->heads, attend_item, &f, err));
  return run_steps(&f, f.steps->attention + 1, f.steps->count, err);
}

aq_status aq_tape_end(aq_tape *tape, const aq_params *params, aq_error *err) {
  forward f = begin_rounds(tape, params);
  return aq_pool_run(tape->pool, tape->texts, pool_text, &f, err);
}

aq_status aq_tape_forward(aq_tape *tape, const aq_params *params, aq_error *err) {
  AQ_TRY(aq_tape_embed(tape, params, err));
  for (uint32_t i = 0; i < tape->config->layers; i++) AQ_TRY(aq_tape_layer(tape, params, i, err));
  return aq_tape_end(tape, params, err);
}
