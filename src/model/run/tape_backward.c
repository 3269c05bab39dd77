/* tape_backward.c - the backward pass: the steps of tape_forward.c in the opposite order, each by its derivative.
 *
 * A layer is two rounds of the pool again: blocks of tokens from the next layer's query, key and value back to the
 * output of attention; then attention, and the panels that the next round needs. */
#include "core/compiler.h"
#include "core/error.h"
#include "model/nn/attention_backward.h"
#include "model/nn/layer_norm.h"
#include "model/nn/pooling.h"
#include "model/run/tape_buffers.h"

/* A round. */
typedef struct backward {
  const aq_tape *tape;
  const aq_params *params;
  aq_tape_buffers *buffers;
  const float *d_embeddings;
  const float *const *d_hidden; /* NULL, or NULL for some */
  aq_stage stage;
  size_t heads;   /* items of attention or pooling in the first round of a layer */
  uint32_t layer; /* whose second half, and attention after it, is done */
} backward;

/* Where the gradient at hidden[i] goes. */
static float *d_hidden_at(const backward *b, uint32_t i) {
  return i == 0 ? b->buffers->embedding_norm.dy : b->buffers->layers[i - 1].ffn_norm.dy;
}

static void add(const float *x, size_t n, float *to) {
  for (size_t i = 0; i < n; i++) to[i] += x[i];
}

static void add_from_loss(const backward *b, uint32_t i, size_t first, size_t count) {
  if (b->d_hidden != NULL && b->d_hidden[i] != NULL) add(b->d_hidden[i] + first, count, d_hidden_at(b, i) + first);
}

/* ---- tokens ---- */

static void norm_rows(const backward *b, uint32_t layer, aq_role role, const aq_tape_norm_buffers *kept, size_t first,
                      size_t rows, float *out) {
  const aq_param_norm norm = aq_params_norm(b->params, layer, role);
  const size_t n = b->tape->config->hidden;
  for (size_t t = first; t < first + rows; t++) {
    aq_layer_norm_backward(kept->dy + t * n, kept->z + t * n, kept->scale[t], norm.gain, n, out + t * n);
  }
}

/* From the query, key and value of a layer, and what passes them by, to what goes into the layer. */
static void unproject(const backward *b, uint32_t layer, size_t first, size_t rows) {
  const size_t n = b->tape->config->hidden, width = b->stage.product[AQ_STAGE_QKV].k;
  const aq_tape_layer_buffers *l = &b->buffers->layers[layer];
  float *to = d_hidden_at(b, layer) + first * n;
  aq_gemm_run(&b->stage.product[AQ_STAGE_QKV], l->d_qkv + first * width, width, rows, to, n);
  add(l->d_attention_out + first * n, rows * n, to);
  add_from_loss(b, layer, first * n, rows * n);
}

static aq_status layer_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const aq_model_config *c = b->tape->config;
  const aq_tape_layer_buffers *l = &b->buffers->layers[b->layer];
  const size_t n = c->hidden, inner = c->inner;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(b->tape, (size_t)item, &first, &rows);
  if (b->layer + 1 < c->layers) {
    unproject(b, b->layer + 1, first, rows);
  } else {
    add_from_loss(b, c->layers, first * n, rows * n);
  }
  norm_rows(b, b->layer, AQ_ROLE_FFN_NORM, &l->ffn_norm, first, rows, l->d_down);
  float *d_up = l->d_up + first * inner, *d_middle = l->attention_norm.dy + first * n;
  aq_gemm_run(&b->stage.product[AQ_STAGE_DOWN], l->d_down + first * n, n, rows, d_up, inner);
  c->activation->backward(l->up + first * inner, l->active + first * inner, rows * inner, d_up);
  aq_gemm_run(&b->stage.product[AQ_STAGE_UP], d_up, inner, rows, d_middle, n);
  add(l->d_down + first * n, rows * n, d_middle);
  norm_rows(b, b->layer, AQ_ROLE_ATTENTION_NORM, &l->attention_norm, first, rows, l->d_attention_out);
  aq_gemm_run(&b->stage.product[AQ_STAGE_ATTENTION_OUT], l->d_attention_out + first * n, n, rows,
              b->buffers->d_context + first * n, n);
  return AQ_OK;
}

static aq_status embed_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_tape_block(b->tape, (size_t)item, &first, &rows);
  unproject(b, 0, first, rows);
  norm_rows(b, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM, &b->buffers->embedding_norm, first, rows, b->buffers->d_input);
  return AQ_OK;
}

/* ---- texts ---- */

static void attend(const backward *b, size_t text, size_t h, uint32_t worker) {
  const aq_model_config *c = b->tape->config;
  const size_t hidden = c->hidden, width = hidden / c->heads, first = b->tape->first[text];
  const aq_tape_layer_buffers *l = &b->buffers->layers[b->layer];
  const float *from = l->qkv + first * 3 * hidden + h * width;
  float *to = l->d_qkv + first * 3 * hidden + h * width;
  const aq_head_backward head = {.query = from,
                                 .key = from + hidden,
                                 .value = from + 2 * hidden,
                                 .d_query = to,
                                 .d_key = to + hidden,
                                 .d_value = to + 2 * hidden,
                                 .stride = 3 * hidden,
                                 .d_out = b->buffers->d_context + first * hidden + h * width,
                                 .out_stride = hidden,
                                 .tokens = b->tape->lengths[text],
                                 .width = width};
  aq_attention_backward(&head, aq_kernels_get(), b->buffers->scratch + worker * b->buffers->scratch_stride);
}

static aq_status attend_or_prepare(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const size_t i = (size_t)item, heads = b->tape->config->heads;
  (void)err;
  if (i < b->heads) {
    attend(b, i / heads, i % heads, worker);
  } else {
    aq_stage_prepare(&b->stage, i - b->heads);
  }
  return AQ_OK;
}

static aq_status unpool_or_prepare(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const backward *b = ctx;
  const aq_model_config *c = b->tape->config;
  const size_t i = (size_t)item;
  (void)worker;
  (void)err;
  if (i < b->tape->texts) {
    aq_pooling_backward(c, b->buffers->embeddings + i * c->hidden, b->buffers->factors[i],
                        b->d_embeddings + i * c->hidden, b->tape->lengths[i],
                        d_hidden_at(b, c->layers) + b->tape->first[i] * c->hidden);
  } else {
    aq_stage_prepare(&b->stage, i - b->tape->texts);
  }
  return AQ_OK;
}

/* ---- rounds ---- */

static aq_status run_layer(backward *b, aq_error *err) {
  const aq_tape *tape = b->tape;
  AQ_TRY(aq_pool_run(tape->pool, aq_tape_blocks(tape), layer_block, b, err));
  b->stage = aq_stage_of(b->params, b->layer, b->layer > 0 ? b->layer - 1 : AQ_NO_LAYER, true, b->buffers->panels);
  b->heads = tape->texts * tape->config->heads;
  return aq_pool_run(tape->pool, b->heads + aq_stage_panels(&b->stage), attend_or_prepare, b, err);
}

aq_status aq_tape_backward(aq_tape *tape, const aq_params *params, const float *d_embeddings,
                           const float *const *d_hidden, aq_error *err) {
  backward b = {.tape = tape,
                .params = params,
                .buffers = aq_tape_buffers_of(tape),
                .d_embeddings = d_embeddings,
                .d_hidden = d_hidden};
  const uint32_t layers = tape->config->layers;
  b.stage = aq_stage_of(params, AQ_NO_LAYER, layers - 1, true, b.buffers->panels);
  AQ_TRY(aq_pool_run(tape->pool, tape->texts + aq_stage_panels(&b.stage), unpool_or_prepare, &b, err));
  for (b.layer = layers; b.layer-- > 0;) AQ_TRY(run_layer(&b, err));
  return aq_pool_run(tape->pool, aq_tape_blocks(tape), embed_block, &b, err);
}
