/* forward.c - a group of texts through the encoder: the steps of its layers (layer_steps.h), keeping nothing.
 *
 * All members of a team run this code; a step is cut by tokens, by outputs of a product or by heads, and what was
 * written is read only after everybody arrived. A team of one waits for nobody. Results do not depend on how a step is
 * cut: an output is one sum, whoever makes it. */
#include "model/run/forward.h"

#include <string.h>

#include "core/compiler.h"
#include "model/nn/attention.h"
#include "model/nn/embedding_modules.h"
#include "model/nn/gate.h"
#include "model/nn/panels.h"
#include "model/nn/pooling.h"
#include "model/nn/position.h"
#include "model/nn/rms_norm.h"

typedef struct member {
  const aq_forward *f;
  const aq_layer_steps *steps;
  uint32_t index;
  aq_thread_space *own;
} member;

static void wait_for_all(const member *m) { aq_team_wait(m->f->team); }

static void share(const member *m, size_t count, size_t *begin, size_t *end) {
  aq_team_share(m->f->team, m->index, count, begin, end);
}

/* ---- steps ---- */

/* A token and its row of the position table, if there is one: norm(word + (position + type)); the word, where there is
 * no such norm. */
static void embed_token(const member *m, int32_t id, int32_t type, size_t row, float *out) {
  const aq_weights *w = m->f->weights;
  const size_t n = m->f->config->embedding;
  const float *kind = w->type + (size_t)type * n;
  float *place = m->own->row + n;
  const bool has_positions = w->positions.count > 0, is_bare = w->embedding_norm.gain == NULL;
  const float *word = aq_embedding_table_row(&w->words, (uint64_t)id, m->own->row_codes, m->own->row);
  if (is_bare) {
    memcpy(out, word, n * sizeof *out);
    return;
  }
  if (has_positions) {
    const float *position = aq_embedding_table_row(&w->positions, row, m->own->row_codes, place);
    for (size_t i = 0; i < n; i++) place[i] = position[i] + kind[i];
  }
  m->f->kernels->norm_f32(word, has_positions ? place : kind, n, w->embedding_norm.gain, w->embedding_norm.shift,
                          m->f->config->epsilon, out);
}

/* Rows of `embedding` values, of all tokens. */
static void embed_tokens(const member *m, float *out) {
  const aq_group *g = m->f->group;
  size_t begin, end, at = 0;
  share(m, g->tokens, &begin, &end);
  for (size_t text = 0; text < g->texts; text++) {
    size_t counted = 0;
    for (size_t t = 0; t < g->lengths[text]; t++, at++) {
      const size_t row = aq_position_next(m->f->config, g->ids[text][t], &counted);
      if (at < begin || at >= end) continue;
      const int32_t type = g->types != NULL ? g->types[text][t] : 0;
      embed_token(m, g->ids[text][t], type, row, out + at * m->f->config->embedding);
    }
  }
}

/* Of the positions of the longest text, for both kinds of layers. */
static void find_angles(const member *m) {
  const aq_group *g = m->f->group;
  const size_t width = m->f->config->attention / m->f->config->heads;
  size_t longest = 0, begin, end;
  for (size_t i = 0; i < g->texts; i++) longest = AQ_MAX(longest, (size_t)g->lengths[i]);
  share(m, longest, &begin, &end);
  for (size_t kind = 0; kind < 2 && m->f->space->angles != NULL; kind++) {
    float *angles = m->f->space->angles + kind * g->tokens * width;
    for (size_t t = begin; t < end; t++) aq_rope_angles(&m->f->weights->rope[kind], 0, t, angles + t * width);
  }
}

/* This member's outputs of a product, and of the activation after it, if any. */
static void product(const member *m, const aq_linear *linear, const float *x, size_t rows,
                    const aq_activation *activation, float *y) {
  size_t first, last;
  share(m, aq_panel_rows(linear->out) / AQ_PANEL, &first, &last);
  first *= AQ_PANEL;
  last = AQ_MIN(last * AQ_PANEL, (size_t)linear->out);
  aq_linear_run(linear, m->f->kernels, x, rows, first, last, &m->own->coded, y);
  for (size_t i = 0; activation != NULL && first < last && i < rows; i++) {
    activation->apply(m->f->kernels, y + i * linear->out + first, last - first);
  }
}

/* out = norm(x + more), row by row; out may be x. */
static void add_and_norm(const member *m, const aq_norm *norm, const float *x, const float *more, size_t rows,
                         float *out) {
  const size_t n = m->f->config->hidden;
  size_t begin, end;
  share(m, rows, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    m->f->kernels->norm_f32(x + i * n, more + i * n, n, norm->gain, norm->shift, m->f->config->epsilon, out + i * n);
  }
}

static void norm_row(const member *m, const aq_norm *norm, const float *x, float *out) {
  const aq_model_config *c = m->f->config;
  if (norm->gain == NULL) {
    memcpy(out, x, c->hidden * sizeof *out);
  } else if (c->has_rms_norms) {
    aq_rms_norm(x, c->hidden, norm->gain, c->epsilon, out);
  } else {
    m->f->kernels->norm_f32(x, NULL, c->hidden, norm->gain, norm->shift, c->epsilon, out);
  }
}

/* out = norm(x), row by row; without a norm out = x. */
static void norm_rows(const member *m, const aq_norm *norm, const float *x, size_t rows, float *out) {
  const size_t n = m->f->config->hidden;
  size_t begin, end;
  share(m, rows, &begin, &end);
  for (size_t i = begin; i < end; i++) norm_row(m, norm, x + i * n, out + i * n);
}

/* out = x + more; out may be x. */
static void add_rows(const member *m, const float *x, const float *more, size_t rows, float *out) {
  const size_t n = m->f->config->hidden;
  size_t begin, end;
  share(m, rows, &begin, &end);
  for (size_t i = begin * n; i < end * n; i++) out[i] = x[i] + more[i];
}

static void gate_rows(const member *m, const aq_step *step, const float *x, size_t rows, float *out) {
  const aq_gate gate = aq_step_gate(step, m->f->config, m->f->kernels);
  size_t begin, end;
  share(m, rows, &begin, &end);
  for (size_t i = begin; i < end; i++) aq_gate_forward(&gate, x + i * 2 * gate.n, out + i * gate.n);
}

/* Turns query and key of head h by the positions of a text's tokens. */
static void turn_head(const member *m, bool is_local, size_t tokens, size_t h, float *qkv) {
  const size_t values = m->f->config->attention, width = values / m->f->config->heads;
  const aq_rope *rope = &m->f->weights->rope[is_local];
  const float *angles = m->f->space->angles + (is_local ? m->f->group->tokens * width : 0);
  for (size_t t = 0; t < tokens; t++, qkv += 3 * values) {
    aq_rope_turn(rope, angles + t * width, qkv + h * width);
    aq_rope_turn(rope, angles + t * width, qkv + values + h * width);
  }
}

static void attend(const member *m, uint32_t layer) {
  const aq_model_config *c = m->f->config;
  const aq_group *g = m->f->group;
  const bool is_local = c->is_local[layer];
  float *qkv = m->f->space->qkv;
  float *context = m->f->space->context;
  size_t turn = 0;
  for (size_t text = 0; text < g->texts; text++) {
    for (size_t h = 0; h < c->heads; h++, turn++) {
      if (turn % m->f->team->size != m->index) continue;
      if (c->theta[0] > 0) turn_head(m, is_local, g->lengths[text], h, qkv);
      aq_head head = aq_attention_head(c, qkv, g->lengths[text], h, context);
      if (is_local) head.reach = c->window;
      head.relative = aq_position_bias_of(&m->f->weights->relative, h);
      aq_head_distances distances;
      if (c->distances.rows > 0) {
        distances = aq_disentangled_of(&m->f->weights->distances, layer, h);
        head.distances = &distances;
      }
      aq_attention_run(&head, m->f->kernels, m->own);
    }
    qkv += (size_t)g->lengths[text] * 3 * c->attention;
    context += (size_t)g->lengths[text] * c->attention;
  }
}

/* ---- a layer ---- */

/* Whether a step's output is of a block of tokens only, and no activation function's, which works in place. */
static bool writes_block(const aq_step *step) {
  const bool in_turns = step->kind == AQ_STEP_LINEAR || step->kind == AQ_STEP_NORM || step->kind == AQ_STEP_GATE ||
                        step->kind == AQ_STEP_GATE_LAST;
  return in_turns && step->out != AQ_SLOT_QKV;
}

/* An activation's rows from token `first` on. What the next step reads at once is of a block only: steps write to two
 * of them in turns. A sum gives its output in the place of its residual. */
static float *rows_of(const member *m, aq_slot slot, size_t first) {
  const aq_group_space *s = m->f->space;
  const size_t values = m->f->config->attention;
  if (slot == AQ_SLOT_QKV) return s->qkv + first * 3 * values;
  if (slot == AQ_SLOT_CONTEXT) return s->context + first * values;
  size_t blocks = 0;
  for (size_t i = 0; i < m->steps->count; i++) {
    const aq_step *step = &m->steps->step[i];
    blocks += writes_block(step);
    if (step->out == slot && step->kind != AQ_STEP_ADD_NORM && step->kind != AQ_STEP_ADD) return s->block[blocks % 2];
  }
  return s->hidden + first * m->f->config->hidden;
}

/* An activation function goes with the product before it, while its outputs are in the cache. */
static void run_step(const member *m, uint32_t layer, size_t number, size_t first, size_t rows) {
  const aq_step *s = &m->steps->step[number];
  const float *x = rows_of(m, s->in, first);
  float *y = rows_of(m, s->out, first);
  switch (s->kind) {
    case AQ_STEP_LINEAR: {
      const bool active = number + 1 < m->steps->count && s[1].kind == AQ_STEP_ACTIVATION;
      const aq_linear *linear = aq_weights_linear(m->f->weights, layer, s->role);
      product(m, linear, x, rows, active ? m->f->config->activation : NULL, y);
      break;
    }
    case AQ_STEP_ADD_NORM:
      add_and_norm(m, aq_weights_norm(m->f->weights, layer, s->role), rows_of(m, s->residual, first), x, rows, y);
      break;
    case AQ_STEP_NORM:
      norm_rows(m, aq_weights_norm(m->f->weights, layer, s->role), x, rows, y);
      break;
    case AQ_STEP_GATE:
    case AQ_STEP_GATE_LAST:
      gate_rows(m, s, x, rows, y);
      break;
    case AQ_STEP_ADD:
      add_rows(m, rows_of(m, s->residual, first), x, rows, y);
      break;
    case AQ_STEP_ACTIVATION: /* with the product before it */
    case AQ_STEP_ATTENTION:  /* over whole texts */
      break;
  }
}

/* Steps [begin, end), which treat each token by itself, block by block. A single step has nothing of a block that the
 * next block could overwrite too early. Where a stop is requested the members go on to wait for each other, because
 * they do not learn of it at the same step, but compute nothing. */
static void run_blocks(const member *m, uint32_t layer, size_t begin, size_t end) {
  const size_t tokens = m->f->group->tokens;
  for (size_t first = 0; first < tokens; first += AQ_BLOCK_ROWS) {
    const size_t rows = AQ_MIN(tokens - first, AQ_BLOCK_ROWS);
    const bool waits = end - begin > 1 || first + rows == tokens;
    for (size_t i = begin; i < end; i++) {
      if (m->steps->step[i].kind == AQ_STEP_ACTIVATION) continue;
      if (!aq_stop_ask(m->own->stop)) run_step(m, layer, i, first, rows);
      if (waits) wait_for_all(m);
    }
  }
}

static void run_layer(const member *m, uint32_t layer) {
  run_blocks(m, layer, 0, m->steps->attention);
  attend(m, layer);
  wait_for_all(m);
  run_blocks(m, layer, m->steps->attention + 1, m->steps->count);
}

/* ---- from tokens to embeddings ---- */

/* The first hidden states. What is projected is in the place of query, key and value meanwhile. */
static void embed(const member *m) {
  const aq_group_space *s = m->f->space;
  const aq_model_config *c = m->f->config;
  embed_tokens(m, c->projects ? s->qkv : s->hidden);
  find_angles(m);
  wait_for_all(m);
  if (!c->projects) return;
  product(m, &m->f->weights->projection, s->qkv, m->f->group->tokens, NULL, s->hidden);
  wait_for_all(m);
}

static void norm_last(const member *m) {
  if (m->f->weights->final_norm.gain == NULL) return;
  float *hidden = m->f->space->hidden;
  norm_rows(m, &m->f->weights->final_norm, hidden, m->f->group->tokens, hidden);
  wait_for_all(m);
}

static void pool_texts(const member *m) {
  const aq_group *g = m->f->group;
  const aq_model_config *c = m->f->config;
  const bool more = aq_embedding_has_modules(c);
  float *const pooled = m->own->pooled, *const spare = pooled + aq_embedding_widest(c);
  const float *x = m->f->space->hidden;
  for (size_t text = 0; text < g->texts; text++, x += g->lengths[text - 1] * c->hidden) {
    if (text % m->f->team->size != m->index) continue;
    (void)aq_pooling_run(c, x, g->lengths[text], more ? pooled : g->out[text]);
    if (more) aq_embedding_finish(c, m->f->weights, m->f->kernels, pooled, spare, g->out[text]);
  }
}

void aq_forward_run(const aq_forward *f, uint32_t index, aq_thread_space *own) {
  const member m = {f, aq_layer_steps_of(f->model), index, own};
  embed(&m);
  for (uint32_t pass = 0; pass < f->config->passes; pass++) {
    for (uint32_t i = 0; i < f->weights->layer_count; i++) run_layer(&m, i);
  }
  norm_last(&m);
  pool_texts(&m);
}
