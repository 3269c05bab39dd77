/* decoder_tape.c - room for a pass of a decoder: everything it keeps is laid out in one block, which is asked for again
 * only when a group needs more. */
#include "model/run/decoder_tape.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/nn/causal_attention.h"
#include "model/nn/causal_backward.h"
#include "model/nn/panels.h"
#include "model/nn/workspace.h"
#include "model/run/decoder_tape_buffers.h"

/* ---- layout ---- */

#define LINE ((uint64_t)16) /* floats of a cache line */

typedef struct cursor {
  float *base; /* NULL: only count */
  uint64_t at;
} cursor;

static float *take_floats(cursor *c, uint64_t rows, uint64_t columns) {
  float *place = c->base != NULL ? c->base + c->at : NULL;
  c->at += (rows * columns + LINE - 1) / LINE * LINE;
  return place;
}

/* What a pass is of. */
typedef struct extent {
  const aq_params *params;
  size_t tokens, longest;
  uint32_t threads;
  bool forward_only, by_layer;
} extent;

size_t aq_decoder_slot_width(const aq_model *model, aq_decoder_slot slot) {
  const aq_layer_spec *s = &model->decoder.layers[0]; /* layers are alike in their sizes */
  const size_t queries = (size_t)s->heads * s->width, qkv = queries + (size_t)2 * s->kv_heads * s->width;
  switch (slot) {
    case AQ_DECODER_QKV:
    case AQ_DECODER_PLACED:
      return qkv;
    case AQ_DECODER_CONTEXT:
      return queries;
    case AQ_DECODER_GATE_UP:
      return (size_t)2 * s->inner;
    case AQ_DECODER_WIDE:
      return s->inner;
    default:
      return model->config.hidden;
  }
}

static void lay_out_hidden(cursor *c, const extent *e, aq_decoder_tape_buffers *b) {
  const aq_model_config *config = &e->params->model->config;
  for (uint32_t i = 0; i <= config->layers; i++) {
    const bool own = i == 0 || !(e->forward_only || e->by_layer);
    b->hidden[i] = own ? take_floats(c, e->tokens, config->hidden) : b->hidden[0];
  }
}

/* Input and output of the values are hidden states; those of the gradients take turns. */
static void lay_out_slots(cursor *c, const extent *e, aq_decoder_tape_buffers *b) {
  for (int slot = 0; slot < AQ_DECODER_SLOTS; slot++) {
    const size_t width = aq_decoder_slot_width(e->params->model, (aq_decoder_slot)slot);
    const bool is_end = slot == AQ_DECODER_INPUT || slot == AQ_DECODER_OUTPUT;
    b->value[slot] = is_end ? NULL : take_floats(c, e->tokens, width);
    const bool has_gradient = slot != AQ_DECODER_WIDE && !e->forward_only;
    b->gradient[slot] = has_gradient ? take_floats(c, e->tokens, width) : NULL;
  }
}

static void lay_out_angles(cursor *c, const extent *e, aq_decoder_tape_buffers *b) {
  for (size_t i = 0; i < AQ_ROPES_MAX; i++) {
    const aq_rope *rope = &e->params->model->decoder.ropes[i];
    const bool has_two = rope->short_limit != UINT32_MAX;
    b->angles[i][0] = take_floats(c, e->longest, (uint64_t)2 * rope->half);
    b->angles[i][1] = has_two ? take_floats(c, e->longest, (uint64_t)2 * rope->half) : b->angles[i][0];
  }
}

static size_t panel_floats(const aq_params *params) {
  size_t forward = 0, backward = 0;
  for (int i = 0; i < AQ_DECODER_PARTS; i++) {
    const aq_role role = aq_decoder_part_role(params->model, 0, (aq_decoder_part)i);
    const aq_param_linear linear = aq_params_joined(params, 0, role);
    const aq_gemm ahead = aq_gemm_forward(&linear, NULL), back = aq_gemm_backward(&linear, NULL);
    forward += aq_gemm_floats(&ahead);
    backward += aq_gemm_floats(&back);
  }
  return AQ_MAX(forward, backward);
}

static size_t attention_floats(size_t width, size_t longest) {
  return aq_panel_rows(longest) * (width + aq_panel_rows(width)) + aq_causal_attention_floats(width, longest);
}

static size_t scratch_floats(const extent *e) {
  const aq_layer_spec *s = &e->params->model->decoder.layers[0];
  const size_t attention =
      AQ_MAX(attention_floats(s->width, e->longest), aq_causal_backward_floats(s->width, e->longest));
  const size_t rows = AQ_BLOCK_ROWS * (size_t)s->inner;
  return AQ_MAX(AQ_MAX(attention, rows), aq_decoder_head_scratch(e->params->model));
}

static void lay_out(cursor *c, const extent *e, aq_decoder_tape_buffers *b) {
  const aq_model *m = e->params->model;
  const size_t hidden = m->config.hidden, vocabulary = m->config.vocabulary;
  lay_out_hidden(c, e, b);
  lay_out_slots(c, e, b);
  lay_out_angles(c, e, b);
  b->final = take_floats(c, e->tokens, hidden);
  b->gain_stride = AQ_MAX(hidden, (size_t)m->decoder.layers[0].width);
  b->gains = take_floats(c, AQ_DECODER_GAINS + 1, b->gain_stride);
  b->panels = take_floats(c, panel_floats(e->params), 1);
  b->scratch_stride = (scratch_floats(e) / (size_t)LINE + 2) * (size_t)LINE;
  b->scratch = take_floats(c, b->scratch_stride, e->threads);
  if (e->forward_only) return;
  b->d_final = take_floats(c, e->tokens, hidden);
  b->logits = take_floats(c, AQ_MIN(aq_decoder_tape_block(m), e->tokens), vocabulary);
  b->d_logits = take_floats(c, AQ_MIN(aq_decoder_tape_block(m), e->tokens), vocabulary);
}

/* Floats up to the next cache line. */
static size_t misaligned(const float *memory) {
  const size_t line = (size_t)LINE * sizeof *memory;
  return (line - (uintptr_t)memory % line) % line / sizeof *memory;
}

static aq_status need_memory(aq_decoder_tape_buffers *b, uint64_t floats, aq_error *err) {
  if (floats <= b->capacity) return AQ_OK;
  uint64_t bytes;
  size_t size;
  AQ_FAIL_IF(!aq_mul_ok(floats, sizeof *b->memory, &bytes) || !aq_to_size_ok(bytes, &size), AQ_ERR_MEMORY,
             "the group is too large");
  aq_free(b->memory);
  b->capacity = 0;
  b->memory = aq_malloc(size);
  if (b->memory == NULL) return aq_fail_memory(err, size);
  b->capacity = (size_t)floats;
  return AQ_OK;
}

/* ---- small arrays ---- */

static aq_status need_layers(aq_decoder_tape_buffers *b, size_t layers, aq_error *err) {
  if (layers + 1 <= b->layer_room) return AQ_OK;
  b->layer_room = 0;
  aq_free((void *)b->hidden);
  b->hidden = aq_calloc(layers + 1, sizeof *b->hidden);
  if (b->hidden == NULL) return aq_fail_memory(err, (layers + 1) * sizeof *b->hidden);
  b->layer_room = layers + 1;
  return AQ_OK;
}

static aq_status need_weights(aq_decoder_tape_buffers *b, size_t weights, aq_error *err) {
  if (weights <= b->weight_room) return AQ_OK;
  b->weight_room = 0;
  aq_free(b->linear);
  aq_free(b->norm);
  b->linear = aq_calloc(weights, sizeof *b->linear);
  b->norm = aq_calloc(weights, sizeof *b->norm);
  if (b->linear == NULL || b->norm == NULL) return aq_fail_memory(err, weights * sizeof *b->linear);
  b->weight_room = weights;
  return AQ_OK;
}

static aq_status need_texts(aq_decoder_tape_buffers *b, size_t texts, aq_error *err) {
  if (b->first != NULL && texts <= b->text_room) return AQ_OK;
  b->text_room = 0;
  aq_free(b->first);
  b->first = aq_realloc_array(NULL, texts + 1, sizeof *b->first);
  if (b->first == NULL) return aq_fail_memory(err, texts * sizeof *b->first);
  b->text_room = texts;
  return AQ_OK;
}

/* ---- begin ---- */

static aq_status check_text(const aq_model_config *c, const int32_t *ids, uint32_t length, size_t text, aq_error *err) {
  AQ_FAIL_IF(length == 0 || length > c->position_limit, AQ_ERR_ARGUMENT, "text %zu has %u tokens; 1 to %u are possible",
             text, length, c->position_limit);
  for (uint32_t i = 0; i < length; i++) {
    AQ_FAIL_IF(ids[i] < 0 || (uint32_t)ids[i] >= c->vocabulary, AQ_ERR_ARGUMENT,
               "token %u of text %zu is %d; the model has %u of them", i, text, ids[i], c->vocabulary);
  }
  return AQ_OK;
}

static aq_status place_texts(aq_decoder_tape *tape, size_t *longest, aq_error *err) {
  size_t *first = aq_decoder_buffers_of(tape)->first;
  *longest = 1;
  AQ_FAIL_IF(tape->texts == 0, AQ_ERR_ARGUMENT, "there are no texts");
  for (size_t i = 0; i < tape->texts; i++) {
    AQ_TRY(check_text(&tape->model->config, tape->ids[i], tape->lengths[i], i, err));
    first[i] = tape->tokens;
    tape->tokens += tape->lengths[i];
    *longest = AQ_MAX(*longest, (size_t)tape->lengths[i]);
  }
  first[tape->texts] = tape->tokens;
  tape->first = first;
  return AQ_OK;
}

static void compute_angles(const extent *e, const aq_decoder_tape_buffers *b) {
  for (size_t i = 0; i < AQ_ROPES_MAX; i++) {
    const aq_rope *rope = &e->params->model->decoder.ropes[i];
    for (uint32_t set = 0; set < 2 && rope->half > 0; set++) {
      if (set == 1 && b->angles[i][1] == b->angles[i][0]) continue;
      for (size_t p = 0; p < e->longest; p++) aq_rope_angles(rope, set, p, b->angles[i][set] + p * 2 * rope->half);
    }
  }
}

static aq_status begin(aq_decoder_tape *tape, const aq_params *params, aq_error *err) {
  aq_decoder_tape_buffers *b = aq_decoder_buffers_of(tape);
  extent e = {.params = params,
              .threads = aq_pool_threads(tape->pool),
              .forward_only = tape->forward_only,
              .by_layer = tape->by_layer};
  AQ_TRY(need_layers(b, tape->model->config.layers, err));
  AQ_TRY(need_weights(b, tape->model->weight_count, err));
  AQ_TRY(need_texts(b, tape->texts, err));
  AQ_TRY(place_texts(tape, &e.longest, err));
  e.tokens = tape->tokens;
  cursor c = {NULL, 0};
  lay_out(&c, &e, b);
  AQ_TRY(need_memory(b, c.at + LINE, err));
  c = (cursor){b->memory + misaligned(b->memory), 0};
  lay_out(&c, &e, b);
  compute_angles(&e, b);
  memset(b->linear, 0, b->weight_room * sizeof *b->linear);
  memset(b->norm, 0, b->weight_room * sizeof *b->norm);
  tape->hidden = (const float *const *)b->hidden;
  tape->final = b->final;
  tape->linear = b->linear;
  tape->norm = b->norm;
  return AQ_OK;
}

/* manner: of its members, forward_only and by_layer. */
static aq_status begin_pass(aq_decoder_tape *tape, const aq_decoder_tape *manner, const aq_params *params,
                            const int32_t *const *ids, const uint32_t *lengths, size_t texts, aq_pool *pool,
                            aq_error *err) {
  if (tape->buffers == NULL) tape->buffers = aq_calloc(1, sizeof(aq_decoder_tape_buffers));
  if (tape->buffers == NULL) return aq_fail_memory(err, sizeof(aq_decoder_tape_buffers));
  *tape = (aq_decoder_tape){.pool = pool,
                            .model = params->model,
                            .forward_only = manner->forward_only,
                            .by_layer = manner->by_layer,
                            .texts = texts,
                            .ids = ids,
                            .lengths = lengths,
                            .buffers = tape->buffers};
  return begin(tape, params, err);
}

aq_status aq_decoder_tape_begin(aq_decoder_tape *tape, const aq_params *params, const int32_t *const *ids,
                                const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err) {
  return begin_pass(tape, &(aq_decoder_tape){0}, params, ids, lengths, texts, pool, err);
}

aq_status aq_decoder_tape_begin_forward(aq_decoder_tape *tape, const aq_params *params, const int32_t *const *ids,
                                        const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err) {
  return begin_pass(tape, &(aq_decoder_tape){.forward_only = true}, params, ids, lengths, texts, pool, err);
}

aq_status aq_decoder_tape_begin_layers(aq_decoder_tape *tape, const aq_params *params, const int32_t *const *ids,
                                       const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err) {
  return begin_pass(tape, &(aq_decoder_tape){.by_layer = true}, params, ids, lengths, texts, pool, err);
}

aq_status aq_decoder_tape_bytes(const aq_params *params, size_t tokens, size_t longest, uint32_t threads,
                                uint64_t *bytes, aq_error *err) {
  aq_decoder_tape_buffers b = {0};
  const extent e = {.params = params, .tokens = tokens, .longest = longest, .threads = threads, .by_layer = true};
  cursor c = {NULL, 0};
  AQ_TRY(need_layers(&b, params->model->config.layers, err));
  lay_out(&c, &e, &b);
  aq_free((void *)b.hidden);
  *bytes = (c.at + LINE) * sizeof(float);
  return AQ_OK;
}

void aq_decoder_tape_reset(aq_decoder_tape *tape) {
  aq_decoder_tape_buffers *b = aq_decoder_buffers_of(tape);
  if (b != NULL) {
    aq_free((void *)b->hidden);
    aq_free(b->linear);
    aq_free(b->norm);
    aq_free(b->first);
    aq_free(b->memory);
    aq_free(b);
  }
  *tape = (aq_decoder_tape){0};
}

/* ---- cutting ---- */

size_t aq_decoder_blocks(const aq_decoder_tape *tape) {
  const size_t threads = aq_pool_threads(tape->pool), least = (tape->tokens + AQ_BLOCK_ROWS - 1) / AQ_BLOCK_ROWS;
  return AQ_MIN((least + threads - 1) / threads * threads, tape->tokens);
}

void aq_decoder_rows(const aq_decoder_tape *tape, size_t block, size_t *first, size_t *rows) {
  const size_t blocks = aq_decoder_blocks(tape);
  *first = tape->tokens * block / blocks;
  *rows = tape->tokens * (block + 1) / blocks - *first;
}

size_t aq_decoder_text_of(const aq_decoder_tape *tape, size_t token) {
  size_t low = 0, high = tape->texts;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (tape->first[middle] <= token) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}
