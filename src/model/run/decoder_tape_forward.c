/* decoder_tape_forward.c - the forward pass of a decoder over a group of texts, a layer at a time: the steps of
 * decoder_forward.c, with every activation of the layer kept.
 *
 * A layer is three rounds of the pool after its panels are prepared: blocks of tokens up to the placed queries and
 * keys, attention of a head of keys over a text, and blocks of tokens again. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "model/nn/causal_attention.h"
#include "model/nn/gate.h"
#include "model/nn/panels.h"
#include "model/nn/rms_norm.h"
#include "model/run/decoder_tape_buffers.h"

static float *rows_of(const aq_decoder_walk *w, aq_decoder_slot slot, size_t first) {
  return w->buffers->value[slot] + first * aq_decoder_slot_width(w->tape->model, slot);
}

/* ---- steps of a block of tokens ---- */

static void run_norm(const aq_decoder_walk *w, aq_decoder_gain gain, const float *x, size_t rows, float *out) {
  const aq_model_config *c = &w->tape->model->config;
  for (size_t t = 0; t < rows; t++) {
    aq_rms_norm(x + t * c->hidden, c->hidden, w->gain[gain], c->epsilon, out + t * c->hidden);
  }
}

static void run_product(const aq_decoder_walk *w, aq_decoder_part part, aq_decoder_slot in, aq_decoder_slot out,
                        size_t first, size_t rows) {
  const aq_gemm *p = &w->product[part];
  aq_gemm_run(p, rows_of(w, in, first), p->k, rows, rows_of(w, out, first), p->n);
}

static void place_heads(const aq_decoder_walk *w, size_t heads, const float *gain, const float *angles, float *x) {
  const aq_layer_spec *s = w->spec;
  for (size_t h = 0; h < heads; h++, x += s->width) {
    if (gain != NULL) aq_rms_norm(x, s->width, gain, w->tape->model->config.epsilon, x);
    if (angles != NULL) aq_rope_turn(&w->tape->model->decoder.ropes[s->rope], angles, x);
  }
}

static void place_rows(const aq_decoder_walk *w, size_t first, size_t rows) {
  const aq_layer_spec *s = w->spec;
  const size_t width = aq_decoder_slot_width(w->tape->model, AQ_DECODER_PLACED);
  float *x = rows_of(w, AQ_DECODER_PLACED, first);
  memcpy(x, rows_of(w, AQ_DECODER_QKV, first), rows * width * sizeof *x);
  size_t text = aq_decoder_text_of(w->tape, first);
  for (size_t t = first; t < first + rows; t++, x += width) {
    while (t >= w->tape->first[text + 1]) text++;
    const float *angles = aq_decoder_angles(w, w->tape->lengths[text], t - w->tape->first[text]);
    place_heads(w, s->heads, w->gain[AQ_DECODER_GAIN_QUERY], angles, x);
    place_heads(w, s->kv_heads, w->gain[AQ_DECODER_GAIN_KEY], angles, x + (size_t)s->heads * s->width);
  }
}

static aq_status before_attention(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_decoder_walk *w = ctx;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_decoder_rows(w->tape, (size_t)item, &first, &rows);
  run_norm(w, AQ_DECODER_GAIN_ATTENTION, rows_of(w, AQ_DECODER_INPUT, first), rows,
           rows_of(w, AQ_DECODER_ATTENTION_IN, first));
  run_product(w, AQ_DECODER_PART_QKV, AQ_DECODER_ATTENTION_IN, AQ_DECODER_QKV, first, rows);
  place_rows(w, first, rows);
  return AQ_OK;
}

/* to = x + block, the block by way of a norm if there is one. `to` may be x. */
static void add_to_stream(const aq_decoder_walk *w, aq_decoder_gain post, const float *x, const float *block,
                          size_t rows, float *to) {
  const aq_model_config *c = &w->tape->model->config;
  const size_t n = c->hidden;
  for (size_t t = 0; t < rows; t++, x += n, block += n, to += n) {
    const float *gain = w->gain[post];
    const float factor = gain != NULL ? aq_rms_factor(block, n, c->epsilon) : 1;
    for (size_t i = 0; i < n; i++) to[i] = x[i] + (gain != NULL ? block[i] * factor * gain[i] : block[i]);
  }
}

static void open_gates(const aq_decoder_walk *w, size_t first, size_t rows) {
  const size_t n = w->spec->inner;
  const float *gate = rows_of(w, AQ_DECODER_GATE_UP, first);
  float *wide = rows_of(w, AQ_DECODER_WIDE, first);
  const aq_gate block = {.activation = w->spec->activation, .kernels = w->kernels, .n = n};
  for (size_t t = 0; t < rows; t++, gate += 2 * n, wide += n) aq_gate_forward(&block, gate, wide);
}

static aq_status behind_attention(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_decoder_walk *w = ctx;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_decoder_rows(w->tape, (size_t)item, &first, &rows);
  float *middle = rows_of(w, AQ_DECODER_MIDDLE, first);
  run_product(w, AQ_DECODER_PART_ATTENTION_OUT, AQ_DECODER_CONTEXT, AQ_DECODER_ATTENTION_OUT, first, rows);
  add_to_stream(w, AQ_DECODER_GAIN_ATTENTION_POST, rows_of(w, AQ_DECODER_INPUT, first),
                rows_of(w, AQ_DECODER_ATTENTION_OUT, first), rows, middle);
  run_norm(w, AQ_DECODER_GAIN_FFN, middle, rows, rows_of(w, AQ_DECODER_FFN_IN, first));
  run_product(w, AQ_DECODER_PART_GATE_UP, AQ_DECODER_FFN_IN, AQ_DECODER_GATE_UP, first, rows);
  open_gates(w, first, rows);
  if (w->without_output && w->gain[AQ_DECODER_GAIN_FFN_POST] == NULL) return AQ_OK;
  run_product(w, AQ_DECODER_PART_DOWN, AQ_DECODER_WIDE, AQ_DECODER_FFN_OUT, first, rows);
  if (w->without_output) return AQ_OK;
  add_to_stream(w, AQ_DECODER_GAIN_FFN_POST, middle, rows_of(w, AQ_DECODER_FFN_OUT, first), rows,
                rows_of(w, AQ_DECODER_OUTPUT, first));
  return AQ_OK;
}

/* ---- attention ---- */

/* Keys and values of one head over a text, in a worker's scratch. */
static aq_kv_cache cache_of(const aq_decoder_walk *w, size_t head, size_t text, float *scratch) {
  const aq_layer_spec *s = w->spec;
  const size_t length = w->tape->lengths[text], stride = aq_decoder_slot_width(w->tape->model, AQ_DECODER_PLACED);
  aq_kv_cache cache = {.heads = 1, .width = s->width, .capacity = aq_panel_rows(length), .keys = scratch};
  cache.values = scratch + cache.capacity * s->width;
  const float *key = rows_of(w, AQ_DECODER_PLACED, w->tape->first[text]) + (s->heads + head) * s->width;
  for (size_t t = 0; t < length; t++, key += stride) {
    aq_kv_cache_put(&cache, 0, t, key, key + (size_t)s->kv_heads * s->width);
  }
  return cache;
}

static aq_status attend(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_decoder_walk *w = ctx;
  const aq_layer_spec *s = w->spec;
  const size_t text = (size_t)item / s->kv_heads, head = (size_t)item % s->kv_heads, group = s->heads / s->kv_heads;
  const size_t first = w->tape->first[text];
  float *scratch = w->buffers->scratch + worker * w->buffers->scratch_stride;
  (void)err;
  const aq_kv_cache cache = cache_of(w, head, text, scratch);
  const aq_causal_group g = {.cache = &cache,
                             .query = rows_of(w, AQ_DECODER_PLACED, first) + head * group * s->width,
                             .stride = aq_decoder_slot_width(w->tape->model, AQ_DECODER_PLACED),
                             .heads = (uint32_t)group,
                             .tokens = w->tape->lengths[text],
                             .window = s->window,
                             .scale = s->scale,
                             .out = rows_of(w, AQ_DECODER_CONTEXT, first) + head * group * s->width,
                             .out_stride = aq_decoder_slot_width(w->tape->model, AQ_DECODER_CONTEXT)};
  aq_causal_attention_run(&g, w->kernels, scratch + cache.capacity * (s->width + aq_panel_rows(s->width)));
  return AQ_OK;
}

aq_status aq_decoder_walk_forward(aq_decoder_walk *walk, aq_error *err) {
  const aq_decoder_tape *tape = walk->tape;
  AQ_TRY(aq_decoder_walk_prepare(walk, false, err));
  AQ_TRY(aq_pool_run(tape->pool, aq_decoder_blocks(tape), before_attention, walk, err));
  AQ_TRY(aq_pool_run(tape->pool, tape->texts * walk->spec->kv_heads, attend, walk, err));
  return aq_pool_run(tape->pool, aq_decoder_blocks(tape), behind_attention, walk, err);
}

/* ---- ends ---- */

typedef struct ends {
  const aq_decoder_tape *tape;
  const aq_params *params;
  const float *gain;
} ends;

static aq_status embed_rows(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const ends *e = ctx;
  const aq_decoder_tape *tape = e->tape;
  const size_t n = tape->model->config.hidden;
  const float *table = aq_params_table(e->params, AQ_ROLE_EMBEDDING);
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_decoder_rows(tape, (size_t)item, &first, &rows);
  size_t text = aq_decoder_text_of(tape, first);
  for (size_t t = first; t < first + rows; t++) {
    while (t >= tape->first[text + 1]) text++;
    const float *row = table + (size_t)tape->ids[text][t - tape->first[text]] * n;
    float *to = aq_decoder_buffers_of(tape)->hidden[0] + t * n;
    for (size_t i = 0; i < n; i++) to[i] = row[i] * tape->model->decoder.embedding_scale;
  }
  return AQ_OK;
}

static aq_status norm_last(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const ends *e = ctx;
  const aq_model_config *c = &e->tape->model->config;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_decoder_rows(e->tape, (size_t)item, &first, &rows);
  for (size_t t = first; t < first + rows; t++) {
    aq_rms_norm(e->tape->hidden[c->layers] + t * c->hidden, c->hidden, e->gain, c->epsilon,
                aq_decoder_buffers_of(e->tape)->final + t * c->hidden);
  }
  return AQ_OK;
}

float *aq_decoder_tape_state(const aq_decoder_tape *tape) { return aq_decoder_buffers_of(tape)->hidden[0]; }

aq_status aq_decoder_tape_embed(aq_decoder_tape *tape, const aq_params *params, aq_error *err) {
  ends e = {.tape = tape, .params = params};
  AQ_TRY(aq_params_hold(params, AQ_PART_TOKENS, tape->pool, err));
  return aq_pool_run(tape->pool, aq_decoder_blocks(tape), embed_rows, &e, err);
}

aq_status aq_decoder_tape_layer(aq_decoder_tape *tape, const aq_params *params, uint32_t layer, aq_error *err) {
  AQ_TRY(aq_params_hold(params, layer, tape->pool, err));
  aq_decoder_walk walk = aq_decoder_walk_of(tape, params, layer);
  return aq_decoder_walk_forward(&walk, err);
}

aq_status aq_decoder_tape_end(aq_decoder_tape *tape, const aq_params *params, aq_error *err) {
  ends e = {.tape = tape, .params = params, .gain = aq_decoder_final_gain(tape, params)};
  return aq_pool_run(tape->pool, aq_decoder_blocks(tape), norm_last, &e, err);
}

aq_status aq_decoder_tape_forward(aq_decoder_tape *tape, const aq_params *params, aq_error *err) {
  AQ_TRY(aq_decoder_tape_embed(tape, params, err));
  for (uint32_t i = 0; i < tape->model->config.layers; i++) AQ_TRY(aq_decoder_tape_layer(tape, params, i, err));
  return aq_decoder_tape_end(tape, params, err);
}
