/* decoder_forward.c - tokens of one text, or one of each of several, through a decoder: Llama's layers, each step a
 * function.
 *
 * All members of a team run this code; a step is cut by tokens, by outputs of a product or by heads, and what was
 * written is read only after everybody arrived. Results depend neither on how a step is cut nor on which tokens come
 * together: an output is one sum, whoever makes it. */
#include "model/run/decoder_forward.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "model/nn/causal_attention.h"
#include "model/nn/panels.h"
#include "model/nn/rms_norm.h"
#include "model/nn/token_loss.h"

/* Tokens of a group that go into one task of attention. */
#define ATTENTION_TOKENS ((size_t)28)

/* A member's view of the rows that are on their way. */
typedef struct member {
  const aq_decoder_pass *p;
  uint32_t index;
  const aq_decoder_scratch *own;
  size_t from, rows; /* of the tokens of the pass */
} member;

static void wait_for_all(const member *m) { aq_team_wait(m->p->team); }

static void share(const member *m, size_t count, size_t *begin, size_t *end) {
  aq_team_share(m->p->team, m->index, count, begin, end);
}

static const aq_layer_spec *spec_of(const member *m, size_t layer) { return &m->p->model->decoder.layers[layer]; }

static size_t position_of(const member *m, size_t row) {
  return m->p->apart ? m->p->first : m->p->first + m->from + row;
}

/* Of the text that a row belongs to. */
static aq_kv_cache *cache_of(const member *m, size_t layer, size_t row) {
  return m->p->caches + (m->p->apart ? (m->from + row) * m->p->weights->layer_count : 0) + layer;
}

/* ---- steps ---- */

static void norm_row(const member *m, const float *x, const float *gain, float *out) {
  aq_rms_norm(x, m->p->model->config.hidden, gain, m->p->model->config.epsilon, out);
}

/* Rows of the table, scaled, and the angles of their positions. */
static void embed_rows(const member *m) {
  const aq_decoder_config *c = &m->p->model->decoder;
  const size_t n = m->p->model->config.hidden;
  size_t begin, end;
  share(m, m->rows, &begin, &end);
  for (size_t r = begin; r < end; r++) {
    float *to = m->p->space->hidden + r * n;
    const uint64_t id = (uint64_t)m->p->ids[m->from + r];
    const float *row = aq_embedding_table_row(&m->p->weights->tokens, id, m->own->codes, to);
    for (size_t i = 0; i < n; i++) to[i] = row[i] * c->embedding_scale;
    norm_row(m, to, m->p->weights->layers[0].attention_norm, m->p->space->normed + r * n);
    for (size_t i = 0; i < AQ_ROPES_MAX; i++) {
      const aq_rope *rope = &c->ropes[i];
      aq_rope_angles(rope, m->p->rope_sets[i], position_of(m, r), m->p->space->angles[i] + r * 2 * rope->half);
    }
  }
}

/* Codes have no NaN and no infinity: what is not finite in the input of a product is seen here or never. */
static void check_finite(const member *m, const float *x, size_t rows, size_t width) {
  size_t begin, end;
  share(m, rows, &begin, &end);
  aq_range range = aq_range_empty();
  for (size_t r = begin; r < end; r++) m->p->kernels->range_f32(x + r * width, width, &range);
  if (!aq_range_is_finite(&range)) atomic_store(m->p->nonfinite, true);
}

/* This member's outputs of a product. Returns [*first, *last). */
static void product(const member *m, const aq_linear *linear, const float *x, size_t rows, float *y, size_t *first,
                    size_t *last) {
  share(m, aq_panel_rows(linear->out) / AQ_PANEL, first, last);
  *first *= AQ_PANEL;
  *last = AQ_MIN(*last * AQ_PANEL, (size_t)linear->out);
  if (linear->codes != NULL) check_finite(m, x, rows, linear->in);
  aq_linear_run(linear, m->p->kernels, x, rows, *first, *last, &m->own->coded, y);
}

static void run_linear(const member *m, const aq_linear *linear, const float *x, float *y) {
  size_t first, last;
  product(m, linear, x, m->rows, y, &first, &last);
  wait_for_all(m);
}

/* The norm of each head, if there is one, and its position. */
static void place_heads(const member *m, const aq_layer_spec *spec, size_t row, size_t heads, const float *gain,
                        float *x) {
  const aq_decoder_config *c = &m->p->model->decoder;
  for (size_t h = 0; h < heads; h++, x += spec->width) {
    if (gain != NULL) aq_rms_norm(x, spec->width, gain, m->p->model->config.epsilon, x);
    if (spec->rope == AQ_NO_ROPE) continue;
    const aq_rope *rope = &c->ropes[spec->rope];
    aq_rope_turn(rope, m->p->space->angles[spec->rope] + row * 2 * rope->half, x);
  }
}

static void keep_keys(const member *m, size_t i) {
  const aq_layer_spec *spec = spec_of(m, i);
  const aq_decoder_layer *layer = &m->p->weights->layers[i];
  const size_t queries = (size_t)spec->heads * spec->width, keys = (size_t)spec->kv_heads * spec->width;
  size_t begin, end;
  share(m, m->rows, &begin, &end);
  for (size_t r = begin; r < end; r++) {
    float *query = m->p->space->qkv + r * (queries + 2 * keys), *key = query + queries, *value = key + keys;
    place_heads(m, spec, r, spec->heads, layer->query_norm, query);
    place_heads(m, spec, r, spec->kv_heads, layer->key_norm, key);
    for (uint32_t h = 0; h < spec->kv_heads; h++) {
      aq_kv_cache_put(cache_of(m, i, r), h, position_of(m, r), key + h * spec->width, value + h * spec->width);
    }
  }
  wait_for_all(m);
}

static void attend(const member *m, size_t i) {
  const aq_layer_spec *spec = spec_of(m, i);
  const size_t queries = (size_t)spec->heads * spec->width, group = spec->heads / spec->kv_heads;
  const size_t stride = queries + (size_t)2 * spec->kv_heads * spec->width;
  const size_t together = m->p->apart ? 1 : ATTENTION_TOKENS;
  size_t turn = 0;
  for (size_t first = 0; first < m->rows; first += together) {
    for (uint32_t h = 0; h < spec->kv_heads; h++, turn++) {
      if (turn % m->p->team->size != m->index) continue;
      const aq_causal_group g = {.cache = cache_of(m, i, first),
                                 .kv_head = h,
                                 .query = m->p->space->qkv + first * stride + h * group * spec->width,
                                 .stride = stride,
                                 .heads = (uint32_t)group,
                                 .first = position_of(m, first),
                                 .tokens = AQ_MIN(m->rows - first, together),
                                 .window = spec->window,
                                 .scale = spec->scale,
                                 .out = m->p->space->context + first * queries + h * group * spec->width,
                                 .out_stride = queries};
      aq_causal_attention_run(&g, m->p->kernels, m->own->attention);
    }
  }
  wait_for_all(m);
}

/* Adds what a block gives to the stream, through a norm if there is one, and norms the stream for the next block. */
static void add_to_stream(const member *m, const float *post_norm, const float *next_norm) {
  const aq_decoder_space *s = m->p->space;
  const size_t n = m->p->model->config.hidden;
  size_t begin, end;
  share(m, m->rows, &begin, &end);
  for (size_t r = begin; r < end; r++) {
    float *x = s->hidden + r * n, *more = s->narrow + r * n;
    if (post_norm != NULL) norm_row(m, more, post_norm, more);
    for (size_t i = 0; i < n; i++) x[i] += more[i];
    norm_row(m, x, next_norm, s->normed + r * n);
  }
  wait_for_all(m);
}

/* wide = activation(gate) * up */
static void open_gates(const member *m, const aq_layer_spec *spec) {
  const size_t n = spec->inner;
  size_t begin, end;
  share(m, n, &begin, &end);
  for (size_t r = 0; r < m->rows && begin < end; r++) {
    float *gate = m->p->space->gate_up + r * 2 * n, *up = gate + n, *wide = m->p->space->wide + r * n;
    spec->activation->apply(m->p->kernels, gate + begin, end - begin);
    for (size_t i = begin; i < end; i++) wide[i] = gate[i] * up[i];
  }
  wait_for_all(m);
}

static void run_layer(const member *m, size_t i) {
  const aq_decoder_space *s = m->p->space;
  const aq_decoder_weights *w = m->p->weights;
  const aq_decoder_layer *layer = &w->layers[i];
  run_linear(m, &layer->qkv, s->normed, s->qkv);
  keep_keys(m, i);
  attend(m, i);
  run_linear(m, &layer->attention_out, s->context, s->narrow);
  add_to_stream(m, layer->attention_post_norm, layer->ffn_norm);
  run_linear(m, &layer->gate_up, s->normed, s->gate_up);
  open_gates(m, spec_of(m, i));
  run_linear(m, &layer->down, s->wide, s->narrow);
  add_to_stream(m, layer->ffn_post_norm, i + 1 < w->layer_count ? w->layers[i + 1].attention_norm : w->final_norm);
}

/* ---- logits ---- */

static void cap_logits(float *x, size_t n, float cap) {
  for (size_t i = 0; i < n; i++) x[i] = tanhf(x[i] / cap) * cap;
}

/* Logits of some rows of states. */
static void run_head(const member *m, const float *states, size_t rows, float *out) {
  const aq_decoder_pass *p = m->p;
  const size_t vocabulary = p->model->config.vocabulary;
  size_t first, last;
  product(m, &p->weights->head, states, rows, out, &first, &last);
  for (size_t r = 0; r < rows && first < last; r++) {
    float *row = out + r * vocabulary + first;
    aq_range range = aq_range_empty();
    if (p->model->decoder.logit_cap > 0) cap_logits(row, last - first, p->model->decoder.logit_cap);
    p->kernels->range_f32(row, last - first, &range);
    if (!aq_range_is_finite(&range)) atomic_store(p->nonfinite, true);
  }
  wait_for_all(m);
}

/* Logits or states of the rows that are among the last of the pass. */
static void give_wanted(const member *m) {
  const aq_decoder_pass *p = m->p;
  const size_t begin = p->count - p->wanted, n = p->model->config.hidden;
  const size_t skip = begin > m->from ? AQ_MIN(begin - m->from, m->rows) : 0;
  if (skip == m->rows) return;
  const size_t rows = m->rows - skip, to = m->from + skip - begin;
  const float *states = p->space->normed + skip * n;
  if (p->states == NULL) {
    run_head(m, states, rows, p->logits + to * p->model->config.vocabulary);
  } else if (m->index == 0) {
    memcpy(p->states + to * n, states, rows * n * sizeof *states);
  }
}

/* Of all rows but the last of the pass, which nothing follows. Rows are shared out, so that each sum has one order. */
static void give_losses(const member *m) {
  const aq_decoder_pass *p = m->p;
  const size_t vocabulary = p->model->config.vocabulary, end = AQ_MIN(m->rows, p->count - 1 - m->from);
  for (size_t first = 0; first < end; first += AQ_DECODER_HEAD_ROWS) {
    const size_t rows = AQ_MIN(end - first, AQ_DECODER_HEAD_ROWS);
    size_t begin, last;
    run_head(m, p->space->normed + first * p->model->config.hidden, rows, p->some_logits);
    share(m, rows, &begin, &last);
    for (size_t r = begin; r < last; r++) {
      const size_t token = m->from + first + r;
      p->losses[token] = aq_token_loss(p->some_logits + r * vocabulary, vocabulary, (size_t)p->ids[token + 1]);
    }
    wait_for_all(m); /* before the logits are made anew */
  }
}

void aq_decoder_pass_run(const aq_decoder_pass *p, uint32_t index, const aq_decoder_scratch *own) {
  member m = {.p = p, .index = index, .own = own};
  for (m.from = 0; m.from < p->count; m.from += AQ_DECODER_ROWS) {
    m.rows = AQ_MIN(p->count - m.from, AQ_DECODER_ROWS);
    embed_rows(&m);
    wait_for_all(&m);
    for (size_t i = 0; i < p->weights->layer_count; i++) run_layer(&m, i);
    if (p->losses != NULL) {
      give_losses(&m);
    } else {
      give_wanted(&m);
    }
    (void)aq_stop_ask(p->stop);
    wait_for_all(&m); /* before the rows are used anew */
    if (aq_stop_requested(p->stop)) return;
  }
}

void aq_decoder_head_run(const aq_decoder_pass *p, uint32_t index, const aq_decoder_scratch *own, const float *states) {
  const member m = {.p = p, .index = index, .own = own};
  const aq_model_config *c = &p->model->config;
  for (size_t from = 0; from < p->wanted; from += AQ_DECODER_ROWS) {
    const size_t rows = AQ_MIN(p->wanted - from, AQ_DECODER_ROWS);
    run_head(&m, states + from * c->hidden, rows, p->logits + from * c->vocabulary);
  }
}
