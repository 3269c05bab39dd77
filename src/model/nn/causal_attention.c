/* causal_attention.c - two dense products around a softmax, for a block of queries at a time, so that memory grows with
 * the length of a text and not with its square.
 *
 * Rows of a block see different keys. Weights of keys that a row does not see are zeros, which change no sum: a sum
 * begins at zero, and zero times a number added to it leaves it as it is. */
#include "model/nn/causal_attention.h"

#include <string.h>

#include "core/compiler.h"
#include "model/nn/panels.h"

/* Rows, each of one token and one head, whose scores are held at a time. */
#define BLOCK ((size_t)56)

/* Heads [head, head + heads) of tokens [token, token + tokens). */
typedef struct block {
  size_t head, heads, token, tokens;
  size_t begin, keys; /* first key that any row sees, at a panel's beginning, and how many are from there on */
  float *queries, *scores, *mixed;
} block;

size_t aq_causal_attention_floats(size_t width, size_t context) { return BLOCK * (2 * width + aq_panel_rows(context)); }

static size_t rows_of(const block *b) { return b->heads * b->tokens; }

/* The first position that the token at a position sees. */
static size_t first_seen(const aq_causal_group *g, size_t position) {
  return position >= g->window ? position + 1 - g->window : 0;
}

static void gather_queries(const aq_causal_group *g, const block *b) {
  const size_t width = g->cache->width;
  for (size_t i = 0; i < rows_of(b); i++) {
    const size_t head = b->head + i / b->tokens, token = b->token + i % b->tokens;
    memcpy(b->queries + i * width, g->query + token * g->stride + head * width, width * sizeof(float));
  }
}

static void weigh_keys(const aq_causal_group *g, const aq_kernels *kernels, const block *b) {
  const size_t width = g->cache->width;
  const aq_dense_f32 product = {.m = rows_of(b),
                                .n = b->keys,
                                .k = width,
                                .a = b->queries,
                                .lda = width,
                                .panels = aq_kv_cache_keys(g->cache, g->kv_head, b->begin),
                                .c = b->scores,
                                .ldc = b->keys};
  kernels->dense_f32(&product);
  for (size_t i = 0; i < rows_of(b); i++) {
    const size_t position = g->first + b->token + i % b->tokens;
    const size_t from = first_seen(g, position) - b->begin, to = position + 1 - b->begin;
    float *row = b->scores + i * b->keys;
    memset(row, 0, from * sizeof *row);
    kernels->softmax_f32(row + from, to - from, g->scale);
    memset(row + to, 0, (b->keys - to) * sizeof *row);
  }
}

/* A panel of values is as long as the cache, which the kernels do not know: a product for each. */
static void mix_values(const aq_causal_group *g, const aq_kernels *kernels, const block *b) {
  const size_t width = g->cache->width;
  for (size_t first = 0; first < width; first += AQ_PANEL) {
    const aq_dense_f32 product = {.m = rows_of(b),
                                  .n = AQ_MIN(width - first, (size_t)AQ_PANEL),
                                  .k = b->keys,
                                  .a = b->scores,
                                  .lda = b->keys,
                                  .panels = aq_kv_cache_values(g->cache, g->kv_head, first / AQ_PANEL, b->begin),
                                  .c = b->mixed + first,
                                  .ldc = width};
    kernels->dense_f32(&product);
  }
  for (size_t i = 0; i < rows_of(b); i++) {
    const size_t head = b->head + i / b->tokens, token = b->token + i % b->tokens;
    memcpy(g->out + token * g->out_stride + head * width, b->mixed + i * width, width * sizeof(float));
  }
}

void aq_causal_attention_run(const aq_causal_group *g, const aq_kernels *kernels, float *scratch) {
  const size_t width = g->cache->width, heads = AQ_MIN((size_t)g->heads, BLOCK), tokens = BLOCK / heads;
  block b = {.queries = scratch, .mixed = scratch + BLOCK * width, .scores = scratch + 2 * BLOCK * width};
  for (b.head = 0; b.head < g->heads; b.head += heads) {
    b.heads = AQ_MIN(g->heads - b.head, heads);
    for (b.token = 0; b.token < g->tokens; b.token += tokens) {
      b.tokens = AQ_MIN(g->tokens - b.token, tokens);
      b.begin = first_seen(g, g->first + b.token) / AQ_PANEL * AQ_PANEL;
      b.keys = g->first + b.token + b.tokens - b.begin;
      gather_queries(g, &b);
      weigh_keys(g, kernels, &b);
      mix_values(g, kernels, &b);
    }
  }
}
