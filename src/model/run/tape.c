/* tape.c - room for a pass: everything it keeps is laid out in one block, which is asked for again only when a group
 * needs more. */
#include "model/run/tape.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/nn/attention.h"
#include "model/nn/attention_backward.h"
#include "model/nn/panels.h"
#include "model/nn/workspace.h"
#include "model/run/tape_buffers.h"

/* ---- layout ---- */

#define LINE ((uint64_t)16) /* floats of a cache line */

typedef struct cursor {
  float *base; /* NULL: only count */
  uint64_t at;
} cursor;

static float *take(cursor *c, uint64_t rows, uint64_t columns) {
  float *place = c->base != NULL ? c->base + c->at : NULL;
  c->at += (rows * columns + LINE - 1) / LINE * LINE;
  return place;
}

static void lay_out_norm(cursor *c, const aq_tape *tape, aq_tape_norm_buffers *norm) {
  norm->z = take(c, tape->tokens, tape->config->hidden);
  norm->dy = tape->forward_only ? NULL : take(c, tape->tokens, tape->config->hidden);
  norm->scale = take(c, tape->tokens, 1);
}

static void lay_out_layer(cursor *c, const aq_tape *tape, uint32_t i, aq_tape_layer_buffers *layer) {
  const size_t tokens = tape->tokens, hidden = tape->config->hidden, inner = tape->config->inner;
  const size_t qkv = aq_model_joined_rows(tape->model, i, AQ_ROLE_QUERY);
  layer->qkv = take(c, tokens, qkv);
  layer->context = take(c, tokens, hidden);
  layer->middle = take(c, tokens, hidden);
  layer->up = take(c, tokens, inner);
  layer->active = take(c, tokens, inner);
  lay_out_norm(c, tape, &layer->attention_norm);
  lay_out_norm(c, tape, &layer->ffn_norm);
  if (tape->forward_only) return;
  layer->d_qkv = take(c, tokens, qkv);
  layer->d_attention_out = take(c, tokens, hidden);
  layer->d_up = take(c, tokens, inner);
  layer->d_down = take(c, tokens, hidden);
}

/* Layers of a pass that goes forward alone follow each other in the same room: a block of tokens is done with its rows
 * of one layer when it writes those of the next. */
static void lay_out_layers(cursor *c, const aq_tape *tape, aq_tape_buffers *buffers) {
  for (uint32_t i = 0; i < tape->config->layers; i++) {
    if (i == 0 || !tape->forward_only) {
      lay_out_layer(c, tape, i, &buffers->layers[i]);
    } else {
      buffers->layers[i] = buffers->layers[0];
    }
  }
  for (uint32_t i = 0; i <= tape->config->layers; i++) {
    buffers->hidden[i] =
        i == 0 || !tape->forward_only ? take(c, tape->tokens, tape->config->hidden) : buffers->hidden[0];
  }
}

static size_t longest_text(const aq_tape *tape) {
  size_t longest = 1;
  for (size_t i = 0; i < tape->texts; i++) longest = AQ_MAX(longest, (size_t)tape->lengths[i]);
  return longest;
}

static void lay_out(cursor *c, const aq_tape *tape, const aq_params *params, aq_tape_buffers *buffers) {
  const aq_model_config *config = tape->config;
  const size_t tokens = tape->tokens, hidden = config->hidden, width = hidden / config->heads;
  const size_t longest = longest_text(tape), widest = aq_model_widest(tape->model);
  lay_out_norm(c, tape, &buffers->embedding_norm);
  lay_out_layers(c, tape, buffers);
  buffers->embeddings = take(c, tape->texts, hidden);
  buffers->factors = take(c, tape->texts, 1);
  buffers->d_input = take(c, tokens, hidden);
  buffers->d_context = take(c, tokens, hidden);
  buffers->panels = take(c, aq_stage_floats(params), 1);
  const size_t scratch = AQ_MAX(aq_attention_floats(width, longest), aq_attention_backward_floats(width, longest));
  buffers->scratch_stride = (size_t)LINE * (2 + scratch / LINE);
  buffers->scratch = take(c, buffers->scratch_stride, aq_pool_threads(tape->pool));
  buffers->columns = take(c, aq_panel_rows(widest), tokens);
  buffers->rows = take(c, widest, aq_tape_column_stride(tokens));
}

/* Floats up to the next cache line. */
static size_t misaligned(const float *memory) {
  const size_t line = (size_t)LINE * sizeof *memory;
  return (line - (uintptr_t)memory % line) % line / sizeof *memory;
}

static aq_status need_memory(aq_tape_buffers *buffers, uint64_t floats, aq_error *err) {
  if (floats <= buffers->capacity) return AQ_OK;
  uint64_t bytes;
  size_t size;
  AQ_FAIL_IF(!aq_mul_ok(floats, sizeof *buffers->memory, &bytes) || !aq_to_size_ok(bytes, &size), AQ_ERR_MEMORY,
             "the group is too large");
  aq_free(buffers->memory);
  buffers->capacity = 0;
  buffers->memory = aq_malloc(size);
  if (buffers->memory == NULL) return aq_fail_memory(err, size);
  buffers->capacity = (size_t)floats;
  return AQ_OK;
}

/* ---- small arrays ---- */

static aq_status need_layers(aq_tape_buffers *buffers, size_t layers, aq_error *err) {
  if (layers <= buffers->layer_room) return AQ_OK;
  buffers->layer_room = 0;
  aq_free(buffers->layers);
  aq_free((void *)buffers->hidden);
  buffers->layers = aq_calloc(layers, sizeof *buffers->layers);
  buffers->hidden = aq_calloc(layers + 1, sizeof *buffers->hidden);
  if (buffers->layers == NULL || buffers->hidden == NULL) return aq_fail_memory(err, layers * sizeof *buffers->layers);
  buffers->layer_room = layers;
  return AQ_OK;
}

static aq_status need_weights(aq_tape_buffers *buffers, size_t weights, aq_error *err) {
  if (weights <= buffers->weight_room) return AQ_OK;
  buffers->weight_room = 0;
  aq_free(buffers->linear);
  aq_free(buffers->norm);
  buffers->linear = aq_calloc(weights, sizeof *buffers->linear);
  buffers->norm = aq_calloc(weights, sizeof *buffers->norm);
  if (buffers->linear == NULL || buffers->norm == NULL) return aq_fail_memory(err, weights * sizeof *buffers->linear);
  buffers->weight_room = weights;
  return AQ_OK;
}

static aq_status need_texts(aq_tape_buffers *buffers, size_t texts, aq_error *err) {
  if (buffers->first != NULL && texts <= buffers->text_room) return AQ_OK;
  aq_free(buffers->first);
  buffers->first = aq_calloc(texts + 1, sizeof *buffers->first);
  if (buffers->first == NULL) return aq_fail_memory(err, texts * sizeof *buffers->first);
  buffers->text_room = texts;
  return AQ_OK;
}

/* ---- what the caller sees ---- */

/* Linears from the one with this role on that read x; their outputs stand side by side. */
static void show_linears(const aq_tape *tape, uint32_t layer, aq_role first, const float *x, const float *dy) {
  const aq_model *m = tape->model;
  const aq_weight_group group = aq_model_group_of(m, aq_model_find(m, layer, first));
  const size_t stride = aq_model_joined_rows(m, layer, first);
  for (uint32_t i = group.first; i < group.first + group.count; i++) {
    const aq_weight *w = &m->weights[i];
    aq_tape_buffers_of(tape)->linear[i] = (aq_tape_linear){x, dy, w->cols, w->rows, w->cols, stride};
    dy += w->rows;
  }
}

static void show_norm(const aq_tape *tape, uint32_t layer, aq_role role, const aq_tape_norm_buffers *norm) {
  aq_tape_buffers_of(tape)->norm[aq_model_find(tape->model, layer, role)] = (aq_tape_norm){norm->z, norm->dy};
}

static void show_layer(const aq_tape *tape, uint32_t i, const aq_tape_layer_buffers *l, const float *x) {
  show_linears(tape, i, AQ_ROLE_QUERY, x, l->d_qkv);
  show_linears(tape, i, AQ_ROLE_ATTENTION_OUT, l->context, l->d_attention_out);
  show_linears(tape, i, AQ_ROLE_UP, l->middle, l->d_up);
  show_linears(tape, i, AQ_ROLE_DOWN, l->active, l->d_down);
  show_norm(tape, i, AQ_ROLE_ATTENTION_NORM, &l->attention_norm);
  show_norm(tape, i, AQ_ROLE_FFN_NORM, &l->ffn_norm);
}

static void show(aq_tape *tape, const aq_tape_buffers *buffers) {
  tape->first = buffers->first;
  tape->embeddings = buffers->embeddings;
  tape->hidden = (const float *const *)buffers->hidden;
  tape->linear = buffers->linear;
  tape->norm = buffers->norm;
  memset(buffers->linear, 0, buffers->weight_room * sizeof *buffers->linear);
  memset(buffers->norm, 0, buffers->weight_room * sizeof *buffers->norm);
  show_norm(tape, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM, &buffers->embedding_norm);
  for (uint32_t i = 0; i < tape->config->layers; i++) show_layer(tape, i, &buffers->layers[i], buffers->hidden[i]);
  tape->d_input = buffers->d_input;
}

/* ---- begin ---- */

static aq_status check_text(const aq_model_config *c, const int32_t *ids, uint32_t length, size_t text, aq_error *err) {
  AQ_FAIL_IF(length == 0 || length > c->position_limit, AQ_ERR_ARGUMENT, "text %zu has %u tokens; 1 to %u are possible",
             text, length, c->position_limit);
  for (uint32_t i = 0; i < length; i++) {
    AQ_FAIL_IF(ids[i] < 0 || (uint32_t)ids[i] >= c->vocabulary, AQ_ERR_ARGUMENT,
               "token %u of text %zu is %d; the model has %u words", i, text, ids[i], c->vocabulary);
  }
  return AQ_OK;
}

static aq_status begin(aq_tape *tape, const aq_params *params, const int32_t *const *ids, const uint32_t *lengths,
                       size_t texts, bool forward_only, aq_pool *pool, aq_error *err) {
  if (tape->buffers == NULL) tape->buffers = aq_calloc(1, sizeof(aq_tape_buffers));
  aq_tape_buffers *buffers = aq_tape_buffers_of(tape);
  if (buffers == NULL) return aq_fail_memory(err, sizeof *buffers);
  const aq_model_config *config = &params->model->config;
  AQ_TRY(need_layers(buffers, config->layers, err));
  AQ_TRY(need_weights(buffers, params->model->weight_count, err));
  AQ_TRY(need_texts(buffers, texts, err));
  *tape = (aq_tape){.pool = pool,
                    .model = params->model,
                    .config = config,
                    .forward_only = forward_only,
                    .texts = texts,
                    .ids = ids,
                    .lengths = lengths,
                    .buffers = buffers};
  for (size_t i = 0; i < texts; i++) {
    AQ_TRY(check_text(config, ids[i], lengths[i], i, err));
    buffers->first[i] = tape->tokens;
    tape->tokens += lengths[i];
  }
  buffers->first[texts] = tape->tokens;
  cursor c = {NULL, 0};
  lay_out(&c, tape, params, buffers);
  AQ_TRY(need_memory(buffers, c.at + LINE, err));
  c = (cursor){buffers->memory + misaligned(buffers->memory), 0};
  lay_out(&c, tape, params, buffers);
  show(tape, buffers);
  return AQ_OK;
}

aq_status aq_tape_begin(aq_tape *tape, const aq_params *params, const int32_t *const *ids, const uint32_t *lengths,
                        size_t texts, aq_pool *pool, aq_error *err) {
  return begin(tape, params, ids, lengths, texts, false, pool, err);
}

aq_status aq_tape_begin_forward(aq_tape *tape, const aq_params *params, const int32_t *const *ids,
                                const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err) {
  return begin(tape, params, ids, lengths, texts, true, pool, err);
}

void aq_tape_reset(aq_tape *tape) {
  aq_tape_buffers *buffers = aq_tape_buffers_of(tape);
  if (buffers != NULL) {
    aq_free(buffers->layers);
    aq_free(buffers->linear);
    aq_free(buffers->norm);
    aq_free((void *)buffers->hidden);
    aq_free(buffers->first);
    aq_free(buffers->memory);
    aq_free(buffers);
  }
  *tape = (aq_tape){0};
}

/* ---- cutting ---- */

size_t aq_tape_column_stride(size_t tokens) { return ((tokens + 15) / 16 | 1) * 16; }

size_t aq_tape_blocks(const aq_tape *tape) {
  const size_t threads = aq_pool_threads(tape->pool), least = (tape->tokens + AQ_BLOCK_ROWS - 1) / AQ_BLOCK_ROWS;
  const size_t even = (least + threads - 1) / threads * threads;
  return AQ_MIN(even, tape->tokens);
}

void aq_tape_block(const aq_tape *tape, size_t block, size_t *first, size_t *rows) {
  const size_t blocks = aq_tape_blocks(tape);
  *first = tape->tokens * block / blocks;
  *rows = tape->tokens * (block + 1) / blocks - *first;
}
