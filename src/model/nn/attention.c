/* attention.c - attention of one head over one text: two dense products around a softmax, for a block of queries at a
 * time, so that memory grows with the length of a text and not with its square. Its derivative goes the same way:
 *
 *     p = softmax(s (q k' + biases)), out = p v, s = 1 / sqrt(divisor)
 *     d_v = p' d_out;  d_p = d_out v';  d_s = s p (d_p - row sums of p d_p);  d_q = d_s k;  d_k = d_s' q */
#include "model/nn/attention.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/compiler.h"
#include "model/nn/alibi.h"
#include "model/nn/panels.h"
#include "model/nn/position_bias.h"
#include "model/nn/sums.h"
#include "model/nn/transpose.h"

static_assert(AQ_QUERY_ROWS <= AQ_DISTANCE_BLOCK, "a block of queries has the room of one with distances");

size_t aq_attention_floats(size_t width, size_t tokens) {
  return aq_panel_rows(tokens) * width + aq_panel_rows(width) * tokens + AQ_QUERY_ROWS * tokens;
}

aq_thread_space aq_attention_space(float *scratch, size_t width, size_t tokens) {
  float *values = scratch + aq_panel_rows(tokens) * width;
  return (aq_thread_space){
      .keys = scratch, .values = values, .scores = values + aq_panel_rows(width) * tokens, .longest = tokens};
}

aq_head aq_attention_head(const aq_model_config *c, const float *qkv, size_t tokens, size_t h, float *context) {
  const size_t values = c->attention, width = values / c->heads;
  const float *from = qkv + h * width;
  return (aq_head){.query = from,
                   .key = from + values,
                   .value = from + 2 * values,
                   .stride = 3 * values,
                   .tokens = tokens,
                   .width = width,
                   .out = context + h * width,
                   .out_stride = values,
                   .slope = c->has_alibi ? aq_alibi_slope(c->heads, (uint32_t)h) : 0,
                   .divisor = c->score_divisor,
                   .reach = SIZE_MAX};
}

/* The scores of query `at` with all n keys become weights: those of keys out of reach are zero. */
static void weigh_keys(const aq_head *head, const aq_kernels *kernels, size_t at, size_t n, float scale, float *row) {
  if (head->relative != NULL) aq_position_bias_add(head->relative, at, n, row);
  if (head->slope > 0) aq_alibi_add(head->slope / scale, at, n, row); /* as scores are scaled afterwards */
  const size_t begin = at > head->reach ? at - head->reach : 0;
  const size_t end = n - at > head->reach ? at + head->reach + 1 : n;
  kernels->softmax_f32(row + begin, end - begin, scale);
  memset(row, 0, begin * sizeof *row);
  memset(row + end, 0, (n - end) * sizeof *row);
}

void aq_attention_run(const aq_head *head, const aq_kernels *kernels, aq_thread_space *space) {
  const size_t n = head->tokens, width = head->width;
  const float scale = 1 / sqrtf((float)head->divisor);
  aq_panels_put_f32(space->keys, width, 0, n, head->key, head->stride);
  aq_panels_fill_f32(space->keys, width, n);
  aq_panels_put_transposed(space->values, n, width, head->value, head->stride);
  for (size_t first = 0; first < n && !aq_stop_ask(space->stop); first += AQ_QUERY_ROWS) {
    const size_t rows = AQ_MIN(n - first, AQ_QUERY_ROWS);
    const aq_dense_f32 scores = {.m = rows,
                                 .n = n,
                                 .k = width,
                                 .a = head->query + first * head->stride,
                                 .lda = head->stride,
                                 .panels = space->keys,
                                 .c = space->scores,
                                 .ldc = n};
    kernels->dense_f32(&scores);
    if (head->distances != NULL) {
      aq_disentangled_add(head->distances, kernels, scores.a, head->key, head->stride, first, rows, n, space->products,
                          space->scores);
    }
    for (size_t i = 0; i < rows; i++) weigh_keys(head, kernels, first + i, n, scale, space->scores + i * n);
    const aq_dense_f32 mix = {.m = rows,
                              .n = width,
                              .k = n,
                              .a = space->scores,
                              .lda = n,
                              .panels = space->values,
                              .c = head->out + first * head->out_stride,
                              .ldc = head->out_stride};
    kernels->dense_f32(&mix);
  }
}

/* ---- backward ---- */

/* Scratch: panels of k, v and k', three matrices of a block of queries by all tokens, panels of the block's queries or
 * of its d_out, and a block's part of d_k or d_v. */
typedef struct parts {
  float *keys, *values, *keys_turned;
  float *p, *d_p, *turned;
  float *block_panels, *sum;
} parts;

size_t aq_attention_backward_floats(size_t width, size_t tokens) {
  return 2 * aq_panel_rows(tokens) * width + aq_panel_rows(width) * (tokens + AQ_QUERY_ROWS) +
         3 * AQ_QUERY_ROWS * tokens + tokens * width;
}

static parts divide(float *scratch, size_t width, size_t tokens) {
  parts s = {.keys = scratch};
  s.values = s.keys + aq_panel_rows(tokens) * width;
  s.keys_turned = s.values + aq_panel_rows(tokens) * width;
  s.block_panels = s.keys_turned + aq_panel_rows(width) * tokens;
  s.p = s.block_panels + aq_panel_rows(width) * AQ_QUERY_ROWS;
  s.d_p = s.p + AQ_QUERY_ROWS * tokens;
  s.turned = s.d_p + AQ_QUERY_ROWS * tokens;
  s.sum = s.turned + AQ_QUERY_ROWS * tokens;
  return s;
}

static void prepare(const aq_head *h, const parts *s) {
  aq_panels_put_f32(s->keys, h->width, 0, h->tokens, h->key, h->stride);
  aq_panels_fill_f32(s->keys, h->width, h->tokens);
  aq_panels_put_f32(s->values, h->width, 0, h->tokens, h->value, h->stride);
  aq_panels_fill_f32(s->values, h->width, h->tokens);
  aq_panels_put_transposed(s->keys_turned, h->tokens, h->width, h->key, h->stride);
}

/* to (tokens x width, h->stride apart) = m' rows, or that added; m: rows x tokens. */
static void add_product(const aq_head *h, const aq_kernels *kernels, const parts *s, const float *m, const float *from,
                        size_t stride, size_t rows, bool add, float *to) {
  aq_transpose_f32(m, h->tokens, rows, h->tokens, s->turned, rows);
  aq_panels_put_transposed(s->block_panels, rows, h->width, from, stride);
  const aq_dense_f32 d = {.m = h->tokens,
                          .n = h->width,
                          .k = rows,
                          .a = s->turned,
                          .lda = rows,
                          .panels = s->block_panels,
                          .c = add ? s->sum : to,
                          .ldc = add ? h->width : h->stride};
  kernels->dense_f32(&d);
  for (size_t t = 0; add && t < h->tokens; t++) {
    for (size_t i = 0; i < h->width; i++) to[t * h->stride + i] += s->sum[t * h->width + i];
  }
}

/* d_p becomes d_s, which is zero where p is: at keys out of reach. */
static void softmax_backward(const float *p, size_t n, float scale, float *d_p) {
  const float along = (float)aq_row_dot(p, d_p, n);
  for (size_t i = 0; i < n; i++) d_p[i] = scale * p[i] * (d_p[i] - along);
}

static void run_block(const aq_head_backward *g, const aq_kernels *kernels, const parts *s, size_t first, size_t rows) {
  const aq_head *const h = &g->head;
  const size_t n = h->tokens, width = h->width;
  const float scale = 1 / sqrtf((float)h->divisor);
  const float *query = h->query + first * h->stride, *d_out = g->d_out + first * h->out_stride;
  const aq_dense_f32 scores = {
      .m = rows, .n = n, .k = width, .a = query, .lda = h->stride, .panels = s->keys, .c = s->p, .ldc = n};
  const aq_dense_f32 d_weights = {
      .m = rows, .n = n, .k = width, .a = d_out, .lda = h->out_stride, .panels = s->values, .c = s->d_p, .ldc = n};
  kernels->dense_f32(&scores);
  kernels->dense_f32(&d_weights);
  for (size_t i = 0; i < rows; i++) {
    weigh_keys(h, kernels, first + i, n, scale, s->p + i * n);
    softmax_backward(s->p + i * n, n, scale, s->d_p + i * n);
  }
  add_product(h, kernels, s, s->p, d_out, h->out_stride, rows, first > 0, g->d_value);
  add_product(h, kernels, s, s->d_p, query, h->stride, rows, first > 0, g->d_key);
  const aq_dense_f32 d_query = {.m = rows,
                                .n = width,
                                .k = n,
                                .a = s->d_p,
                                .lda = n,
                                .panels = s->keys_turned,
                                .c = g->d_query + first * h->stride,
                                .ldc = h->stride};
  kernels->dense_f32(&d_query);
}

void aq_attention_backward(const aq_head_backward *gradient, const aq_kernels *kernels, float *scratch) {
  const aq_head *const head = &gradient->head;
  const size_t tokens = head->tokens;
  const parts s = divide(scratch, head->width, tokens);
  assert(head->distances == NULL);
  prepare(head, &s);
  for (size_t first = 0; first < tokens; first += AQ_QUERY_ROWS) {
    run_block(gradient, kernels, &s, first, AQ_MIN(tokens - first, AQ_QUERY_ROWS));
  }
}
