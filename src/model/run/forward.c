/* forward.c - a group of texts through the encoder: the steps of its layers (layer_steps.h), keeping nothing.
 *
 * All members of a team run this code; a step is cut by tokens, by outputs of a product or by heads, and what was
 * written is read only after everybody arrived. A team of one waits for nobody. Results do not depend on how a step is
 * cut: an output is one sum, whoever makes it. */
#include "model/run/forward.h"

#include "core/compiler.h"
#include "model/nn/attention.h"
#include "model/nn/embedding_modules.h"
#include "model/nn/panels.h"
#include "model/nn/pooling.h"
#include "model/nn/position.h"

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

/* A token and its row of the position table: norm(word + (position + type)). */
static void embed_token(const member *m, int32_t id, size_t row, float *out) {
  const aq_weights *w = m->f->weights;
  const size_t n = m->f->config->hidden;
  float *place = m->own->row + n;
  const float *word = aq_embedding_table_row(&w->words, (uint64_t)id, m->own->row_codes, m->own->row);
  const float *position = aq_embedding_table_row(&w->positions, row, m->own->row_codes, place);
  for (size_t i = 0; i < n; i++) place[i] = position[i] + w->type[i];
  m->f->kernels->norm_f32(word, place, n, w->embedding_norm.gain, w->embedding_norm.shift, m->f->config->epsilon, out);
}

static void embed(const member *m) {
  const aq_group *g = m->f->group;
  size_t begin, end, at = 0;
  share(m, g->tokens, &begin, &end);
  for (size_t text = 0; text < g->texts; text++) {
    size_t counted = 0;
    for (size_t t = 0; t < g->lengths[text]; t++, at++) {
      const size_t row = aq_position_next(m->f->config, g->ids[text][t], &counted);
      if (at < begin || at >= end) continue;
      embed_token(m, g->ids[text][t], row, m->f->space->hidden + at * m->f->config->hidden);
    }
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

static void attend(const member *m) {
  const aq_model_config *c = m->f->config;
  const aq_group *g = m->f->group;
  const float *qkv = m->f->space->qkv;
  float *context = m->f->space->context;
  size_t turn = 0;
  for (size_t text = 0; text < g->texts; text++) {
    for (size_t h = 0; h < c->heads; h++, turn++) {
      if (turn % m->f->team->size != m->index) continue;
      aq_head head = aq_attention_head(c, qkv, g->lengths[text], h, context);
      head.relative = aq_position_bias_of(&m->f->weights->relative, h);
      aq_attention_run(&head, m->f->kernels, m->own);
    }
    qkv += (size_t)g->lengths[text] * 3 * c->hidden;
    context += (size_t)g->lengths[text] * c->hidden;
  }
}

/* ---- a layer ---- */

/* An activation's rows from token `first` on. What a step behind attention reads at once is of a block only: linears
 * write to two of them in turns, and an activation function works in place. A norm gives its output in the place of its
 * residual. */
static float *rows_of(const member *m, aq_slot slot, size_t first) {
  const aq_group_space *s = m->f->space;
  const size_t hidden = m->f->config->hidden;
  if (slot == AQ_SLOT_QKV) return s->qkv + first * 3 * hidden;
  if (slot == AQ_SLOT_CONTEXT) return s->context + first * hidden;
  size_t linears = 0;
  for (size_t i = 0; i < m->steps->count; i++) {
    const aq_step *step = &m->steps->step[i];
    linears += step->kind == AQ_STEP_LINEAR;
    if (step->out == slot && step->kind != AQ_STEP_ADD_NORM) return s->block[linears % 2];
  }
  return s->hidden + first * hidden;
}

/* An activation function goes with the product before it, while its outputs are in the cache. */
static void run_step(const member *m, uint32_t layer, size_t number, size_t first, size_t rows) {
  const aq_step *s = &m->steps->step[number];
  const float *x = rows_of(m, s->in, first);
  float *y = rows_of(m, s->out, first);
  if (s->kind == AQ_STEP_LINEAR) {
    const bool active = number + 1 < m->steps->count && s[1].kind == AQ_STEP_ACTIVATION;
    product(m, aq_weights_linear(m->f->weights, layer, s->role), x, rows, active ? m->f->config->activation : NULL, y);
  } else if (s->kind == AQ_STEP_ADD_NORM) {
    add_and_norm(m, aq_weights_norm(m->f->weights, layer, s->role), rows_of(m, s->residual, first), x, rows, y);
  }
}

/* Steps [begin, end), which treat each token by itself, block by block. A single step has nothing of a block that the
 * next block could overwrite too early. */
static void run_blocks(const member *m, uint32_t layer, size_t begin, size_t end) {
  const size_t tokens = m->f->group->tokens;
  for (size_t first = 0; first < tokens; first += AQ_BLOCK_ROWS) {
    const size_t rows = AQ_MIN(tokens - first, AQ_BLOCK_ROWS);
    const bool waits = end - begin > 1 || first + rows == tokens;
    for (size_t i = begin; i < end; i++) {
      if (m->steps->step[i].kind == AQ_STEP_ACTIVATION) continue;
      run_step(m, layer, i, first, rows);
      if (waits) wait_for_all(m);
    }
  }
}

static void run_layer(const member *m, uint32_t layer) {
  run_blocks(m, layer, 0, m->steps->attention);
  attend(m);
  wait_for_all(m);
  run_blocks(m, layer, m->steps->attention + 1, m->steps->count);
}

/* ---- from tokens to embeddings ---- */

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
  wait_for_all(&m);
  for (uint32_t i = 0; i < f->weights->layer_count; i++) run_layer(&m, i);
  pool_texts(&m);
}
