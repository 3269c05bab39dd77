/* latents.c - Adam on the latents and steps of a quantized matrix.
 *
 * A span of the matrix is moved at once, while it is in the cache: the gradient comes in, moments, latents and values
 * go out, about 30 bytes per weight. All is plain loops over floats that a compiler makes vectors of. Spans do not
 * depend on each other, so threads do not change a result. */
#include "calib/tune/latents.h"

#include <math.h>
#include <string.h>

#include "calib/tune/adam.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

/* Values that a thread takes at a time. */
#define BLOCK_VALUES ((size_t)65536)
/* Partial sums of a product over a span. */
#define LANES 16

/* ---- roundings ---- */

/* To the nearest integer, ties to even, for |x| < 2^22: past 1.5 * 2^23 a float has no fraction. */
static float nearest(float x) { return (x + 0x1.8p23F) - 0x1.8p23F; }

static float code_of(float u, float low, float high) {
  const float x = u < low ? low : u;
  return nearest(x > high ? high : x);
}

float aq_round_mantissa(float x, uint32_t mantissa) {
  if (mantissa >= 23) return x;
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t drop = 23 - mantissa, half = UINT32_C(1) << (drop - 1);
  bits += half - 1 + ((bits >> drop) & 1);
  bits &= ~((UINT32_C(1) << drop) - 1);
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* ---- setting up ---- */

static aq_status check(const aq_tune_matrix *m, double slack, aq_error *err) {
  AQ_FAIL_IF(m->span == 0 || m->cols % m->span != 0, AQ_ERR_ARGUMENT, "spans of %zu do not divide rows of %zu", m->span,
             m->cols);
  AQ_FAIL_IF(m->qmin > m->qmax || m->qmin < INT8_MIN || m->qmax > INT8_MAX, AQ_ERR_ARGUMENT,
             "codes from %d to %d are no range within 8 bits", m->qmin, m->qmax);
  AQ_FAIL_IF(!(slack >= 0 && slack < 0.5), AQ_ERR_ARGUMENT, "the slack of latents is %g; it must be in [0, 0.5)",
             slack);
  for (size_t i = 0; i < m->rows * m->cols; i++) {
    AQ_FAIL_IF(m->codes[i] < m->qmin || m->codes[i] > m->qmax, AQ_ERR_ARGUMENT, "code %d is not within %d to %d",
               m->codes[i], m->qmin, m->qmax);
  }
  for (size_t i = 0; i < m->rows * m->cols / m->span; i++) {
    AQ_FAIL_IF(!(m->steps[i] >= 0 && m->steps[i] <= 3e38F), AQ_ERR_ARGUMENT, "step %zu is %g", i, (double)m->steps[i]);
  }
  return AQ_OK;
}

static aq_status allocate(aq_latents *l, aq_error *err) {
  const size_t n = l->count, steps = l->step_count;
  bool whole = (l->steps = aq_calloc(steps, sizeof(float))) != NULL;
  whole = whole && (l->best_steps = aq_calloc(steps, sizeof(float))) != NULL;
  whole = whole && (l->best_codes = aq_calloc(n, 1)) != NULL;
  if (l->matrix->tune_codes) {
    whole = whole && (l->u = aq_calloc(n, sizeof(float))) != NULL;
    whole = whole && (l->m = aq_calloc(n, sizeof(float))) != NULL;
    whole = whole && (l->v = aq_calloc(n, sizeof(float))) != NULL;
  }
  if (l->matrix->tune_steps) {
    whole = whole && (l->change = aq_calloc(steps, sizeof(float))) != NULL;
    whole = whole && (l->step_m = aq_calloc(steps, sizeof(float))) != NULL;
    whole = whole && (l->step_v = aq_calloc(steps, sizeof(float))) != NULL;
  }
  return whole ? AQ_OK : aq_fail_memory(err, n * sizeof(float));
}

/* A span of zeros may have step 0: its latents stay at the codes. */
static void start_span(aq_latents *l, size_t s, float slack) {
  const aq_tune_matrix *m = l->matrix;
  const float step = l->steps[s];
  for (size_t i = s * m->span; i < (s + 1) * m->span; i++) {
    const float code = (float)m->codes[i];
    l->values[i] = code * step;
    if (l->u == NULL) continue;
    const float off = step > 0 ? m->w[i] / step - code : 0;
    l->u[i] = code + (off < -slack ? -slack : off > slack ? slack : off);
  }
}

aq_status aq_latents_init(aq_latents *latents, aq_tune_matrix *matrix, float *values, double slack, uint32_t mantissa,
                          aq_error *err) {
  AQ_TRY(check(matrix, slack, err));
  const size_t count = matrix->rows * matrix->cols;
  *latents = (aq_latents){
      .matrix = matrix, .values = values, .count = count, .step_count = count / matrix->span, .mantissa = mantissa};
  const aq_status status = allocate(latents, err);
  if (status != AQ_OK) {
    aq_latents_reset(latents);
    return status;
  }
  for (size_t s = 0; s < latents->step_count; s++) {
    latents->steps[s] = matrix->tune_steps ? aq_round_mantissa(matrix->steps[s], mantissa) : matrix->steps[s];
    start_span(latents, s, (float)slack);
  }
  return AQ_OK;
}

void aq_latents_reset(aq_latents *latents) {
  float *const arrays[] = {latents->u,      latents->m,      latents->v,      latents->steps,
                           latents->change, latents->step_m, latents->step_v, latents->best_steps};
  for (size_t i = 0; i < AQ_COUNT_OF(arrays); i++) aq_free(arrays[i]);
  aq_free(latents->best_codes);
  *latents = (aq_latents){0};
}

/* ---- a step ---- */

static float dot(size_t n, const float *restrict a, const float *restrict b) {
  float lane[LANES] = {0}, sum = 0;
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (size_t j = 0; j < LANES; j++) lane[j] += a[i + j] * b[i + j];
  }
  for (; i < n; i++) sum += a[i] * b[i];
  for (size_t j = 0; j < LANES; j++) sum += lane[j];
  return sum;
}

static void move_latents(size_t n, const float *restrict dw, float step, float rate, float *restrict m,
                         float *restrict v, float *restrict u) {
  for (size_t i = 0; i < n; i++) u[i] -= rate * aq_adam_direction(dw[i] * step, &m[i], &v[i]);
}

static void put_latents(size_t n, const float *restrict u, float low, float high, float step, float *restrict values) {
  for (size_t i = 0; i < n; i++) values[i] = code_of(u[i], low, high) * step;
}

static void put_codes(size_t n, const int8_t *restrict codes, float step, float *restrict values) {
  for (size_t i = 0; i < n; i++) values[i] = (float)codes[i] * step;
}

typedef struct moving {
  aq_latents *latents;
  const float *dw;
  aq_latent_rates rates;
  size_t block; /* spans that a thread takes at a time */
} moving;

/* The gradients at latents and step are both those of the values before the step. */
static void move_span(const moving *move, size_t s) {
  const aq_latents *l = move->latents;
  const aq_tune_matrix *m = l->matrix;
  const size_t n = m->span, at = s * n;
  const float step = l->steps[s];
  if (l->change != NULL) {
    const float g = dot(n, move->dw + at, l->values + at);
    l->change[s] -= move->rates.steps * aq_adam_direction(g, &l->step_m[s], &l->step_v[s]);
    l->steps[s] = aq_round_mantissa(m->steps[s] * expf(l->change[s]), l->mantissa);
  }
  if (l->u != NULL) {
    move_latents(n, move->dw + at, step, move->rates.codes, l->m + at, l->v + at, l->u + at);
    put_latents(n, l->u + at, (float)m->qmin, (float)m->qmax, l->steps[s], l->values + at);
  } else {
    put_codes(n, m->codes + at, l->steps[s], l->values + at);
  }
}

static aq_status move_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const moving *move = ctx;
  const size_t first = (size_t)item * move->block, end = AQ_MIN(first + move->block, move->latents->step_count);
  (void)worker;
  (void)err;
  for (size_t s = first; s < end; s++) move_span(move, s);
  return AQ_OK;
}

aq_status aq_latents_step(aq_latents *latents, const float *dw, aq_latent_rates rates, aq_pool *pool, aq_error *err) {
  const size_t block = AQ_MAX(BLOCK_VALUES / latents->matrix->span, (size_t)1);
  moving move = {latents, dw, rates, block};
  return aq_pool_run(pool, aq_div_up(latents->step_count, block), move_block, &move, err);
}

/* ---- the best state ---- */

void aq_latents_keep_best(aq_latents *latents) {
  const aq_tune_matrix *m = latents->matrix;
  memcpy(latents->best_steps, latents->steps, latents->step_count * sizeof(float));
  if (latents->u == NULL) {
    memcpy(latents->best_codes, m->codes, latents->count);
    return;
  }
  for (size_t i = 0; i < latents->count; i++) {
    latents->best_codes[i] = (int8_t)code_of(latents->u[i], (float)m->qmin, (float)m->qmax);
  }
}

void aq_latents_take_best(const aq_latents *latents, float *values) {
  const aq_tune_matrix *m = latents->matrix;
  memcpy(m->steps, latents->best_steps, latents->step_count * sizeof(float));
  memcpy(m->codes, latents->best_codes, latents->count);
  for (size_t s = 0; s < latents->step_count; s++) {
    put_codes(m->span, m->codes + s * m->span, m->steps[s], values + s * m->span);
  }
}
