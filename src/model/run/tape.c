/* tape.c - room for a pass: everything it keeps is laid out in one block, which is asked for again only when a group
 * needs more. */
#include "model/run/tape.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/nn/attention.h"
#include "model/nn/panels.h"
#include "model/nn/workspace.h"
#include "model/run/tape_buffers.h"
#include "model/run/tape_linear_gradient.h"

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

/* What a pass is of. */
typedef struct extent {
  const aq_params *params;
  size_t tokens, texts, longest;
  uint32_t threads;
  bool forward_only, by_layer;
} extent;

static bool has_step(const aq_layer_steps *steps, aq_step_kind kind, aq_slot in) {
  for (size_t i = 0; i < steps->count; i++) {
    if (steps->step[i].kind == kind && steps->step[i].in == in) return true;
  }
  return false;
}

static bool shares_room(const extent *e) { return e->forward_only || e->by_layer; }

/* In a pass that goes forward alone, or is led layer by layer, all layers follow each other in the same room, as what
 * is made again, or goes into a sum and nowhere else, does in any: a block of tokens is done with its rows of one layer
 * when it writes those of the next. */
static bool is_shared(const extent *e, const aq_layer_steps *steps, const aq_step *s) {
  return shares_room(e) || aq_tape_recomputes(s) || has_step(steps, AQ_STEP_ADD, s->out);
}

/* A norm's z is where the sum was that it is of, or in a pass forward alone, where its output will be. */
static float *lay_out_z(cursor *c, const extent *e, const aq_step *s, const aq_tape_layer_buffers *layer) {
  if (s->kind == AQ_STEP_ADD_NORM) return layer->value[s->in];
  return e->forward_only ? layer->value[s->out] : take(c, e->tokens, e->params->model->config.hidden);
}

static void lay_out_layer(cursor *c, const extent *e, const aq_tape_layer_buffers *first,
                          aq_tape_layer_buffers *layer) {
  const aq_model *m = e->params->model;
  const aq_layer_steps *steps = aq_layer_steps_of(m);
  for (size_t i = 0; i < steps->count; i++) {
    const aq_step *s = &steps->step[i];
    const bool is_first = layer == first;
    if (s->out != AQ_SLOT_OUTPUT) {
      const bool shared = !is_first && is_shared(e, steps, s);
      layer->value[s->out] = shared ? first->value[s->out] : take(c, e->tokens, aq_slot_width(m, s->out));
    }
    if (!aq_step_is_norm(s)) continue;
    const bool shared = !is_first && (shares_room(e) || s->kind == AQ_STEP_NORM);
    layer->z[s->out] = shared && s->kind == AQ_STEP_NORM ? first->z[s->out] : lay_out_z(c, e, s, layer);
    layer->scale[s->out] = shared ? first->scale[s->out] : take(c, e->tokens, 1);
  }
}

/* A layer that goes backward still needs its input when it has written its output. */
static void lay_out_layers(cursor *c, const extent *e, aq_tape_buffers *buffers) {
  const aq_model_config *config = &e->params->model->config;
  const uint32_t runs = aq_tape_runs(config);
  for (uint32_t i = 0; i <= runs; i++) {
    buffers->hidden[i] = i == 0 || !shares_room(e) ? take(c, e->tokens, config->hidden) : buffers->hidden[0];
  }
  float *output = e->by_layer ? take(c, e->tokens, config->hidden) : NULL;
  for (uint32_t i = 0; i < runs; i++) {
    buffers->layers[i].value[AQ_SLOT_INPUT] = buffers->hidden[i];
    buffers->layers[i].value[AQ_SLOT_OUTPUT] = e->by_layer ? output : buffers->hidden[i + 1];
    lay_out_layer(c, e, &buffers->layers[0], &buffers->layers[i]);
  }
}

static bool has_last_norm(const aq_model *m) {
  return aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_FINAL_NORM) != AQ_NO_WEIGHT;
}

/* What stands before the layers and behind them. */
static void lay_out_ends(cursor *c, const extent *e, aq_tape_buffers *buffers) {
  const aq_model *m = e->params->model;
  const aq_model_config *config = &m->config;
  const size_t tokens = e->tokens, width = config->attention / config->heads;
  const bool is_normed = has_last_norm(m);
  const aq_tape_layer_buffers *last = &buffers->layers[aq_tape_runs(config) - 1];
  buffers->embedding_z = take(c, tokens, config->embedding);
  buffers->embedding_scale = take(c, tokens, 1);
  buffers->embedded = config->projects ? take(c, tokens, config->embedding) : buffers->hidden[0];
  buffers->final = is_normed ? take(c, tokens, config->hidden) : last->value[AQ_SLOT_OUTPUT];
  buffers->final_z = is_normed ? take(c, tokens, config->hidden) : NULL;
  buffers->final_scale = is_normed ? take(c, tokens, 1) : NULL;
  buffers->embeddings = take(c, e->texts, config->hidden);
  buffers->factors = take(c, e->texts, 1);
  buffers->longest = e->longest;
  buffers->angles = e->params->rope[0].half > 0 ? take(c, 2 * e->longest, width) : NULL;
}

static void lay_out_gradients(cursor *c, const extent *e, aq_tape_buffers *buffers) {
  const aq_model *m = e->params->model;
  const aq_layer_steps *steps = aq_layer_steps_of(m);
  float **gradient = buffers->gradient;
  gradient[AQ_SLOT_INPUT] = take(c, e->tokens, m->config.hidden);
  for (size_t i = 0; i < steps->count; i++) {
    const aq_step *s = &steps->step[i];
    const bool in_place = s->kind == AQ_STEP_ACTIVATION || s->kind == AQ_STEP_ADD;
    gradient[s->out] = in_place ? gradient[s->in] : take(c, e->tokens, aq_slot_width(m, s->out));
  }
  buffers->d_input = take(c, e->tokens, m->config.embedding);
  buffers->d_embedded = m->config.projects ? take(c, e->tokens, m->config.embedding) : gradient[AQ_SLOT_INPUT];
  buffers->d_final = has_last_norm(m) ? take(c, e->tokens, m->config.hidden) : gradient[AQ_SLOT_INPUT];
}

static void lay_out(cursor *c, const extent *e, aq_tape_buffers *buffers) {
  const aq_model_config *config = &e->params->model->config;
  const size_t tokens = e->tokens, width = config->attention / config->heads;
  const size_t widest = aq_model_widest(e->params->model);
  lay_out_layers(c, e, buffers);
  lay_out_ends(c, e, buffers);
  buffers->panels = take(c, aq_stage_floats(e->params), 1);
  const size_t scratch =
      AQ_MAX(aq_attention_floats(width, e->longest), aq_attention_backward_floats(width, e->longest));
  buffers->scratch_stride = (size_t)LINE * (2 + scratch / LINE);
  buffers->scratch = take(c, buffers->scratch_stride, e->threads);
  if (e->forward_only) return;
  lay_out_gradients(c, e, buffers);
  if (e->by_layer) return;
  buffers->columns = take(c, aq_gradient_column_floats(widest, tokens), 1);
  buffers->rows = take(c, aq_gradient_turned_floats(widest, tokens), 1);
}

static extent extent_of(const aq_tape *tape, const aq_params *params) {
  extent e = {.params = params,
              .tokens = tape->tokens,
              .texts = tape->texts,
              .longest = 1,
              .threads = aq_pool_threads(tape->pool),
              .forward_only = tape->forward_only,
              .by_layer = tape->by_layer};
  for (size_t i = 0; i < tape->texts; i++) e.longest = AQ_MAX(e.longest, (size_t)tape->lengths[i]);
  return e;
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
    if (dy != NULL) dy += w->rows;
  }
}

static void show_norm(const aq_tape *tape, uint32_t layer, aq_role role, const float *z, const float *dy) {
  const uint32_t gain = aq_model_find(tape->model, layer, role);
  if (gain != AQ_NO_WEIGHT) aq_tape_buffers_of(tape)->norm[gain] = (aq_tape_norm){z, dy};
}

void aq_tape_show_layer(const aq_tape *tape, uint32_t run) {
  const aq_layer_steps *steps = aq_layer_steps_of(tape->model);
  const aq_tape_buffers *buffers = aq_tape_buffers_of(tape);
  const aq_tape_layer_buffers *l = &buffers->layers[run];
  const uint32_t layer = aq_tape_layer_of(tape->config, run);
  for (size_t i = 0; i < steps->count; i++) {
    const aq_step *s = &steps->step[i];
    const float *gradient = tape->forward_only ? NULL : buffers->gradient[s->out];
    if (s->kind == AQ_STEP_LINEAR) show_linears(tape, layer, s->role, l->value[s->in], gradient);
    if (aq_step_is_norm(s)) show_norm(tape, layer, s->role, l->z[s->out], gradient);
  }
}

static void show(aq_tape *tape, const aq_tape_buffers *buffers) {
  const bool both = !tape->forward_only;
  tape->first = buffers->first;
  tape->embeddings = buffers->embeddings;
  tape->hidden = (const float *const *)buffers->hidden;
  tape->linear = buffers->linear;
  tape->norm = buffers->norm;
  memset(buffers->linear, 0, buffers->weight_room * sizeof *buffers->linear);
  memset(buffers->norm, 0, buffers->weight_room * sizeof *buffers->norm);
  for (uint32_t i = 0; i < aq_tape_runs(tape->config); i++) aq_tape_show_layer(tape, i);
  show_norm(tape, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM, buffers->embedding_z, both ? buffers->d_embedded : NULL);
  show_norm(tape, AQ_NO_LAYER, AQ_ROLE_FINAL_NORM, buffers->final_z, both && !tape->by_layer ? buffers->d_final : NULL);
  if (tape->config->projects) {
    show_linears(tape, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_PROJECTION, buffers->embedded,
                 both ? buffers->gradient[AQ_SLOT_INPUT] : NULL);
  }
  tape->d_input = both ? buffers->d_input : NULL;
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

/* manner: of its members, forward_only and by_layer. */
static aq_status begin(aq_tape *tape, const aq_tape *manner, const aq_params *params, const int32_t *const *ids,
                       const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err) {
  if (tape->buffers == NULL) tape->buffers = aq_calloc(1, sizeof(aq_tape_buffers));
  aq_tape_buffers *buffers = aq_tape_buffers_of(tape);
  if (buffers == NULL) return aq_fail_memory(err, sizeof *buffers);
  const aq_model_config *config = &params->model->config;
  AQ_TRY(need_layers(buffers, aq_tape_runs(config), err));
  AQ_TRY(need_weights(buffers, params->model->weight_count, err));
  AQ_TRY(need_texts(buffers, texts, err));
  *tape = (aq_tape){.pool = pool,
                    .model = params->model,
                    .config = config,
                    .forward_only = manner->forward_only,
                    .by_layer = manner->by_layer,
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
  const extent e = extent_of(tape, params);
  cursor c = {NULL, 0};
  lay_out(&c, &e, buffers);
  AQ_TRY(need_memory(buffers, c.at + LINE, err));
  c = (cursor){buffers->memory + misaligned(buffers->memory), 0};
  lay_out(&c, &e, buffers);
  aq_tape_find_angles(tape, params);
  show(tape, buffers);
  return AQ_OK;
}

aq_status aq_tape_begin(aq_tape *tape, const aq_params *params, const int32_t *const *ids, const uint32_t *lengths,
                        size_t texts, aq_pool *pool, aq_error *err) {
  return begin(tape, &(aq_tape){0}, params, ids, lengths, texts, pool, err);
}

aq_status aq_tape_begin_forward(aq_tape *tape, const aq_params *params, const int32_t *const *ids,
                                const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err) {
  return begin(tape, &(aq_tape){.forward_only = true}, params, ids, lengths, texts, pool, err);
}

aq_status aq_tape_begin_layers(aq_tape *tape, const aq_params *params, const int32_t *const *ids,
                               const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err) {
  return begin(tape, &(aq_tape){.by_layer = true}, params, ids, lengths, texts, pool, err);
}

aq_status aq_tape_bytes(const aq_params *params, size_t tokens, size_t longest, uint32_t threads, uint64_t *bytes,
                        aq_error *err) {
  aq_tape_buffers buffers = {0};
  aq_status status = need_layers(&buffers, aq_tape_runs(&params->model->config), err);
  const extent e = {
      .params = params, .tokens = tokens, .texts = tokens, .longest = longest, .threads = threads, .by_layer = true};
  cursor c = {NULL, 0};
  if (status == AQ_OK) lay_out(&c, &e, &buffers);
  *bytes = (c.at + LINE) * sizeof(float);
  aq_free(buffers.layers);
  aq_free((void *)buffers.hidden);
  return status;
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
