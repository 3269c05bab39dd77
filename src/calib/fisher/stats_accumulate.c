/* stats_accumulate.c - the products of the statistics, for all texts of a group at once.
 *
 * Of text t let K = G G^T and Q = X X^T, tokens x tokens. Then
 *
 *     sum over texts of X^T (K X) = [X_1; X_2; ...]^T [K_1 X_1; K_2 X_2; ...]
 *
 * is one product over all tokens of the group, and so are the others: each is  to += rows panels  with an operand in
 * columns (rows: width x tokens) and one in panels (model/nn/panels.h). For one linear, in three rounds of the pool:
 *
 *     1. texts:          K and Q, and from the diagonal of Q the 1 / |x|^2;
 *     2. panels:         32 columns of X or G as a panel, and (K X)^T, (Q G)^T, X^T / |x|^2 of those columns;
 *     3. blocks of `to`: the products, on and below the diagonal.
 *
 * An element of a result is the sum over the tokens of a group in their order, in FP32, and groups are added in their
 * order: neither depends on how the work is shared out. FP32 is enough. The terms of a diagonal, from which all else is
 * scaled, have one sign, so that the error of n terms added stays below n 2^-24 of it and is mostly sqrt(n) 2^-24; the
 * noise of v and of the choice of texts is thousands of times larger. */
#include "calib/fisher/stats_accumulate.h"

#include <float.h>
#include <string.h>

#include "calib/fisher/triangle_update.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "model/nn/panels.h"

#define PRODUCTS_MAX 4

/* What a linear has on one of its ends. */
typedef struct side {
  const float *values; /* tokens x width */
  size_t stride, width;
  const float *mixer; /* panels of the other side's K, at gram_at[t]; NULL: no mixing */
  float *panels;      /* of `values` */
  float *mixed;       /* (K values)^T: width x ld */
  float *grams;       /* panels of values values^T, text by text */
} side;

struct aq_accumulator {
  aq_pool *pool;
  const aq_kernels *kernels;
  size_t width, longest;
  float *memory; /* what all below point into */
  side x, g;
  float *scaled;                      /* X^T / |x|^2: width x ld */
  float *first_panels, *first_scaled; /* the same of first tokens */
  float *inverse;                     /* 1 / |x|^2 of each token */
  float *scratch;                     /* a piece for each worker */
  size_t scratch_floats;
  size_t *gram_at;
  aq_triangle_product products[PRODUCTS_MAX];
  size_t product_count;
  /* the group */
  const size_t *first;
  size_t texts, tokens, ld, text_ld;
  bool moments; /* of this linear */
  bool same_x;  /* as in the linear before */
};

/* ---- room ---- */

/* Rows of columns are an odd number of cache lines apart, so that 14 of them do not meet in one set. */
static size_t column_stride(size_t tokens) { return ((tokens + 15) / 16 | 1) * 16; }

/* Of a worker: panels of one text and a tokens x tokens product, or 32 columns of the group. */
static size_t scratch_floats(size_t tokens, size_t longest, size_t width) {
  const size_t gram = aq_panel_rows(longest) * width + longest * longest;
  return AQ_MAX(gram, AQ_PANEL * column_stride(tokens));
}

typedef struct layout {
  size_t panels, mixed, grams, inverse, scratch, total;
} layout;

/* A group may be of texts of one token, so it has as many first tokens as tokens. */
static layout layout_of(uint32_t threads, size_t tokens, size_t longest, size_t width) {
  layout l = {.panels = aq_panel_rows(width) * tokens,
              .mixed = width * column_stride(tokens),
              .grams = tokens * aq_panel_rows(longest),
              .inverse = tokens,
              .scratch = scratch_floats(tokens, longest, width)};
  l.total = 3 * l.panels + 4 * l.mixed + 2 * l.grams + l.inverse + threads * l.scratch;
  return l;
}

uint64_t aq_accumulator_bytes(uint32_t threads, size_t tokens, size_t longest, size_t width) {
  return layout_of(threads, tokens, longest, width).total * (uint64_t)sizeof(float) + tokens * sizeof(size_t);
}

aq_status aq_accumulator_create(aq_pool *pool, size_t tokens, size_t longest, size_t width, aq_accumulator **out,
                                aq_error *err) {
  const layout l = layout_of(aq_pool_threads(pool), tokens, longest, width);
  aq_accumulator *acc = aq_calloc(1, sizeof *acc);
  *out = acc;
  if (acc == NULL) return aq_fail_memory(err, sizeof *acc);
  acc->memory = aq_realloc_array(NULL, l.total, sizeof *acc->memory);
  acc->gram_at = aq_calloc(tokens, sizeof *acc->gram_at);
  if (acc->memory == NULL || acc->gram_at == NULL) {
    aq_accumulator_free(acc);
    *out = NULL;
    return aq_fail_memory(err, l.total * sizeof *acc->memory);
  }
  acc->pool = pool;
  acc->kernels = aq_kernels_get();
  acc->width = width;
  acc->longest = longest;
  acc->scratch_floats = l.scratch;
  float *at = acc->memory;
  acc->x.panels = at, at += l.panels;
  acc->g.panels = at, at += l.panels;
  acc->first_panels = at, at += l.panels;
  acc->x.mixed = at, at += l.mixed;
  acc->g.mixed = at, at += l.mixed;
  acc->scaled = at, at += l.mixed;
  acc->first_scaled = at, at += l.mixed;
  acc->x.grams = at, at += l.grams;
  acc->g.grams = at, at += l.grams;
  acc->inverse = at, at += l.inverse;
  acc->scratch = at;
  return AQ_OK;
}

void aq_accumulator_free(aq_accumulator *acc) {
  if (acc == NULL) return;
  aq_free(acc->memory);
  aq_free(acc->gram_at);
  aq_free(acc);
}

void aq_accumulator_begin(aq_accumulator *acc, const size_t *first, size_t texts) {
  acc->first = first;
  acc->texts = texts;
  acc->tokens = first[texts];
  acc->ld = column_stride(acc->tokens);
  acc->text_ld = column_stride(texts);
  acc->x.values = NULL;
  size_t at = 0;
  for (size_t t = 0; t < texts; t++) {
    const size_t n = first[t + 1] - first[t];
    acc->gram_at[t] = at;
    at += aq_panel_rows(n) * n;
  }
}

/* ---- 1: texts ---- */

static void gram_of(const aq_accumulator *acc, const side *s, size_t text, float *scratch) {
  const size_t first = acc->first[text], n = acc->first[text + 1] - first;
  const float *rows = s->values + first * s->stride;
  float *gram = scratch + aq_panel_rows(n) * s->width;
  aq_panels_put_f32(scratch, s->width, 0, n, rows, s->stride);
  aq_panels_fill_f32(scratch, s->width, n);
  const aq_dense_f32 d = {
      .m = n, .n = n, .k = s->width, .a = rows, .lda = s->stride, .panels = scratch, .c = gram, .ldc = n};
  acc->kernels->dense_f32(&d);
  aq_panels_put_transposed(s->grams + acc->gram_at[text], n, n, gram, n);
  if (s != &acc->x) return;
  for (size_t i = 0; i < n; i++) {
    const float square = gram[i * n + i];
    acc->inverse[first + i] = square > FLT_MIN ? 1 / square : 0; /* an input of zeros has no direction */
  }
}

static aq_status gram_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  aq_accumulator *acc = ctx;
  float *scratch = acc->scratch + worker * acc->scratch_floats;
  (void)err;
  if (item < acc->texts) {
    gram_of(acc, &acc->g, (size_t)item, scratch);
  } else {
    gram_of(acc, &acc->x, (size_t)item - acc->texts, scratch);
  }
  return AQ_OK;
}

/* ---- 2: panels ---- */

/* columns[i][s] = panel[s][i] */
static void turn(const float *panel, size_t k, size_t count, float *columns, size_t ld) {
  for (size_t s = 0; s < k; s++) {
    for (size_t i = 0; i < count; i++) columns[i * ld + s] = panel[s * AQ_PANEL + i];
  }
}

static void mix(const aq_accumulator *acc, const side *s, const float *columns, size_t count, float *out) {
  for (size_t t = 0; t < acc->texts; t++) {
    const size_t first = acc->first[t], n = acc->first[t + 1] - first;
    const aq_dense_f32 d = {.m = count,
                            .n = n,
                            .k = n,
                            .a = columns + first,
                            .lda = acc->ld,
                            .panels = s->mixer + acc->gram_at[t],
                            .c = out + first,
                            .ldc = acc->ld};
    acc->kernels->dense_f32(&d);
  }
}

/* Columns [at, at + count) for moments and first. */
static void scale_columns(const aq_accumulator *acc, const float *columns, size_t at, size_t count) {
  const side *x = &acc->x;
  for (size_t i = 0; i < count; i++) {
    const float *from = columns + i * acc->ld;
    float *to = acc->scaled + (at + i) * acc->ld, *to_first = acc->first_scaled + (at + i) * acc->text_ld;
    for (size_t s = 0; s < acc->tokens; s++) to[s] = from[s] * acc->inverse[s];
    for (size_t t = 0; t < acc->texts; t++) to_first[t] = to[acc->first[t]];
  }
  float *panel = acc->first_panels + at * acc->texts;
  for (size_t t = 0; t < acc->texts; t++, panel += AQ_PANEL) {
    memset(panel, 0, AQ_PANEL * sizeof *panel);
    memcpy(panel, x->values + acc->first[t] * x->stride + at, count * sizeof *panel);
  }
}

static void panel_of(const aq_accumulator *acc, const side *s, size_t at, float *scratch) {
  const size_t count = AQ_MIN(s->width - at, (size_t)AQ_PANEL);
  float *panel = s->panels + at * acc->tokens;
  const bool made = s == &acc->x && acc->same_x;
  if (!made) aq_panels_put_transposed(panel, acc->tokens, count, s->values + at, s->stride);
  float *columns = s->mixer != NULL ? scratch : s->mixed + at * acc->ld;
  turn(panel, acc->tokens, count, columns, acc->ld);
  if (s->mixer == NULL) return;
  mix(acc, s, columns, count, s->mixed + at * acc->ld);
  if (s == &acc->x && acc->moments) scale_columns(acc, columns, at, count);
}

static size_t panels_of(const side *s) { return (s->width + AQ_PANEL - 1) / AQ_PANEL; }

static aq_status panel_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_accumulator *acc = ctx;
  float *scratch = acc->scratch + worker * acc->scratch_floats;
  const size_t of_x = panels_of(&acc->x);
  (void)err;
  if (item < of_x) {
    panel_of(acc, &acc->x, (size_t)item * AQ_PANEL, scratch);
  } else {
    panel_of(acc, &acc->g, ((size_t)item - of_x) * AQ_PANEL, scratch);
  }
  return AQ_OK;
}

/* ---- 3: products ---- */

static void add_product(aq_accumulator *acc, aq_triangle_product p) { acc->products[acc->product_count++] = p; }

static aq_status run_products(aq_accumulator *acc, aq_error *err) {
  const aq_status status = aq_triangle_update(acc->pool, acc->products, acc->product_count, err);
  acc->product_count = 0;
  return status;
}

/* ---- all of it ---- */

aq_status aq_accumulator_linear(aq_accumulator *acc, const aq_tape_linear *linear, const aq_linear_stats *to,
                                aq_error *err) {
  side *x = &acc->x, *g = &acc->g;
  acc->same_x = x->values == linear->x && x->width == linear->in;
  acc->moments = to->moments != NULL;
  x->values = linear->x, x->stride = linear->x_stride, x->width = linear->in, x->mixer = g->grams;
  g->values = linear->dy, g->stride = linear->dy_stride, g->width = linear->out, g->mixer = x->grams;
  AQ_TRY(aq_pool_run(acc->pool, acc->same_x ? acc->texts : 2 * acc->texts, gram_item, acc, err));
  AQ_TRY(aq_pool_run(acc->pool, panels_of(x) + panels_of(g), panel_item, acc, err));
  add_product(acc, (aq_triangle_product){x->mixed, x->panels, acc->ld, acc->tokens, x->width, to->a});
  add_product(acc, (aq_triangle_product){g->mixed, g->panels, acc->ld, acc->tokens, g->width, to->g});
  if (acc->moments) {
    add_product(acc, (aq_triangle_product){acc->scaled, x->panels, acc->ld, acc->tokens, x->width, to->moments});
    add_product(acc, (aq_triangle_product){acc->first_scaled, acc->first_panels, acc->text_ld, acc->texts, x->width,
                                           to->first});
  }
  return run_products(acc, err);
}

static aq_status rows_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_accumulator *acc = ctx;
  (void)worker;
  (void)err;
  panel_of(acc, &acc->g, (size_t)item * AQ_PANEL, NULL);
  return AQ_OK;
}

aq_status aq_accumulator_rows(aq_accumulator *acc, const float *rows, size_t width, float *to, aq_error *err) {
  side *g = &acc->g;
  g->values = rows, g->stride = g->width = width, g->mixer = NULL;
  AQ_TRY(aq_pool_run(acc->pool, panels_of(g), rows_item, acc, err));
  add_product(acc, (aq_triangle_product){g->mixed, g->panels, acc->ld, acc->tokens, width, to});
  return run_products(acc, err);
}
