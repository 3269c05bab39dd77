/* tape_forward.c - the forward pass, keeping what the backward pass needs.
 *
 * A layer is four rounds of the pool. In the first an item is a panel of the layer's weights; in the second and the
 * last it is a block of tokens, which goes through the steps before attention and through those behind it
 * (layer_steps.h); in the third one head over one text. */
#include "core/compiler.h"
#include "core/error.h"
#include "model/nn/layer_norm.h"
#include "model/nn/pooling.h"
#include "model/nn/position.h"
#include "model/nn/row_norm.h"
#include "model/run/tape_buffers.h"

/* A round. */
typedef struct forward {
  const aq_tape *tape;
  const aq_params *params;
  const aq_layer_steps *steps;
  aq_tape_buffers *buffers;
  aq_stage stage;
  uint32_t run;
  size_t begin, end; /* steps of its layer */
} forward;

/* ---- tokens ---- */

static void norm_sums(const forward *f, const aq_step *s, size_t first, size_t rows) {
  const aq_tape_layer_buffers *l = &f->buffers->layers[f->run];
  const aq_param_norm norm = aq_params_norm(f->params, aq_tape_layer_of(f->tape->config, f->run), s->role);
  const size_t n = f->tape->config->hidden;
  const float *residual = l->value[s->residual];
  for (size_t t = first; t < first + rows; t++) {
    l->scale[s->out][t] = aq_layer_norm_forward(residual + t * n, n, norm.gain, norm.shift, f->tape->config->epsilon,
                                                l->z[s->out] + t * n, l->value[s->out] + t * n);
  }
}

static void run_step(const forward *f, size_t number, size_t first, size_t rows) {
  const aq_step *s = &f->steps->step[number];
  const aq_model *m = f->tape->model;
  float *const *value = f->buffers->layers[f->run].value;
  switch (s->kind) {
    case AQ_STEP_LINEAR:
      aq_gemm_run(&f->stage.product[number], aq_tape_rows(m, value, s->in, first), aq_slot_width(m, s->in), rows,
                  aq_tape_rows(m, value, s->out, first), aq_slot_width(m, s->out));
      break;
    case AQ_STEP_ADD_NORM:
      norm_sums(f, s, first, rows);
      break;
    case AQ_STEP_ACTIVATION:
    case AQ_STEP_NORM:
    case AQ_STEP_GATE:
    case AQ_STEP_GATE_LAST:
    case AQ_STEP_ADD:
      aq_tape_make_rows(f->tape, f->params, f->run, s, first, rows);
      break;
    case AQ_STEP_ATTENTION: /* in a round of its own */
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

/* The sum of a token's rows of the tables becomes z, and goes through the norm, where there is one. */
static void embed_token(const forward *f, const aq_param_norm *norm, int32_t id, size_t row, size_t t) {
  const aq_model_config *c = f->tape->config;
  const size_t n = c->embedding;
  const float *word = aq_params_table(f->params, AQ_ROLE_EMBEDDING) + (size_t)id * n;
  const float *positions = aq_params_table(f->params, AQ_ROLE_POSITION), *type = f->params->type;
  float *z = f->buffers->embedding_z + t * n, *out = f->buffers->embedded + t * n;
  for (size_t i = 0; i < n; i++) z[i] = positions != NULL ? positions[row * n + i] + type[i] : type[i];
  if (norm->gain != NULL) {
    f->buffers->embedding_scale[t] = aq_layer_norm_forward(word, n, norm->gain, norm->shift, c->epsilon, z, out);
  } else {
    for (size_t i = 0; i < n; i++) out[i] = word[i] + z[i];
  }
}

static void embed_rows(const forward *f, size_t first, size_t rows) {
  const aq_tape *tape = f->tape;
  const size_t n = tape->config->embedding, hidden = tape->config->hidden;
  const aq_param_norm norm = aq_params_norm(f->params, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM);
  size_t text = text_of(tape, first);
  size_t counted = aq_position_count(tape->config, tape->ids[text], first - tape->first[text]);
  for (size_t t = first; t < first + rows; t++) {
    for (; t >= tape->first[text + 1]; text++) counted = 0;
    const int32_t id = tape->ids[text][t - tape->first[text]];
    embed_token(f, &norm, id, aq_position_next(tape->config, id, &counted), t);
  }
  if (!tape->config->projects) return;
  aq_gemm_run(&f->stage.product[AQ_STAGE_PROJECTION], f->buffers->embedded + first * n, n, rows,
              f->buffers->hidden[0] + first * hidden, hidden);
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

/* From what the last layer gives through the norm behind it. */
static aq_status norm_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const forward *f = ctx;
  const aq_row_norm norm = aq_row_norm_of(f->params, AQ_NO_LAYER, AQ_ROLE_FINAL_NORM);
  const float *x = f->buffers->layers[aq_tape_runs(f->tape->config) - 1].value[AQ_SLOT_OUTPUT];
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(f->tape, (size_t)item, &first, &rows);
  const size_t at = first * norm.n;
  aq_row_norm_forward(&norm, x + at, rows, f->buffers->final_z + at, f->buffers->final_scale + first,
                      f->buffers->final + at);
  return AQ_OK;
}

/* ---- texts ---- */

static float *qkv_of(const forward *f) {
  return f->buffers->layers[f->run].value[f->steps->step[f->steps->attention].in];
}

/* Turns query and key where they are: as attention reads them, here and on the way back. */
static void turn_head(const forward *f, const aq_head *head, const float *angles) {
  const aq_rope *rope = &f->params->rope[f->tape->config->is_local[aq_tape_layer_of(f->tape->config, f->run)]];
  const size_t width = head->width;
  const size_t query = (size_t)(head->query - qkv_of(f)), key = (size_t)(head->key - qkv_of(f));
  for (size_t t = 0; t < head->tokens; t++, angles += width) {
    aq_rope_turn(rope, angles, qkv_of(f) + query + t * head->stride);
    aq_rope_turn(rope, angles, qkv_of(f) + key + t * head->stride);
  }
}

static void attend(const forward *f, size_t text, size_t h, uint32_t worker) {
  const aq_head head = aq_tape_head(f->tape, f->params, f->run, text, h);
  const float *angles = aq_tape_angles(f->tape, f->run);
  if (angles != NULL) turn_head(f, &head, angles);
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
  f->buffers->factors[text] = aq_pooling_run(c, f->buffers->final + f->tape->first[text] * c->hidden,
                                             f->tape->lengths[text], f->buffers->embeddings + text * c->hidden);
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
  AQ_TRY(aq_stage_prepare(params, AQ_NO_LAYER, false, f.buffers->panels, tape->pool, &f.stage, err));
  return aq_pool_run(tape->pool, aq_tape_blocks(tape), embed_block, &f, err);
}

aq_status aq_tape_layer(aq_tape *tape, const aq_params *params, uint32_t run, aq_error *err) {
  const uint32_t layer = aq_tape_layer_of(tape->config, run);
  forward f = begin_rounds(tape, params);
  f.run = run;
  AQ_TRY(aq_params_hold(params, layer, tape->pool, err));
  AQ_TRY(aq_stage_prepare(params, layer, false, f.buffers->panels, tape->pool, &f.stage, err));
  AQ_TRY(run_steps(&f, 0, f.steps->attention, err));
  AQ_TRY(aq_pool_run(tape->pool, tape->texts * tape->config->heads, attend_item, &f, err));
  return run_steps(&f, f.steps->attention + 1, f.steps->count, err);
}

aq_status aq_tape_end(aq_tape *tape, const aq_params *params, aq_error *err) {
  forward f = begin_rounds(tape, params);
  if (f.buffers->final_z != NULL) AQ_TRY(aq_pool_run(tape->pool, aq_tape_blocks(tape), norm_block, &f, err));
  return aq_pool_run(tape->pool, tape->texts, pool_text, &f, err);
}

aq_status aq_tape_forward(aq_tape *tape, const aq_params *params, aq_error *err) {
  const uint32_t runs = aq_tape_runs(tape->config);
  AQ_TRY(aq_tape_embed(tape, params, err));
  for (uint32_t i = 0; i < runs; i++) AQ_TRY(aq_tape_layer(tape, params, i, err));
  return aq_tape_end(tape, params, err);
}
