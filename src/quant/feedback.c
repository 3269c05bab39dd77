/* feedback.c - rounding with error feedback over the inputs and the outputs of a matrix.
 *
 * For i = rows-1, ..., 0 and in it j = cols-1, ..., 0:
 *   from_rows    = output_gain * sum of output_l[r][i] * error[r][j] over r = rows-1, ..., i+1
 *   from_columns = input_gain  * sum of passed[i][k] * input_l[k][j] over k = cols-1, ..., j+1
 *   u            = ((w + from_rows) + from_columns) / scale + zero_point
 *   code         = u rounded to nearest even, cut to [qmin, qmax]; or a cheaper one, when bits have a price
 *   error        = w - (code - zero_point) * scale, 0 where u was cut off
 *   passed       = error + from_rows, 0 where u was cut off
 * in float, every operation rounded once, the sums in the order given, starting from 0.
 *
 * In this order an element needs those below it in its column and those to the right in its row, nothing else. So the
 * matrix is done in tiles, from the last to the first: what comes from outside a tile is a product of matrices
 * (rank_update_f32), what comes from inside is added weight by weight. The sums keep their order, the tiles therefore
 * change no bit, and neither do threads: they share out blocks of rows, where rows are independent. */
#include "quant/feedback.h"

#include <math.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"

#define TILE_ROWS ((size_t)32)
#define TILE_COLUMNS ((size_t)32)
/* Terms of a sum that are added at one go: what they read of one tile's columns stays in the first cache. */
#define TERMS ((size_t)128)

/* What a worker needs beside the matrix, for the rows of a block. */
struct scratch {
  float *from_rows, *passed; /* TILE_ROWS x cols; of from_rows the sums, without the gain */
  float from_columns[TILE_ROWS * TILE_COLUMNS];
};

struct rounding {
  const aq_feedback *f;
  const aq_kernels *kernels;
  int8_t *codes;
  float *errors;           /* rows x cols; NULL when rows are independent */
  struct scratch *scratch; /* of each worker */
};

struct tile {
  size_t row, rows, column, columns;
};

/* The update in pieces of TERMS terms, the last ones first. */
static void pull(const aq_kernels *kernels, const aq_rank_update *whole) {
  aq_rank_update part = *whole;
  for (size_t end = whole->k; end > 0;) {
    const size_t begin = end - AQ_MIN(end, TERMS);
    part.k = end - begin;
    part.a = whole->a + begin * whole->a_step;
    part.b = whole->b + begin * whole->ldb;
    kernels->rank_update_f32(&part);
    end = begin;
  }
}

/* Adds what rows [begin, end) say about `count` rows from `row` on, in columns [column, column + columns). */
static void pull_rows(const struct rounding *r, size_t row, size_t count, size_t begin, size_t end, size_t column,
                      size_t columns, float *sums) {
  const size_t rows = r->f->rows, cols = r->f->cols;
  if (begin == end) return;
  const aq_rank_update u = {.m = count,
                            .n = columns,
                            .k = end - begin,
                            .a = r->f->output_l + begin * rows + row,
                            .a_row = 1,
                            .a_step = rows,
                            .b = r->errors + begin * cols + column,
                            .ldb = cols,
                            .c = sums + column,
                            .ldc = cols};
  pull(r->kernels, &u);
}

/* What the columns behind a tile say about it. */
static void pull_columns(const struct rounding *r, const struct tile *t, struct scratch *s) {
  const size_t cols = r->f->cols, end = t->column + t->columns;
  memset(s->from_columns, 0, sizeof s->from_columns);
  if (r->f->input_l == NULL || end == cols) return;
  const aq_rank_update u = {.m = t->rows,
                            .n = t->columns,
                            .k = cols - end,
                            .a = s->passed + end,
                            .a_row = cols,
                            .a_step = 1,
                            .b = r->f->input_l + end * cols + t->column,
                            .ldb = cols,
                            .c = s->from_columns,
                            .ldc = TILE_COLUMNS};
  pull(r->kernels, &u);
}

/* One row of a tile: what a weight passes on reaches the weights before it at once. */
struct tile_row {
  const float *w, *from_rows;
  float *from_columns, *passed, *errors; /* errors NULL: nobody asks */
  int8_t *codes;
  const float *input_l;              /* at the tile's first row and column, NULL: none */
  const float *scales, *zero_points; /* of the row */
  float loss;                        /* of a squared error, when bits have a price */
};

static int32_t code_of(float u, int32_t qmin, int32_t qmax, bool *cut) {
  const float lowest = (float)(qmin - 1), highest = (float)(qmax + 1);
  const int32_t q = (int32_t)lrintf(u > lowest ? u < highest ? u : highest : lowest);
  *cut = q < qmin || q > qmax;
  return q < qmin ? qmin : q > qmax ? qmax : q;
}

/* The cheapest of q, up to two steps nearer to zero, and zero, for a weight at u. */
static int32_t cheaper(const aq_feedback *f, float u, int32_t q, float loss) {
  if (q == 0) return 0;
  const int32_t sign = q > 0 ? 1 : -1;
  const int32_t tries[] = {q, q - sign, q - 2 * sign, 0};
  int32_t best = q;
  float least = INFINITY;
  for (size_t i = 0; i < AQ_COUNT_OF(tries); i++) {
    if (tries[i] * sign < 0) continue;
    const float off = u - (float)tries[i];
    const float cost = loss * (off * off) + f->price * f->code_bits[tries[i] - f->qmin];
    if (cost < least) {
      least = cost;
      best = tries[i];
    }
  }
  return best;
}

static void push(float passed, const float *restrict l, float *restrict from_columns, size_t n) {
  for (size_t k = 0; k < n; k++) from_columns[k] += passed * l[k];
}

static void round_row(const aq_feedback *f, size_t column, size_t columns, const struct tile_row *t) {
  for (size_t j = columns; j-- > 0;) {
    const size_t span = (column + j) / f->span;
    const float scale = t->scales[span], zero = t->zero_points != NULL ? t->zero_points[span] : 0;
    const float from_rows = f->output_gain * t->from_rows[j];
    const float x = t->w[j] + from_rows + f->input_gain * t->from_columns[j];
    bool cut;
    const float u = scale > 0 ? x / scale + zero : 0;
    int32_t q = code_of(u, f->qmin, f->qmax, &cut);
    if (f->price > 0 && !cut) q = cheaper(f, u, q, t->loss * f->column_loss[column + j] * scale * scale);
    const float error = cut ? 0 : t->w[j] - ((float)q - zero) * scale;
    const float passed = cut ? 0 : error + from_rows;
    t->codes[j] = (int8_t)q;
    t->passed[j] = passed;
    if (t->errors != NULL) t->errors[j] = error;
    if (t->input_l != NULL) push(passed, t->input_l + j * f->cols, t->from_columns, j);
  }
}

static void round_tile(const struct rounding *r, const struct tile *t, struct scratch *s) {
  const aq_feedback *f = r->f;
  const size_t cols = f->cols, spans = cols / f->span;
  pull_columns(r, t, s);
  for (size_t i = t->rows; i-- > 0;) {
    const size_t row = t->row + i, at = row * cols + t->column, here = i * cols + t->column;
    if (f->output_l != NULL) {
      pull_rows(r, row, 1, row + 1, t->row + t->rows, t->column, t->columns, s->from_rows + i * cols);
    }
    const struct tile_row one = {
        .w = f->w + at,
        .from_rows = s->from_rows + here,
        .from_columns = s->from_columns + i * TILE_COLUMNS,
        .passed = s->passed + here,
        .errors = r->errors != NULL ? r->errors + at : NULL,
        .codes = r->codes + at,
        .input_l = f->input_l != NULL ? f->input_l + t->column * cols + t->column : NULL,
        .scales = f->scales + row * spans,
        .zero_points = f->zero_points != NULL ? f->zero_points + row * spans : NULL,
        .loss = f->price > 0 ? f->row_loss[row] : 0,
    };
    round_row(f, t->column, t->columns, &one);
  }
}

static void round_rows(const struct rounding *r, size_t row, size_t rows, struct scratch *s) {
  const size_t cols = r->f->cols;
  memset(s->from_rows, 0, TILE_ROWS * cols * sizeof *s->from_rows);
  if (r->f->output_l != NULL) pull_rows(r, row, rows, row + rows, r->f->rows, 0, cols, s->from_rows);
  for (size_t end = cols; end > 0;) {
    const size_t column = (end - 1) / TILE_COLUMNS * TILE_COLUMNS;
    const struct tile t = {row, rows, column, end - column};
    round_tile(r, &t, s);
    end = column;
  }
}

/* Item 0 is the last block of rows. */
static aq_status round_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const struct rounding *r = ctx;
  const size_t blocks = (size_t)aq_div_up(r->f->rows, TILE_ROWS), row = (blocks - 1 - (size_t)item) * TILE_ROWS;
  (void)err;
  round_rows(r, row, AQ_MIN(r->f->rows - row, TILE_ROWS), &r->scratch[worker]);
  return AQ_OK;
}

static void close_rounding(struct rounding *r, size_t workers) {
  for (size_t i = 0; i < workers && r->scratch != NULL; i++) {
    aq_free(r->scratch[i].from_rows);
    aq_free(r->scratch[i].passed);
  }
  aq_free(r->scratch);
  aq_free(r->errors);
}

static bool open_rounding(struct rounding *r, size_t workers) {
  const size_t cols = r->f->cols;
  r->scratch = aq_calloc(workers, sizeof *r->scratch);
  if (r->scratch == NULL) return false;
  for (size_t i = 0; i < workers; i++) {
    r->scratch[i].from_rows = aq_calloc(cols, TILE_ROWS * sizeof(float));
    r->scratch[i].passed = aq_calloc(cols, TILE_ROWS * sizeof(float));
    if (r->scratch[i].from_rows == NULL || r->scratch[i].passed == NULL) return false;
  }
  if (r->f->output_l == NULL) return true;
  r->errors = aq_calloc(r->f->rows, cols * sizeof *r->errors);
  return r->errors != NULL;
}

aq_status aq_feedback_round(const aq_feedback *feedback, aq_pool *pool, int8_t *codes, aq_error *err) {
  if (feedback->rows == 0 || feedback->cols == 0) return AQ_OK;
  struct rounding r = {feedback, aq_kernels_get(), codes, NULL, NULL};
  const bool parallel = pool != NULL && feedback->output_l == NULL;
  const size_t workers = parallel ? aq_pool_threads(pool) : 1;
  const uint64_t blocks = aq_div_up(feedback->rows, TILE_ROWS);
  aq_status status = AQ_OK;
  if (!open_rounding(&r, workers)) {
    status = aq_fail_memory(err, (workers * TILE_ROWS * 2 + feedback->rows) * feedback->cols * sizeof(float));
  } else if (parallel) {
    status = aq_pool_run(pool, blocks, round_item, &r, err);
  } else {
    for (uint64_t item = 0; item < blocks && status == AQ_OK; item++) status = round_item(&r, item, 0, err);
  }
  close_rounding(&r, workers);
  return status;
}
