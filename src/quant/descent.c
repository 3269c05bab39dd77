/* descent.c - coordinate descent on the codes of a matrix.
 *
 * With M = G E A, changing the error of a weight by e changes the loss by 2 M e + G_ii A_jj e^2, so a row of M says at
 * once what every change of a code by one is worth. Of a row the best change is made, and its effect on M added, until
 * none is worth it; then the next row's turn comes, from the last to the first, and all of it again in each sweep.
 *
 * M is computed for a block of rows at a time, as two products of matrices; changes within the block are added to the
 * rows of it that are still to come. Every sum has a fixed order. */
#include "quant/descent.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"

#define BLOCK_ROWS ((size_t)16)
/* A change must be worth this part of what the new error costs by itself: less is rounding of the sums. */
#define LEAST_GAIN 1e-3F
#define NEVER 1e30F
#define LANES 16

/* What a worker needs for a block of rows. */
struct scratch {
  float *mixed;                    /* BLOCK_ROWS x cols: G E */
  float *moment;                   /* BLOCK_ROWS x cols: M */
  float *up, *down, *gains, *step; /* cols: of the row that is changed */
};

struct descending {
  const aq_descent *d;
  const aq_kernels *kernels;
  int8_t *codes;
  float *errors;                      /* rows x cols */
  float up_bits[256], down_bits[256]; /* price of the code above, and below, less that of the code itself */
  struct scratch *scratch;            /* of each worker */
};

/* ---- errors ---- */

static bool is_cut(const aq_descent *d, float w, float scale) {
  return w > ((float)d->qmax + 0.5F) * scale || w < ((float)d->qmin - 0.5F) * scale;
}

static void find_errors(struct descending *r) {
  const aq_descent *d = r->d;
  for (size_t i = 0; i < d->rows * d->cols; i++) {
    const float scale = d->scales[i / d->span];
    r->errors[i] = is_cut(d, d->w[i], scale) ? 0 : d->w[i] - (float)r->codes[i] * scale;
  }
}

static void find_prices(struct descending *r) {
  const aq_descent *d = r->d;
  const int32_t count = d->qmax - d->qmin + 1;
  for (int32_t q = 0; q < count; q++) {
    const bool priced = d->price > 0;
    r->up_bits[q] = q + 1 == count ? NEVER : priced ? d->price * (d->code_bits[q + 1] - d->code_bits[q]) : 0;
    r->down_bits[q] = q == 0 ? NEVER : priced ? d->price * (d->code_bits[q - 1] - d->code_bits[q]) : 0;
  }
}

/* ---- one row ---- */

/* The least of the values, n > 0, and the first place of it. */
static float least_of(const float *restrict v, size_t n, size_t *at) {
  float lane[LANES];
  size_t i = 0;
  for (size_t k = 0; k < LANES; k++) lane[k] = INFINITY;
  for (; i + LANES <= n; i += LANES) {
    for (size_t k = 0; k < LANES; k++) lane[k] = v[i + k] < lane[k] ? v[i + k] : lane[k];
  }
  float least = INFINITY;
  for (; i < n; i++) least = v[i] < least ? v[i] : least;
  for (size_t k = 0; k < LANES; k++) least = lane[k] < least ? lane[k] : least;
  size_t found = 0;
  while (found + 1 < n && v[found] != least) found++;
  *at = found;
  return least;
}

/* What each code of a row costs besides what M says when it goes up and when it goes down. */
static void price_code(const struct descending *r, float own, size_t at, size_t j, struct scratch *s) {
  const aq_descent *d = r->d;
  const float scale = s->step[j];
  const float error = own * d->inputs[j * d->cols + j] * scale * scale * (1 + LEAST_GAIN);
  const int32_t q = r->codes[at + j] - d->qmin;
  const bool fixed = scale <= 0 || is_cut(d, d->w[at + j], scale);
  s->up[j] = fixed ? NEVER : error + r->up_bits[q];
  s->down[j] = fixed ? NEVER : error + r->down_bits[q];
}

static void find_gains(size_t n, const float *restrict up, const float *restrict down, const float *restrict step,
                       const float *restrict moment, float *restrict gains) {
  for (size_t j = 0; j < n; j++) {
    const float slope = 2 * step[j] * moment[j], higher = up[j] - slope, lower = down[j] + slope;
    gains[j] = higher < lower ? higher : lower;
  }
}

static void add_scaled(size_t n, float factor, const float *restrict x, float *restrict y) {
  for (size_t j = 0; j < n; j++) y[j] += factor * x[j];
}

/* Row `row` of the block that begins at `first`. */
static void descend_row(const struct descending *r, size_t first, size_t row, struct scratch *s) {
  const aq_descent *d = r->d;
  const size_t n = d->cols, i = first + row, at = i * n;
  const float own = d->outputs != NULL ? d->outputs[i * d->rows + i] : d->row_weight[i];
  float *const moment = s->moment + row * n;
  for (size_t j = 0; j < n; j++) {
    s->step[j] = d->scales[(at + j) / d->span];
    price_code(r, own, at, j, s);
  }
  for (size_t changes = 0; changes < n; changes++) {
    size_t j;
    find_gains(n, s->up, s->down, s->step, moment, s->gains);
    if (!(least_of(s->gains, n, &j) < 0)) return;
    const bool up = s->up[j] - 2 * s->step[j] * moment[j] < s->down[j] + 2 * s->step[j] * moment[j];
    const float change = up ? -s->step[j] : s->step[j];
    r->codes[at + j] = (int8_t)(r->codes[at + j] + (up ? 1 : -1));
    r->errors[at + j] = d->w[at + j] - (float)r->codes[at + j] * s->step[j];
    price_code(r, own, at, j, s);
    add_scaled(n, own * change, d->inputs + j * n, moment);
    for (size_t k = 0; d->outputs != NULL && k < row; k++) {
      add_scaled(n, d->outputs[i * d->rows + first + k] * change, d->inputs + j * n, s->moment + k * n);
    }
  }
}

/* ---- blocks ---- */

static void find_moments(const struct descending *r, size_t first, size_t rows, struct scratch *s) {
  const aq_descent *d = r->d;
  const size_t n = d->cols;
  const float *mixed = r->errors + first * n;
  if (d->outputs != NULL) {
    memset(s->mixed, 0, rows * n * sizeof *s->mixed);
    const aq_rank_update u = {.m = rows,
                              .n = n,
                              .k = d->rows,
                              .a = d->outputs + first * d->rows,
                              .a_row = d->rows,
                              .a_step = 1,
                              .b = r->errors,
                              .ldb = n,
                              .c = s->mixed,
                              .ldc = n};
    r->kernels->rank_update_f32(&u);
    mixed = s->mixed;
  }
  memset(s->moment, 0, rows * n * sizeof *s->moment);
  const aq_rank_update u = {.m = rows,
                            .n = n,
                            .k = n,
                            .a = mixed,
                            .a_row = n,
                            .a_step = 1,
                            .b = d->inputs,
                            .ldb = n,
                            .c = s->moment,
                            .ldc = n};
  r->kernels->rank_update_f32(&u);
  for (size_t i = 0; d->outputs == NULL && i < rows; i++) {
    for (size_t j = 0; j < n; j++) s->moment[i * n + j] *= d->row_weight[first + i];
  }
}

/* Block 0 is the last one. */
static aq_status descend_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const struct descending *r = ctx;
  const size_t blocks = (size_t)aq_div_up(r->d->rows, BLOCK_ROWS), first = (blocks - 1 - (size_t)item) * BLOCK_ROWS;
  const size_t rows = AQ_MIN(r->d->rows - first, BLOCK_ROWS);
  struct scratch *s = &r->scratch[worker];
  (void)err;
  find_moments(r, first, rows, s);
  for (size_t row = rows; row-- > 0;) descend_row(r, first, row, s);
  return AQ_OK;
}

/* ---- the whole ---- */

static void close_descent(struct descending *r, size_t workers) {
  for (size_t i = 0; i < workers && r->scratch != NULL; i++) aq_free(r->scratch[i].mixed);
  aq_free(r->scratch);
  aq_free(r->errors);
}

static bool open_descent(struct descending *r, size_t workers) {
  const size_t n = r->d->cols, block = BLOCK_ROWS * n;
  r->scratch = aq_calloc(workers, sizeof *r->scratch);
  r->errors = aq_realloc_array(NULL, r->d->rows * n, sizeof *r->errors);
  if (r->scratch == NULL || r->errors == NULL) return false;
  for (size_t i = 0; i < workers; i++) {
    struct scratch *s = &r->scratch[i];
    s->mixed = aq_calloc(2 * block + 4 * n, sizeof(float));
    if (s->mixed == NULL) return false;
    s->moment = s->mixed + block;
    s->up = s->moment + block;
    s->down = s->up + n;
    s->gains = s->down + n;
    s->step = s->gains + n;
  }
  return true;
}

aq_status aq_descent_run(const aq_descent *descent, aq_pool *pool, int8_t *codes, aq_error *err) {
  if (descent->rows == 0 || descent->cols == 0) return AQ_OK;
  struct descending r = {.d = descent, .kernels = aq_kernels_get(), .codes = codes};
  const bool parallel = pool != NULL && descent->outputs == NULL;
  const size_t workers = parallel ? aq_pool_threads(pool) : 1;
  const uint64_t blocks = aq_div_up(descent->rows, BLOCK_ROWS);
  aq_status status = AQ_OK;
  if (!open_descent(&r, workers)) {
    close_descent(&r, workers);
    return aq_fail_memory(err, descent->rows * descent->cols * sizeof(float));
  }
  find_errors(&r);
  find_prices(&r);
  if (parallel) status = aq_pool_run(pool, blocks, descend_block, &r, err);
  const uint32_t sweeps = parallel ? 0 : descent->outputs == NULL ? 1 : descent->sweeps;
  for (uint32_t sweep = 0; sweep < sweeps; sweep++) {
    for (uint64_t item = 0; item < blocks && status == AQ_OK; item++) status = descend_block(&r, item, 0, err);
  }
  close_descent(&r, workers);
  return status;
}
