/* pass.c - room for a pass: everything it keeps is laid out in one block, which is asked for again only when a group
 * needs more. */
#include "model/pass.h"

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/attention.h"
#include "model/attention_backward.h"
#include "model/panels.h"
#include "model/pass_room.h"
#include "model/workspace.h"

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

static void lay_out_norm(cursor *c, size_t tokens, size_t hidden, aq_room_norm *norm) {
  norm->z = take(c, tokens, hidden);
  norm->dy = take(c, tokens, hidden);
  norm->scale = take(c, tokens, 1);
}

static void lay_out_layer(cursor *c, size_t tokens, const aq_model_config *config, aq_room_layer *layer) {
  const size_t hidden = config->hidden, inner = config->inner;
  layer->qkv = take(c, tokens, 3 * hidden);
  layer->context = take(c, tokens, hidden);
  layer->middle = take(c, tokens, hidden);
  layer->up = take(c, tokens, inner);
  layer->active = take(c, tokens, inner);
  layer->d_qkv = take(c, tokens, 3 * hidden);
  layer->d_attention_out = take(c, tokens, hidden);
  layer->d_up = take(c, tokens, inner);
  layer->d_down = take(c, tokens, hidden);
  lay_out_norm(c, tokens, hidden, &layer->attention_norm);
  lay_out_norm(c, tokens, hidden, &layer->last_norm);
}

static size_t longest_text(const aq_pass *pass) {
  size_t longest = 1;
  for (size_t i = 0; i < pass->texts; i++) longest = AQ_MAX(longest, (size_t)pass->lengths[i]);
  return longest;
}

static void lay_out(cursor *c, const aq_pass *pass, aq_pass_room *room) {
  const aq_model_config *config = pass->config;
  const size_t tokens = pass->tokens, hidden = config->hidden, width = hidden / config->heads;
  const size_t longest = longest_text(pass), widest = AQ_MAX(3 * hidden, (size_t)config->inner);
  lay_out_norm(c, tokens, hidden, &room->first_norm);
  for (uint32_t i = 0; i < config->layers; i++) lay_out_layer(c, tokens, config, &room->layers[i]);
  for (uint32_t i = 0; i <= config->layers; i++) room->hidden[i] = take(c, tokens, hidden);
  room->embeddings = take(c, pass->texts, hidden);
  room->factors = take(c, pass->texts, 1);
  room->d_input = take(c, tokens, hidden);
  room->d_context = take(c, tokens, hidden);
  room->panels = take(c, aq_stage_floats(config), 1);
  const size_t scratch = AQ_MAX(aq_attention_floats(width, longest), aq_attention_backward_floats(width, longest));
  room->scratch_stride = (size_t)LINE * (2 + scratch / LINE);
  room->scratch = take(c, room->scratch_stride, aq_pool_threads(pass->pool));
  room->columns = take(c, aq_panel_rows(widest), tokens);
  room->rows = take(c, widest, aq_pass_column_stride(tokens));
}

/* Floats up to the next cache line. */
static size_t misaligned(const float *memory) {
  const size_t line = (size_t)LINE * sizeof *memory;
  return (line - (uintptr_t)memory % line) % line / sizeof *memory;
}

static aq_status need_memory(aq_pass_room *room, uint64_t floats, aq_error *err) {
  if (floats <= room->capacity) return AQ_OK;
  uint64_t bytes;
  size_t size;
  AQ_FAIL_IF(!aq_mul_ok(floats, sizeof *room->memory, &bytes) || !aq_to_size_ok(bytes, &size), AQ_ERR_MEMORY,
             "the group is too large");
  aq_free(room->memory);
  room->capacity = 0;
  room->memory = aq_malloc(size);
  if (room->memory == NULL) return aq_fail_memory(err, size);
  room->capacity = (size_t)floats;
  return AQ_OK;
}

/* ---- small arrays ---- */

static aq_status need_layers(aq_pass_room *room, size_t layers, aq_error *err) {
  if (layers <= room->layer_room) return AQ_OK;
  room->layer_room = 0;
  aq_free(room->layers);
  aq_free(room->seen);
  aq_free((void *)room->hidden);
  room->layers = aq_calloc(layers, sizeof *room->layers);
  room->seen = aq_calloc(layers, sizeof *room->seen);
  room->hidden = aq_calloc(layers + 1, sizeof *room->hidden);
  if (room->layers == NULL || room->seen == NULL || room->hidden == NULL) {
    return aq_fail_memory(err, layers * sizeof *room->layers);
  }
  room->layer_room = layers;
  return AQ_OK;
}

static aq_status need_texts(aq_pass_room *room, size_t texts, aq_error *err) {
  if (room->first != NULL && texts <= room->text_room) return AQ_OK;
  aq_free(room->first);
  room->first = aq_calloc(texts + 1, sizeof *room->first);
  if (room->first == NULL) return aq_fail_memory(err, texts * sizeof *room->first);
  room->text_room = texts;
  return AQ_OK;
}

/* ---- what the caller sees ---- */

static void show_layer(const aq_pass *pass, const aq_room_layer *l, const float *x, aq_pass_layer *out) {
  const size_t hidden = pass->config->hidden, inner = pass->config->inner;
  for (size_t part = 0; part < 3; part++) {
    out->linear[AQ_QUERY + part] = (aq_pass_linear){x, l->d_qkv + part * hidden, hidden, hidden, hidden, 3 * hidden};
  }
  out->linear[AQ_ATTENTION_OUT] = (aq_pass_linear){l->context, l->d_attention_out, hidden, hidden, hidden, hidden};
  out->linear[AQ_UP] = (aq_pass_linear){l->middle, l->d_up, hidden, inner, hidden, inner};
  out->linear[AQ_DOWN] = (aq_pass_linear){l->active, l->d_down, inner, hidden, inner, hidden};
  out->attention_norm = (aq_pass_norm){l->attention_norm.z, l->attention_norm.dy};
  out->last_norm = (aq_pass_norm){l->last_norm.z, l->last_norm.dy};
}

static void show(aq_pass *pass, const aq_pass_room *room) {
  pass->first = room->first;
  pass->embeddings = room->embeddings;
  pass->hidden = (const float *const *)room->hidden;
  pass->first_norm = (aq_pass_norm){room->first_norm.z, room->first_norm.dy};
  for (uint32_t i = 0; i < pass->config->layers; i++) {
    show_layer(pass, &room->layers[i], room->hidden[i], &room->seen[i]);
  }
  pass->layers = room->seen;
  pass->d_input = room->d_input;
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

aq_status aq_pass_begin(aq_pass *pass, const aq_params *params, const int32_t *const *ids, const uint32_t *lengths,
                        size_t texts, aq_pool *pool, aq_error *err) {
  if (pass->room == NULL) pass->room = aq_calloc(1, sizeof(aq_pass_room));
  aq_pass_room *room = aq_pass_room_of(pass);
  if (room == NULL) return aq_fail_memory(err, sizeof *room);
  AQ_TRY(need_layers(room, params->config->layers, err));
  AQ_TRY(need_texts(room, texts, err));
  *pass =
      (aq_pass){.pool = pool, .config = params->config, .texts = texts, .ids = ids, .lengths = lengths, .room = room};
  for (size_t i = 0; i < texts; i++) {
    AQ_TRY(check_text(params->config, ids[i], lengths[i], i, err));
    room->first[i] = pass->tokens;
    pass->tokens += lengths[i];
  }
  room->first[texts] = pass->tokens;
  cursor c = {NULL, 0};
  lay_out(&c, pass, room);
  AQ_TRY(need_memory(room, c.at + LINE, err));
  c = (cursor){room->memory + misaligned(room->memory), 0};
  lay_out(&c, pass, room);
  show(pass, room);
  return AQ_OK;
}

void aq_pass_reset(aq_pass *pass) {
  aq_pass_room *room = aq_pass_room_of(pass);
  if (room != NULL) {
    aq_free(room->layers);
    aq_free(room->seen);
    aq_free((void *)room->hidden);
    aq_free(room->first);
    aq_free(room->memory);
    aq_free(room);
  }
  *pass = (aq_pass){0};
}

/* ---- cutting ---- */

size_t aq_pass_column_stride(size_t tokens) { return ((tokens + 15) / 16 | 1) * 16; }

size_t aq_pass_blocks(const aq_pass *pass) {
  const size_t threads = aq_pool_threads(pass->pool), least = (pass->tokens + AQ_BLOCK_ROWS - 1) / AQ_BLOCK_ROWS;
  const size_t even = (least + threads - 1) / threads * threads;
  return AQ_MIN(even, pass->tokens);
}

void aq_pass_block(const aq_pass *pass, size_t block, size_t *first, size_t *rows) {
  const size_t blocks = aq_pass_blocks(pass);
  *first = pass->tokens * block / blocks;
  *rows = pass->tokens * (block + 1) / blocks - *first;
}
