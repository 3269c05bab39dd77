/* tape_forward.c - the forward pass, keeping what the backward pass needs.
 *
 * A layer is two rounds of the pool. In the first an item is one head over one text, or the preparation of a panel of
 * the weights that the second needs; in the second an item is a block of tokens from after attention to the query, key
 * and value of the next layer. */
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
  aq_tape_buffers *buffers;
  aq_stage stage;
  size_t heads; /* items of attention in the first round of a layer */
  uint32_t layer;
} forward;

/* ---- tokens ---- */

/* The norm with a role in the layer at hand. */
static void norm_rows(const forward *f, aq_role role, const aq_tape_norm_buffers *keep, const float *x, size_t first,
                      size_t rows, float *out) {
  const aq_param_norm norm = aq_params_norm(f->params, f->layer, role);
  const size_t n = f->tape->config->hidden;
  for (size_t t = first; t < first + rows; t++) {
    keep->scale[t] = aq_layer_norm_forward(x + t * n, n, norm.gain, norm.shift, f->tape->config->epsilon,
                                           keep->z + t * n, out + t * n);
  }
}

static void project(const forward *f, uint32_t layer, size_t first, size_t rows) {
  const size_t n = f->tape->config->hidden, width = f->stage.product[AQ_STAGE_QKV].n;
  aq_gemm_run(&f->stage.product[AQ_STAGE_QKV], f->buffers->hidden[layer] + first * n, n, rows,
              f->buffers->layers[layer].qkv + first * width, width);
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
    float *z = f->buffers->embedding_norm.z + t * n;
    for (size_t i = 0; i < n; i++) z[i] = position[i] + f->params->type[i];
    f->buffers->embedding_norm.scale[t] =
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
  project(f, 0, first, rows);
  return AQ_OK;
}

static aq_status layer_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const forward *f = ctx;
  const aq_model_config *c = f->tape->config;
  const aq_tape_layer_buffers *l = &f->buffers->layers[f->layer];
  const size_t n = c->hidden, inner = c->inner;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(f->tape, (size_t)item, &first, &rows);
  aq_gemm_run(&f->stage.product[AQ_STAGE_ATTENTION_OUT], l->context + first * n, n, rows,
              l->attention_norm.z + first * n, n);
  norm_rows(f, AQ_ROLE_ATTENTION_NORM, &l->attention_norm, f->buffers->hidden[f->layer], first, rows, l->middle);
  float *up = l->up + first * inner, *active = l->active + first * inner;
  aq_gemm_run(&f->stage.product[AQ_STAGE_UP], l->middle + first * n, n, rows, up, inner);
  memcpy(active, up, rows * inner * sizeof *active);
  c->activation->apply(aq_kernels_get(), active, rows * inner);
  aq_gemm_run(&f->stage.product[AQ_STAGE_DOWN], active, inner, rows, l->ffn_norm.z + first * n, n);
  norm_rows(f, AQ_ROLE_FFN_NORM, &l->ffn_norm, l->middle, first, rows, f->buffers->hidden[f->layer + 1]);
  if (f->layer + 1 < c->layers) project(f, f->layer + 1, first, rows);
  return AQ_OK;
}

/* ---- texts ---- */

static void attend(const forward *f, size_t text, size_t h, uint32_t worker) {
  const aq_model_config *c = f->tape->config;
  const size_t hidden = c->hidden, width = hidden / c->heads, first = f->tape->first[text];
  const aq_tape_layer_buffers *l = &f->buffers->layers[f->layer];
  const float *from = l->qkv + first * 3 * hidden + h * width;
  const aq_head head = {.query = from,
                        .key = from + hidden,
                        .value = from + 2 * hidden,
                        .stride = 3 * hidden,
                        .tokens = f->tape->lengths[text],
                        .width = width,
                        .out = l->context + first * hidden + h * width,
                        .out_stride = hidden};
  aq_thread_space space =
      aq_attention_space(f->buffers->scratch + worker * f->buffers->scratch_stride, width, head.tokens);
  aq_attention_run(&head, aq_kernels_get(), &space);
}

static aq_status attend_or_prepare(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const forward *f = ctx;
  const size_t i = (size_t)item, heads = f->tape->config->heads;
  (void)err;
  if (i < f->heads) {
    attend(f, i / heads, i % heads, worker);
  } else {
    aq_stage_prepare(&f->stage, i - f->heads);
  }
  return AQ_OK;
}

static aq_status pool_text(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const forward *f = ctx;
  const aq_model_config *c = f->tape->config;
  const size_t text = (size_t)item;
  (void)worker;
  (void)err;
  f->buffers->factors[text] = aq_pooling_run(c, f->buffers->hidden[c->layers] + f->tape->first[text] * c->hidden,
                                             f->tape->lengths[text], f->buffers->embeddings + text * c->hidden);
  return AQ_OK;
}

/* ---- rounds ---- */

static aq_status run_layer(forward *f, aq_error *err) {
  const aq_tape *tape = f->tape;
  const bool last = f->layer + 1 == tape->config->layers;
  f->stage = aq_stage_of(f->params, last ? AQ_NO_LAYER : f->layer + 1, f->layer, false, f->buffers->panels);
  f->heads = tape->texts * tape->config->heads;
  AQ_TRY(aq_pool_run(tape->pool, f->heads + aq_stage_panels(&f->stage), attend_or_prepare, f, err));
  return aq_pool_run(tape->pool, aq_tape_blocks(tape), layer_block, f, err);
}

aq_status aq_tape_forward(aq_tape *tape, const aq_params *params, aq_error *err) {
  forward f = {.tape = tape, .params = params, .buffers = aq_tape_buffers_of(tape)};
  f.stage = aq_stage_of(params, 0, AQ_NO_LAYER, false, f.buffers->panels);
  AQ_TRY(aq_pool_run(tape->pool, aq_stage_panels(&f.stage), attend_or_prepare, &f, err));
  AQ_TRY(aq_pool_run(tape->pool, aq_tape_blocks(tape), embed_block, &f, err));
  for (f.layer = 0; f.layer < tape->config->layers; f.layer++) AQ_TRY(run_layer(&f, err));
  return aq_pool_run(tape->pool, tape->texts, pool_text, &f, err);
}
