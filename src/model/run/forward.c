/* forward.c - a group of texts through the encoder: BERT's layers, each step a function.
 *
 * All members of a team run this code; a step is cut by tokens, by outputs of a product or by heads, and what was
 * written is read only after everybody arrived. A team of one waits for nobody. Results do not depend on how a step is
 * cut: an output is one sum, whoever makes it. */
#include "model/run/forward.h"

#include "core/compiler.h"
#include "model/nn/attention.h"
#include "model/nn/panels.h"
#include "model/nn/pooling.h"
#include "model/nn/position.h"

typedef struct member {
  const aq_forward *f;
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

/* x = norm(x + more), row by row. */
static void add_and_norm(const member *m, const aq_norm *norm, const float *more, size_t rows, float *x) {
  const size_t n = m->f->config->hidden;
  size_t begin, end;
  share(m, rows, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    m->f->kernels->norm_f32(x + i * n, more + i * n, n, norm->gain, norm->shift, m->f->config->epsilon, x + i * n);
  }
}

static void attend(const member *m) {
  const aq_model_config *c = m->f->config;
  const aq_group *g = m->f->group;
  const size_t hidden = c->hidden, width = hidden / c->heads;
  const float *qkv = m->f->space->qkv;
  float *out = m->f->space->context;
  size_t turn = 0;
  for (size_t text = 0; text < g->texts; text++) {
    for (size_t h = 0; h < c->heads; h++, turn++) {
      if (turn % m->f->team->size != m->index) continue;
      const float *from = qkv + h * width;
      const aq_head head = {.query = from,
                            .key = from + hidden,
                            .value = from + 2 * hidden,
                            .stride = 3 * hidden,
                            .tokens = g->lengths[text],
                            .width = width,
                            .out = out + h * width,
                            .out_stride = hidden,
                            .relative = aq_position_bias_of(&m->f->weights->relative, h)};
      aq_attention_run(&head, m->f->kernels, m->own);
    }
    qkv += g->lengths[text] * 3 * hidden;
    out += g->lengths[text] * hidden;
  }
}

/* ---- a layer ---- */

static void first_half(const member *m, const aq_layer *layer) {
  const size_t hidden = m->f->config->hidden, tokens = m->f->group->tokens;
  const aq_group_space *s = m->f->space;
  for (size_t first = 0; first < tokens; first += AQ_BLOCK_ROWS) {
    const size_t rows = AQ_MIN(tokens - first, AQ_BLOCK_ROWS);
    product(m, &layer->qkv, s->hidden + first * hidden, rows, NULL, s->qkv + first * 3 * hidden);
  }
  wait_for_all(m);
  attend(m);
  wait_for_all(m);
}

/* The rest of a layer treats each token by itself. */
static void second_half(const member *m, const aq_layer *layer, size_t first, size_t rows) {
  const aq_group_space *s = m->f->space;
  const size_t hidden = m->f->config->hidden;
  float *x = s->hidden + first * hidden;
  const float *context = s->context + first * hidden;
  product(m, &layer->attention_out, context, rows, NULL, s->narrow);
  wait_for_all(m);
  add_and_norm(m, &layer->attention_norm, s->narrow, rows, x);
  wait_for_all(m);
  product(m, &layer->up, x, rows, m->f->config->activation, s->wide);
  wait_for_all(m);
  product(m, &layer->down, s->wide, rows, NULL, s->narrow);
  wait_for_all(m);
  add_and_norm(m, &layer->ffn_norm, s->narrow, rows, x);
  wait_for_all(m);
}

/* ---- from tokens to embeddings ---- */

static void pool_texts(const member *m) {
  const aq_group *g = m->f->group;
  const float *x = m->f->space->hidden;
  for (size_t text = 0; text < g->texts; text++) {
    if (text % m->f->team->size == m->index) (void)aq_pooling_run(m->f->config, x, g->lengths[text], g->out[text]);
    x += g->lengths[text] * m->f->config->hidden;
  }
}

void aq_forward_run(const aq_forward *f, uint32_t index, aq_thread_space *own) {
  const member m = {f, index, own};
  const size_t tokens = f->group->tokens;
  embed(&m);
  wait_for_all(&m);
  for (uint32_t i = 0; i < f->weights->layer_count; i++) {
    const aq_layer *layer = &f->weights->layers[i];
    first_half(&m, layer);
    for (size_t first = 0; first < tokens; first += AQ_BLOCK_ROWS) {
      second_half(&m, layer, first, AQ_MIN(tokens - first, AQ_BLOCK_ROWS));
    }
  }
  pool_texts(&m);
}
