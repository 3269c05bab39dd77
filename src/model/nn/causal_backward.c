/* causal_backward.c - a block of queries at a time, as the forward pass goes, so that memory grows with the length of a
 * text and not with its square:
 *
 *     p = softmax(scale q k'), out = p v
 *     d_v = p' d_out;  d_p = d_out v';  d_s = scale p (d_p - row sums of p d_p);  d_q = d_s k;  d_k = d_s' q
 *
 * Rows of a block see different keys. p and d_s are zero where a row does not see a key, which changes no sum. */
#include "model/nn/causal_backward.h"

#include <string.h>

#include "core/compiler.h"
#include "model/nn/panels.h"
#include "model/nn/sums.h"
#include "model/nn/transpose.h"

/* Queries whose scores are held at a time. */
#define BLOCK ((size_t)56)

/* Scratch: panels of k, v and k'; three matrices of a block of queries by all tokens; panels of the block's queries or
 * of its d_out; a block's part of d_k or d_v. */
typedef struct parts {
  float *keys, *values, *keys_turned;
  float *p, *d_s, *turned;
  float *block_panels, *sum;
} parts;

/* Tokens [first, first + rows) of head `head`. They see keys of [begin, begin + keys), begin at a panel's beginning. */
typedef struct block {
  size_t head, first, rows, begin, keys;
} block;

size_t aq_causal_backward_floats(size_t width, size_t tokens) {
  return 2 * aq_panel_rows(tokens) * width + aq_panel_rows(width) * (tokens + BLOCK) + 3 * BLOCK * tokens +
         tokens * width;
}

static parts divide(float *scratch, size_t width, size_t tokens) {
  parts s = {.keys = scratch};
  s.values = s.keys + aq_panel_rows(tokens) * width;
  s.keys_turned = s.values + aq_panel_rows(tokens) * width;
  s.block_panels = s.keys_turned + aq_panel_rows(width) * tokens;
  s.p = s.block_panels + aq_panel_rows(width) * BLOCK;
  s.d_s = s.p + BLOCK * tokens;
  s.turned = s.d_s + BLOCK * tokens;
  s.sum = s.turned + BLOCK * tokens;
  return s;
}

static void put_keys(const aq_causal_backward *g, const parts *s) {
  aq_panels_put_f32(s->keys, g->width, 0, g->tokens, g->key, g->stride);
  aq_panels_fill_f32(s->keys, g->width, g->tokens);
  aq_panels_put_f32(s->values, g->width, 0, g->tokens, g->value, g->stride);
  aq_panels_fill_f32(s->values, g->width, g->tokens);
  aq_panels_put_transposed(s->keys_turned, g->tokens, g->width, g->key, g->stride);
  for (size_t t = 0; t < g->tokens; t++) {
    memset(g->d_key + t * g->stride, 0, g->width * sizeof(float));
    memset(g->d_value + t * g->stride, 0, g->width * sizeof(float));
  }
}

/* The first position that the token at a position sees. */
static size_t first_seen(const aq_causal_backward *g, size_t position) {
  return position >= g->window ? position + 1 - g->window : 0;
}

/* A row of p, and of d_p what becomes d_s. */
static void softmax_row(const aq_causal_backward *g, const aq_kernels *kernels, const block *b, size_t position,
                        float *p, float *d_s) {
  const size_t from = first_seen(g, position) - b->begin, n = position + 1 - b->begin - from;
  kernels->softmax_f32(p + from, n, g->scale);
  const float along = (float)aq_row_dot(p + from, d_s + from, n);
  for (size_t i = from; i < from + n; i++) d_s[i] = g->scale * p[i] * (d_s[i] - along);
  float *const rows[] = {p, d_s};
  for (size_t i = 0; i < AQ_COUNT_OF(rows); i++) {
    memset(rows[i], 0, from * sizeof(float));
    memset(rows[i] + from + n, 0, (b->keys - from - n) * sizeof(float));
  }
}

/* Rows of `to`, a row a key that the block sees, += m' from. m: rows x keys. */
static void add_product(const aq_causal_backward *g, const aq_kernels *kernels, const parts *s, const block *b,
                        const float *m, const float *from, size_t stride, float *to) {
  aq_transpose_f32(m, b->keys, b->rows, b->keys, s->turned, b->rows);
  aq_panels_put_transposed(s->block_panels, b->rows, g->width, from, stride);
  const aq_dense_f32 d = {.m = b->keys,
                          .n = g->width,
                          .k = b->rows,
                          .a = s->turned,
                          .lda = b->rows,
                          .panels = s->block_panels,
                          .c = s->sum,
                          .ldc = g->width};
  kernels->dense_f32(&d);
  for (size_t t = 0; t < b->keys; t++) {
    float *row = to + (b->begin + t) * g->stride;
    for (size_t i = 0; i < g->width; i++) row[i] += s->sum[t * g->width + i];
  }
}

/* A panel of keys turned over is as long as the text, which the kernels do not know: a product for each. */
static void fill_d_query(const aq_causal_backward *g, const aq_kernels *kernels, const parts *s, const block *b) {
  float *to = g->d_query + b->first * g->stride + b->head * g->width;
  for (size_t column = 0; column < g->width; column += AQ_PANEL) {
    const aq_dense_f32 d = {.m = b->rows,
                            .n = AQ_MIN(g->width - column, (size_t)AQ_PANEL),
                            .k = b->keys,
                            .a = s->d_s,
                            .lda = b->keys,
                            .panels = s->keys_turned + column * g->tokens + b->begin * AQ_PANEL,
                            .c = to + column,
                            .ldc = g->stride};
    kernels->dense_f32(&d);
  }
}

static void run_block(const aq_causal_backward *g, const aq_kernels *kernels, const parts *s, const block *b) {
  const size_t width = g->width;
  const float *query = g->query + b->first * g->stride + b->head * width;
  const float *d_out = g->d_out + b->first * g->out_stride + b->head * width;
  aq_dense_f32 d = {.m = b->rows, .n = b->keys, .k = width, .ldc = b->keys};
  d.a = query, d.lda = g->stride, d.panels = s->keys + b->begin * width, d.c = s->p;
  kernels->dense_f32(&d);
  d.a = d_out, d.lda = g->out_stride, d.panels = s->values + b->begin * width, d.c = s->d_s;
  kernels->dense_f32(&d);
  for (size_t i = 0; i < b->rows; i++) {
    softmax_row(g, kernels, b, b->first + i, s->p + i * b->keys, s->d_s + i * b->keys);
  }
  add_product(g, kernels, s, b, s->p, d_out, g->out_stride, g->d_value);
  add_product(g, kernels, s, b, s->d_s, query, g->stride, g->d_key);
  fill_d_query(g, kernels, s, b);
}

void aq_causal_backward_run(const aq_causal_backward *g, const aq_kernels *kernels, float *scratch) {
  const parts s = divide(scratch, g->width, g->tokens);
  put_keys(g, &s);
  for (size_t head = 0; head < g->heads; head++) {
    for (size_t first = 0; first < g->tokens; first += BLOCK) {
      block b = {.head = head, .first = first, .rows = AQ_MIN(g->tokens - first, BLOCK)};
      b.begin = first_seen(g, first) / AQ_PANEL * AQ_PANEL;
      b.keys = first + b.rows - b.begin;
      run_block(g, kernels, &s, &b);
    }
  }
}
