/* decoder_tape_backward.c - the backward pass of a decoder: each layer goes forward once more, and then its steps in
 * the opposite order, each by its derivative.
 *
 * A layer is three rounds of the pool after its panels are prepared: blocks of tokens back to what attention gave,
 * attention of a head of keys over a text, and blocks of tokens back to the stream below. What reads the stream and
 * what is added to it leave their gradients side by side, for the visitor. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/nn/causal_backward.h"
#include "model/nn/gate.h"
#include "model/nn/rms_norm.h"
#include "model/nn/workspace.h"
#include "model/run/decoder_tape_buffers.h"

static const float *value_rows(const aq_decoder_walk *w, aq_decoder_slot slot, size_t first) {
  return w->buffers->value[slot] + first * aq_decoder_slot_width(w->tape->model, slot);
}

static float *gradient_rows(const aq_decoder_walk *w, aq_decoder_slot slot, size_t first) {
  return w->buffers->gradient[slot] + first * aq_decoder_slot_width(w->tape->model, slot);
}

/* ---- steps of a block of tokens ---- */

/* d(block) from d(stream + block): through the norm of what is added, if there is one. */
static void leave_stream(const aq_decoder_walk *w, aq_decoder_gain post, aq_decoder_slot stream, aq_decoder_slot block,
                         size_t first, size_t rows) {
  const aq_model_config *c = &w->tape->model->config;
  const float *dy = gradient_rows(w, stream, first), *x = value_rows(w, block, first);
  float *to = gradient_rows(w, block, first);
  if (w->gain[post] == NULL) {
    memcpy(to, dy, rows * c->hidden * sizeof *to);
    return;
  }
  for (size_t t = 0; t < rows; t++, dy += c->hidden, x += c->hidden, to += c->hidden) {
    aq_rms_norm_backward(dy, x, c->hidden, w->gain[post], c->epsilon, to);
  }
}

/* The stream below a block: what passes it by, and what its norm read. */
static void join_stream(const aq_decoder_walk *w, aq_decoder_gain gain, aq_decoder_slot above, aq_decoder_slot normed,
                        aq_decoder_slot below, size_t first, size_t rows) {
  const aq_model_config *c = &w->tape->model->config;
  const size_t n = c->hidden;
  const float *past = gradient_rows(w, above, first), *dy = gradient_rows(w, normed, first);
  const float *x = value_rows(w, below, first);
  float *to = gradient_rows(w, below, first);
  for (size_t t = 0; t < rows; t++, past += n, dy += n, x += n, to += n) {
    aq_rms_norm_backward(dy, x, n, w->gain[gain], c->epsilon, to);
    for (size_t i = 0; i < n; i++) to[i] += past[i];
  }
}

static void undo_product(const aq_decoder_walk *w, aq_decoder_part part, aq_decoder_slot out, aq_decoder_slot in,
                         size_t first, size_t rows) {
  const aq_gemm *p = &w->product[part];
  aq_gemm_run(p, gradient_rows(w, out, first), p->k, rows, gradient_rows(w, in, first), p->n);
}

/* scratch: rows x inner. */
static void undo_gates(const aq_decoder_walk *w, size_t first, size_t rows, float *scratch) {
  const size_t n = w->spec->inner;
  const aq_gemm *down = &w->product[AQ_DECODER_PART_DOWN];
  const float *gate = value_rows(w, AQ_DECODER_GATE_UP, first);
  float *d_wide = scratch, *d_gate = gradient_rows(w, AQ_DECODER_GATE_UP, first);
  aq_gemm_run(down, gradient_rows(w, AQ_DECODER_FFN_OUT, first), down->k, rows, d_wide, n);
  const aq_gate block = {.activation = w->spec->activation, .kernels = w->kernels, .n = n};
  for (size_t t = 0; t < rows; t++, gate += 2 * n, d_gate += 2 * n, d_wide += n) {
    aq_gate_backward(&block, gate, d_wide, d_gate);
  }
}

static aq_status undo_second_half(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_decoder_walk *w = ctx;
  size_t first, count;
  (void)err;
  aq_decoder_rows(w->tape, (size_t)item, &first, &count);
  leave_stream(w, AQ_DECODER_GAIN_FFN_POST, AQ_DECODER_OUTPUT, AQ_DECODER_FFN_OUT, first, count);
  undo_gates(w, first, count, w->buffers->scratch + worker * w->buffers->scratch_stride);
  undo_product(w, AQ_DECODER_PART_GATE_UP, AQ_DECODER_GATE_UP, AQ_DECODER_FFN_IN, first, count);
  join_stream(w, AQ_DECODER_GAIN_FFN, AQ_DECODER_OUTPUT, AQ_DECODER_FFN_IN, AQ_DECODER_MIDDLE, first, count);
  leave_stream(w, AQ_DECODER_GAIN_ATTENTION_POST, AQ_DECODER_MIDDLE, AQ_DECODER_ATTENTION_OUT, first, count);
  undo_product(w, AQ_DECODER_PART_ATTENTION_OUT, AQ_DECODER_ATTENTION_OUT, AQ_DECODER_CONTEXT, first, count);
  return AQ_OK;
}

/* d at the heads as the linears gave them; what is at `placed` becomes that at the output of the norms. */
static void undo_heads(const aq_decoder_walk *w, size_t heads, const float *gain, const float *angles, const float *x,
                       float *placed, float *to) {
  const aq_layer_spec *s = w->spec;
  for (size_t h = 0; h < heads; h++, x += s->width, placed += s->width, to += s->width) {
    if (angles != NULL) aq_rope_turn_back(&w->tape->model->decoder.ropes[s->rope], angles, placed);
    if (gain != NULL) {
      aq_rms_norm_backward(placed, x, s->width, gain, w->tape->model->config.epsilon, to);
    } else {
      memcpy(to, placed, s->width * sizeof *to);
    }
  }
}

static void undo_placing(const aq_decoder_walk *w, size_t first, size_t rows) {
  const aq_layer_spec *s = w->spec;
  const size_t width = aq_decoder_slot_width(w->tape->model, AQ_DECODER_PLACED);
  const size_t queries = (size_t)s->heads * s->width, keys = (size_t)s->kv_heads * s->width;
  const float *x = value_rows(w, AQ_DECODER_QKV, first);
  float *placed = gradient_rows(w, AQ_DECODER_PLACED, first), *to = gradient_rows(w, AQ_DECODER_QKV, first);
  size_t text = aq_decoder_text_of(w->tape, first);
  for (size_t t = first; t < first + rows; t++, x += width, placed += width, to += width) {
    while (t >= w->tape->first[text + 1]) text++;
    const float *angles = aq_decoder_angles(w, w->tape->lengths[text], t - w->tape->first[text]);
    undo_heads(w, s->heads, w->gain[AQ_DECODER_GAIN_QUERY], angles, x, placed, to);
    undo_heads(w, s->kv_heads, w->gain[AQ_DECODER_GAIN_KEY], angles, x + queries, placed + queries, to + queries);
    memcpy(to + queries + keys, placed + queries + keys, keys * sizeof *to);
  }
}

static aq_status undo_first_half(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_decoder_walk *w = ctx;
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_decoder_rows(w->tape, (size_t)item, &first, &rows);
  undo_placing(w, first, rows);
  undo_product(w, AQ_DECODER_PART_QKV, AQ_DECODER_QKV, AQ_DECODER_ATTENTION_IN, first, rows);
  join_stream(w, AQ_DECODER_GAIN_ATTENTION, AQ_DECODER_MIDDLE, AQ_DECODER_ATTENTION_IN, AQ_DECODER_INPUT, first, rows);
  return AQ_OK;
}

static aq_status undo_attention(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_decoder_walk *w = ctx;
  const aq_layer_spec *s = w->spec;
  const size_t text = (size_t)item / s->kv_heads, head = (size_t)item % s->kv_heads, group = s->heads / s->kv_heads;
  const size_t first = w->tape->first[text], query = head * group * s->width;
  const size_t key = (s->heads + head) * s->width, value = key + (size_t)s->kv_heads * s->width;
  const float *x = value_rows(w, AQ_DECODER_PLACED, first);
  float *dx = gradient_rows(w, AQ_DECODER_PLACED, first);
  (void)err;
  const aq_causal_backward g = {.query = x + query,
                                .key = x + key,
                                .value = x + value,
                                .d_query = dx + query,
                                .d_key = dx + key,
                                .d_value = dx + value,
                                .stride = aq_decoder_slot_width(w->tape->model, AQ_DECODER_PLACED),
                                .d_out = gradient_rows(w, AQ_DECODER_CONTEXT, first) + query,
                                .out_stride = aq_decoder_slot_width(w->tape->model, AQ_DECODER_CONTEXT),
                                .tokens = w->tape->lengths[text],
                                .heads = (uint32_t)group,
                                .width = s->width,
                                .window = s->window,
                                .scale = s->scale};
  aq_causal_backward_run(&g, w->kernels, w->buffers->scratch + worker * w->buffers->scratch_stride);
  return AQ_OK;
}

/* ---- what a visitor is shown ---- */

static const struct part_slots {
  aq_decoder_slot in, out;
} part_slots[AQ_DECODER_PARTS] = {
    [AQ_DECODER_PART_QKV] = {AQ_DECODER_ATTENTION_IN, AQ_DECODER_QKV},
    [AQ_DECODER_PART_ATTENTION_OUT] = {AQ_DECODER_CONTEXT, AQ_DECODER_ATTENTION_OUT},
    [AQ_DECODER_PART_GATE_UP] = {AQ_DECODER_FFN_IN, AQ_DECODER_GATE_UP},
    [AQ_DECODER_PART_DOWN] = {AQ_DECODER_WIDE, AQ_DECODER_FFN_OUT},
};

static void show_linears(const aq_decoder_walk *w, aq_decoder_part part) {
  const aq_model *m = w->tape->model;
  const struct part_slots *s = &part_slots[part];
  const uint32_t lead = aq_model_find(m, w->layer, aq_decoder_part_role(m, w->layer, part));
  const aq_weight_group group = aq_model_group_of(m, lead);
  const float *dy = w->buffers->gradient[s->out];
  for (uint32_t i = group.first; i < group.first + group.count; i++) {
    const aq_weight *weight = &m->weights[i];
    w->buffers->linear[i] = (aq_tape_linear){
        w->buffers->value[s->in], dy, weight->cols, weight->rows, weight->cols, aq_decoder_slot_width(m, s->out)};
    dy += weight->rows;
  }
}

static const struct gain_slots {
  aq_decoder_slot in, out;
} gain_slots[AQ_DECODER_GAINS] = {
    [AQ_DECODER_GAIN_ATTENTION] = {AQ_DECODER_INPUT, AQ_DECODER_ATTENTION_IN},
    [AQ_DECODER_GAIN_FFN] = {AQ_DECODER_MIDDLE, AQ_DECODER_FFN_IN},
    [AQ_DECODER_GAIN_ATTENTION_POST] = {AQ_DECODER_ATTENTION_OUT, AQ_DECODER_MIDDLE},
    [AQ_DECODER_GAIN_FFN_POST] = {AQ_DECODER_FFN_OUT, AQ_DECODER_OUTPUT},
    [AQ_DECODER_GAIN_QUERY] = {AQ_DECODER_QKV, AQ_DECODER_PLACED},
    [AQ_DECODER_GAIN_KEY] = {AQ_DECODER_QKV, AQ_DECODER_PLACED},
};

static void show_norm(const aq_decoder_walk *w, aq_decoder_gain gain) {
  const aq_model *m = w->tape->model;
  const struct gain_slots *s = &gain_slots[gain];
  const bool of_heads = gain == AQ_DECODER_GAIN_QUERY || gain == AQ_DECODER_GAIN_KEY;
  const size_t skip = gain == AQ_DECODER_GAIN_KEY ? (size_t)w->spec->heads * w->spec->width : 0;
  const size_t heads = gain == AQ_DECODER_GAIN_KEY ? w->spec->kv_heads : w->spec->heads;
  w->buffers->norm[aq_model_find(m, w->layer, aq_decoder_gain_role(gain))] =
      (aq_decoder_norm){.x = w->buffers->value[s->in] + skip,
                        .dy = w->buffers->gradient[s->out] + skip,
                        .width = of_heads ? w->spec->width : m->config.hidden,
                        .count = of_heads ? heads : 1,
                        .x_stride = aq_decoder_slot_width(m, s->in),
                        .dy_stride = aq_decoder_slot_width(m, s->out)};
}

static void show_layer(const aq_decoder_walk *w) {
  for (int i = 0; i < AQ_DECODER_PARTS; i++) show_linears(w, (aq_decoder_part)i);
  for (int i = 0; i < AQ_DECODER_GAINS; i++) {
    if (w->gain[i] != NULL) show_norm(w, (aq_decoder_gain)i);
  }
}

/* The norm behind the last layer, and a head of its own. */
static void show_ends(const aq_decoder_tape *tape) {
  const aq_model *m = tape->model;
  aq_decoder_tape_buffers *b = aq_decoder_buffers_of(tape);
  const size_t n = m->config.hidden;
  const uint32_t head = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_OUTPUT);
  b->norm[aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_FINAL_NORM)] =
      (aq_decoder_norm){b->hidden[m->config.layers], b->d_final, n, 1, n, n};
  if (head != AQ_NO_WEIGHT) b->linear[head] = (aq_tape_linear){b->final, NULL, n, m->config.vocabulary, n, 0};
}

/* ---- rounds ---- */

static aq_status undo_layer(aq_decoder_walk *w, aq_error *err) {
  const aq_decoder_tape *tape = w->tape;
  const size_t blocks = aq_decoder_blocks(tape);
  w->without_output = true;
  AQ_TRY(aq_decoder_walk_forward(w, err));
  AQ_TRY(aq_decoder_walk_prepare(w, true, err));
  AQ_TRY(aq_pool_run(tape->pool, blocks, undo_second_half, w, err));
  AQ_TRY(aq_pool_run(tape->pool, tape->texts * w->spec->kv_heads, undo_attention, w, err));
  return aq_pool_run(tape->pool, blocks, undo_first_half, w, err);
}

typedef struct last_norm {
  const aq_decoder_tape *tape;
  const float *gain;
} last_norm;

static aq_status undo_last_norm(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const last_norm *l = ctx;
  const aq_model_config *c = &l->tape->model->config;
  const aq_decoder_tape_buffers *b = aq_decoder_buffers_of(l->tape);
  size_t first, rows;
  (void)worker;
  (void)err;
  aq_decoder_rows(l->tape, (size_t)item, &first, &rows);
  for (size_t at = first * c->hidden; at < (first + rows) * c->hidden; at += c->hidden) {
    aq_rms_norm_backward(b->d_final + at, b->hidden[c->layers] + at, c->hidden, l->gain, c->epsilon,
                         b->gradient[AQ_DECODER_OUTPUT] + at);
  }
  return AQ_OK;
}

/* At the rows of the table: they are scaled before they become the stream. */
static void scale_input(aq_decoder_tape *tape) {
  float *d_input = aq_decoder_buffers_of(tape)->gradient[AQ_DECODER_OUTPUT];
  const size_t count = tape->tokens * tape->model->config.hidden;
  for (size_t i = 0; i < count; i++) d_input[i] *= tape->model->decoder.embedding_scale;
  tape->d_input = d_input;
}

float *aq_decoder_tape_gradient(const aq_decoder_tape *tape) {
  return aq_decoder_buffers_of(tape)->gradient[AQ_DECODER_OUTPUT];
}

aq_status aq_decoder_tape_end_backward(aq_decoder_tape *tape, const aq_params *params, const aq_decoder_loss *loss,
                                       aq_error *err) {
  last_norm last = {tape, aq_decoder_final_gain(tape, params)};
  AQ_TRY(aq_decoder_head_backward(tape, params, loss, aq_decoder_buffers_of(tape)->d_final, err));
  return aq_pool_run(tape->pool, aq_decoder_blocks(tape), undo_last_norm, &last, err);
}

aq_status aq_decoder_tape_layer_backward(aq_decoder_tape *tape, const aq_params *params, uint32_t layer,
                                         const aq_decoder_visitor *visitor, aq_error *err) {
  aq_decoder_tape_buffers *b = aq_decoder_buffers_of(tape);
  AQ_TRY(aq_params_hold(params, layer, tape->pool, err));
  aq_decoder_walk walk = aq_decoder_walk_of(tape, params, layer);
  AQ_TRY(undo_layer(&walk, err));
  show_layer(&walk);
  AQ_TRY(visitor->visit(visitor->ctx, tape, layer, err));
  float *below = b->gradient[AQ_DECODER_INPUT];
  b->gradient[AQ_DECODER_INPUT] = b->gradient[AQ_DECODER_OUTPUT];
  b->gradient[AQ_DECODER_OUTPUT] = below;
  return AQ_OK;
}

aq_status aq_decoder_tape_input_backward(aq_decoder_tape *tape, const aq_decoder_visitor *visitor, aq_error *err) {
  scale_input(tape);
  return visitor->visit(visitor->ctx, tape, AQ_NO_LAYER, err);
}

aq_status aq_decoder_tape_backward(aq_decoder_tape *tape, const aq_params *params, const aq_decoder_loss *loss,
                                   uint32_t first_layer, const aq_decoder_visitor *visitor, aq_error *err) {
  AQ_TRY(aq_decoder_tape_end_backward(tape, params, loss, err));
  for (uint32_t layer = tape->model->config.layers; layer-- > first_layer;) {
    AQ_TRY(aq_decoder_tape_layer_backward(tape, params, layer, visitor, err));
  }
  if (first_layer > 0) return AQ_OK;
  show_ends(tape);
  return aq_decoder_tape_input_backward(tape, visitor, err);
}

aq_status aq_decoder_norm_gradient(const aq_decoder_tape *tape, const aq_decoder_norm *norm, float *d_gain,
                                   aq_error *err) {
  double *sums = aq_calloc(norm->width, sizeof *sums);
  if (sums == NULL) return aq_fail_memory(err, norm->width * sizeof *sums);
  for (size_t t = 0; t < tape->tokens; t++) {
    for (size_t i = 0; i < norm->count; i++) {
      aq_rms_norm_gain_gradient(norm->dy + t * norm->dy_stride + i * norm->width,
                                norm->x + t * norm->x_stride + i * norm->width, norm->width,
                                tape->model->config.epsilon, sums);
    }
  }
  for (size_t i = 0; i < norm->width; i++) d_gain[i] = (float)sums[i];
  aq_free(sums);
  return AQ_OK;
}
