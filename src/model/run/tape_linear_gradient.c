/* tape_linear_gradient.c - dw = dy' x as a product over tokens: dy is turned over, and the columns of x become panels.
 * An item of the product is a block of rows of dw that stays in a core's cache while all panels go by. */
#include "model/run/tape_linear_gradient.h"

#include "core/compiler.h"
#include "core/error.h"
#include "kernels/kernels.h"
#include "model/nn/panels.h"
#include "model/nn/sums.h"
#include "model/nn/transpose.h"

/* Bytes of dy turned over that an item reads again for each panel. */
#define BLOCK_BYTES ((size_t)512 * 1024)
/* Rows of a tile of the kernels. */
#define TILE ((size_t)14)
#define MOST_ROWS (8 * TILE)

typedef struct gradient {
  const aq_tape_linear *linear;
  const aq_gradient_room *room;
  size_t tokens, threads;
  size_t stride;             /* of dy turned over */
  size_t panels, row_blocks; /* items of the first round: panels of x, and blocks of dy */
  size_t blocks;             /* items of the second: rows of dw */
  bool add;
  float *dw, *db;
} gradient;

/* ---- first round: both factors as the kernels want them ---- */

static void turn_block(const gradient *g, size_t item) {
  const size_t first = item * AQ_PANEL, rows = AQ_MIN(g->linear->out - first, (size_t)AQ_PANEL);
  const size_t tokens = g->tokens;
  float *turned = g->room->turned + first * g->stride;
  aq_transpose_f32(g->linear->dy + first, g->linear->dy_stride, tokens, rows, turned, g->stride);
  for (size_t i = 0; g->db != NULL && i < rows; i++) {
    const float sum = (float)aq_row_sum(turned + i * g->stride, tokens);
    g->db[first + i] = g->add ? g->db[first + i] + sum : sum;
  }
}

static aq_status prepare(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const gradient *g = ctx;
  (void)worker;
  (void)err;
  if (item < g->row_blocks) {
    turn_block(g, (size_t)item);
    return AQ_OK;
  }
  const size_t first = ((size_t)item - g->row_blocks) * AQ_PANEL, tokens = g->tokens;
  aq_panels_put_transposed(g->room->columns + first * tokens, tokens, AQ_MIN(g->linear->in - first, (size_t)AQ_PANEL),
                           g->linear->x + first, g->linear->x_stride);
  return AQ_OK;
}

/* ---- second round ---- */

/* One panel of a block: straight into dw, or by way of `part`. */
static void multiply(const gradient *g, size_t first, size_t rows, size_t panel, float *part) {
  const size_t column = panel * AQ_PANEL, columns = AQ_MIN(g->linear->in - column, (size_t)AQ_PANEL);
  float *to = g->dw + first * g->linear->in + column;
  const aq_dense_f32 d = {.m = rows,
                          .n = columns,
                          .k = g->tokens,
                          .a = g->room->turned + first * g->stride,
                          .lda = g->stride,
                          .panels = g->room->columns + column * g->tokens,
                          .c = g->add ? part : to,
                          .ldc = g->add ? AQ_PANEL : g->linear->in};
  aq_kernels_get()->dense_f32(&d);
  for (size_t i = 0; g->add && i < rows; i++) {
    for (size_t j = 0; j < columns; j++) to[i * g->linear->in + j] += part[i * AQ_PANEL + j];
  }
}

static aq_status multiply_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const gradient *g = ctx;
  const size_t first = g->linear->out * (size_t)item / g->blocks,
               rows = g->linear->out * ((size_t)item + 1) / g->blocks - first;
  float part[MOST_ROWS * AQ_PANEL];
  (void)worker;
  (void)err;
  for (size_t panel = 0; panel < g->panels; panel++) multiply(g, first, rows, panel, part);
  return AQ_OK;
}

/* Blocks of rows of dw that fit the cache; as many for every thread. */
static size_t block_count(const gradient *g) {
  const size_t threads = g->threads, fitting = BLOCK_BYTES / (g->stride * sizeof(float));
  const size_t most = AQ_MIN(AQ_MAX(fitting, TILE), MOST_ROWS), least = (g->linear->out + most - 1) / most;
  return AQ_MIN((least + threads - 1) / threads * threads, (size_t)g->linear->out);
}

/* Whole cache lines, and not a power of two, at which columns would displace each other. */
static size_t turned_stride(size_t tokens) { return ((tokens + 15) / 16 | 1) * 16; }

size_t aq_gradient_turned_floats(size_t out, size_t tokens) { return out * turned_stride(tokens); }

size_t aq_gradient_column_floats(size_t in, size_t tokens) { return aq_panel_rows(in) * tokens; }

aq_status aq_linear_gradient(const aq_tape_linear *linear, size_t tokens, const aq_gradient_room *room, bool add,
                             float *dw, float *db, aq_pool *pool, aq_error *err) {
  gradient g = {.linear = linear,
                .room = room,
                .tokens = tokens,
                .threads = aq_pool_threads(pool),
                .stride = turned_stride(tokens),
                .panels = aq_panel_rows(linear->in) / AQ_PANEL,
                .row_blocks = aq_panel_rows(linear->out) / AQ_PANEL,
                .add = add,
                .dw = dw,
                .db = db};
  g.blocks = block_count(&g);
  AQ_TRY(aq_pool_run(pool, g.row_blocks + g.panels, prepare, &g, err));
  return aq_pool_run(pool, g.blocks, multiply_block, &g, err);
}
