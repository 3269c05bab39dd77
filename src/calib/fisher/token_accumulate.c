/* token_accumulate.c - sums over tokens of outer products, each with a weight: one product over all tokens of a group
 * for each matrix, of rows that are scaled and of panels that are not; and the diagonal of one by itself.
 *
 * An element of a result is the sum over the tokens of a group in their order, in FP32, and groups are added in their
 * order; stats_accumulate.c says why that is enough. */
#include "calib/fisher/token_accumulate.h"

#include <float.h>

#include "calib/fisher/triangle_update.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "model/nn/panels.h"
#include "model/nn/sums.h"

/* x or dy of a linear, or rows by themselves. */
typedef struct side {
  const float *values;
  size_t stride, width;
  const float *weights; /* of tokens, in a or g; NULL: 1 */
  float *squares;       /* of each token, |values|^2 */
} side;

struct aq_token_accumulator {
  aq_pool *pool;
  float *memory;
  side x, g;
  float *panels;   /* of x */
  float *scaled;   /* x^T by the weights: width x ld */
  float *inverse;  /* 1 / |x|^2 of each token */
  float *moments;  /* x^T / |x|^2: width x ld */
  float *diagonal; /* where g goes */
  size_t tokens, ld;
  bool same_x, with_moments;
};

/* ---- room ---- */

/* Rows of columns are an odd number of cache lines apart, so that 14 of them do not meet in one set. */
static size_t column_stride(size_t tokens) { return ((tokens + 15) / 16 | 1) * 16; }

uint64_t aq_token_accumulator_bytes(size_t tokens, size_t width) {
  return (aq_panel_rows(width) * tokens + 2 * width * column_stride(tokens) + 3 * tokens) * (uint64_t)sizeof(float);
}

aq_status aq_token_accumulator_create(aq_pool *pool, size_t tokens, size_t width, aq_token_accumulator **out,
                                      aq_error *err) {
  const size_t bytes = (size_t)aq_token_accumulator_bytes(tokens, width);
  aq_token_accumulator *acc = aq_calloc(1, sizeof *acc);
  *out = acc;
  if (acc == NULL) return aq_fail_memory(err, sizeof *acc);
  acc->memory = aq_malloc(bytes);
  if (acc->memory == NULL) {
    aq_token_accumulator_free(acc);
    *out = NULL;
    return aq_fail_memory(err, bytes);
  }
  const size_t panels = aq_panel_rows(width) * tokens, columns = width * column_stride(tokens);
  float *at = acc->memory;
  acc->pool = pool;
  acc->panels = at, at += panels;
  acc->scaled = at, at += columns;
  acc->moments = at, at += columns;
  acc->x.squares = at, at += tokens;
  acc->g.squares = at, at += tokens;
  acc->inverse = at;
  return AQ_OK;
}

void aq_token_accumulator_free(aq_token_accumulator *acc) {
  if (acc == NULL) return;
  aq_free(acc->memory);
  aq_free(acc);
}

/* ---- 1: lengths ---- */

#define TOKENS ((size_t)64) /* of an item */

static aq_status measure_tokens(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  aq_token_accumulator *acc = ctx;
  const size_t first = (size_t)item * TOKENS, end = AQ_MIN(first + TOKENS, acc->tokens);
  (void)worker;
  (void)err;
  for (size_t t = first; t < end; t++) {
    const float *x = acc->x.values + t * acc->x.stride, *g = acc->g.values + t * acc->g.stride;
    acc->g.squares[t] = (float)aq_row_dot(g, g, acc->g.width);
    if (acc->same_x) continue;
    acc->x.squares[t] = (float)aq_row_dot(x, x, acc->x.width);
    acc->inverse[t] = acc->x.squares[t] > FLT_MIN ? 1 / acc->x.squares[t] : 0; /* zeros have no direction */
  }
  return AQ_OK;
}

/* ---- 2: panels ---- */

/* columns[i][t] = panel[t][i] weights[t] */
static void turn_panel(const float *panel, const float *weights, size_t tokens, size_t count, float *columns,
                       size_t ld) {
  for (size_t t = 0; t < tokens; t++, panel += AQ_PANEL) {
    const float weight = weights != NULL ? weights[t] : 1;
    for (size_t i = 0; i < count; i++) columns[i * ld + t] = panel[i] * weight;
  }
}

/* += sum over t of weights[t] panel[t][i]^2 */
static void add_squares(const float *panel, const float *weights, size_t tokens, size_t count, float *to) {
  double sums[AQ_PANEL] = {0};
  for (size_t t = 0; t < tokens; t++, panel += AQ_PANEL) {
    for (size_t i = 0; i < count; i++) sums[i] += (double)weights[t] * (double)panel[i] * (double)panel[i];
  }
  for (size_t i = 0; i < count; i++) to[i] += (float)sums[i];
}

static size_t panels_of(const side *s) { return aq_panel_rows(s->width) / AQ_PANEL; }

static void add_to_diagonal(const aq_token_accumulator *acc, size_t at, size_t count) {
  const side *g = &acc->g;
  float panel[TOKENS * AQ_PANEL];
  for (size_t t = 0; t < acc->tokens; t += TOKENS) {
    const size_t rows = AQ_MIN(acc->tokens - t, TOKENS);
    aq_panels_put_transposed(panel, rows, count, g->values + t * g->stride + at, g->stride);
    add_squares(panel, g->weights + t, rows, count, acc->diagonal + at);
  }
}

static void fill_panel(const aq_token_accumulator *acc, size_t at, size_t count) {
  const side *x = &acc->x;
  float *panel = acc->panels + at * acc->tokens;
  if (!acc->same_x) aq_panels_put_transposed(panel, acc->tokens, count, x->values + at, x->stride);
  turn_panel(panel, x->weights, acc->tokens, count, acc->scaled + at * acc->ld, acc->ld);
  if (acc->with_moments) turn_panel(panel, acc->inverse, acc->tokens, count, acc->moments + at * acc->ld, acc->ld);
}

static aq_status take_columns(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_token_accumulator *acc = ctx;
  const bool of_x = item < panels_of(&acc->x);
  const size_t at = ((size_t)item - (of_x ? 0 : panels_of(&acc->x))) * AQ_PANEL;
  const size_t count = AQ_MIN((of_x ? &acc->x : &acc->g)->width - at, (size_t)AQ_PANEL);
  (void)worker;
  (void)err;
  if (of_x) {
    fill_panel(acc, at, count);
  } else {
    add_to_diagonal(acc, at, count);
  }
  return AQ_OK;
}

/* ---- all of it ---- */

static aq_triangle_product product_of(const aq_token_accumulator *acc, const float *rows, float *to) {
  return (aq_triangle_product){rows, acc->panels, acc->ld, acc->tokens, acc->x.width, to};
}

static void begin_sums(aq_token_accumulator *acc, size_t tokens) {
  acc->tokens = tokens;
  acc->ld = column_stride(tokens);
}

aq_status aq_token_accumulator_linear(aq_token_accumulator *acc, const aq_tape_linear *linear, size_t tokens,
                                      bool same_x, const aq_linear_stats *to, aq_error *err) {
  side *x = &acc->x, *g = &acc->g;
  begin_sums(acc, tokens);
  acc->same_x = same_x;
  acc->with_moments = to->moments != NULL;
  acc->diagonal = to->g;
  x->values = linear->x, x->stride = linear->x_stride, x->width = linear->in, x->weights = g->squares;
  g->values = linear->dy, g->stride = linear->dy_stride, g->width = linear->out, g->weights = x->squares;
  AQ_TRY(aq_pool_run(acc->pool, (tokens + TOKENS - 1) / TOKENS, measure_tokens, acc, err));
  AQ_TRY(aq_pool_run(acc->pool, panels_of(x) + panels_of(g), take_columns, acc, err));
  const aq_triangle_product products[] = {product_of(acc, acc->scaled, to->a),
                                          product_of(acc, acc->moments, to->moments)};
  return aq_triangle_update(acc->pool, products, acc->with_moments ? 2 : 1, err);
}

aq_status aq_token_accumulator_rows(aq_token_accumulator *acc, const float *rows, size_t tokens, size_t width,
                                    float *to, aq_error *err) {
  side *x = &acc->x;
  begin_sums(acc, tokens);
  acc->same_x = acc->with_moments = false;
  x->values = rows, x->stride = x->width = width, x->weights = NULL;
  AQ_TRY(aq_pool_run(acc->pool, panels_of(x), take_columns, acc, err));
  const aq_triangle_product product = product_of(acc, acc->scaled, to);
  return aq_triangle_update(acc->pool, &product, 1, err);
}
