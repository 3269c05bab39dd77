/* fisher_factors.c - losses of rows from statistics.
 *
 * A linear layer: an error E of its weights loses tr(G E A E^T) / (2 tr A) (stats.h). With G = M diag(c) M^T and
 * A = L diag(d) L^T, M and L unit lower triangular, rounding with feedback through M and L leaves errors that are
 * nearly independent, each weighed by c_i d_j (LDLQ: Chee et al., 2023, arXiv 2307.13304, here on both sides). A row's
 * sensitivity is therefore c_i times the geometric mean of d, over 2 tr A.
 *
 * For rounding, A is mixed with moments of the inputs that do not depend on a gradient, so that directions which the
 * calibration texts happen not to use keep some weight.
 *
 * The table of words: the input of a row is a count. A row's weight is its share of the tokens, tempered by an exponent
 * below 1, as rare words matter more to the texts they are in than to the average. Positions past the longest
 * calibration text have no gradient: they get a tenth of the median. */
#include "calib/fisher/fisher_factors.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "calib/fisher/triangle.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "quant/feedback.h"

#define DAMPING 0.2      /* of the mean of the diagonal */
#define MIX_MOMENTS 0.3F /* of moments, beside a / tr a */
#define MIX_FIRST 0.1F   /* of those of first tokens, as the embedding may be made from them */
#define COUNT_EXPONENT 0.6
/* What the table weighs beside the linears: their errors are rounded away by feedback more than its own. Chosen on
 * held-out texts at 2 to 4 bits. */
#define WORDS_WEIGHT 1.7
#define COUNT_FLOOR 3e-5    /* of all tokens: a word that was not seen */
#define UNSEEN_POSITION 0.1 /* of the median over the positions that were seen */

static double geometric_mean(const float *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += log(fmax((double)x[i], 1e-30));
  return n == 0 ? 0 : exp(sum / (double)n);
}

static float *triangle(size_t n) { return aq_realloc_array(NULL, aq_triangle_row(n), sizeof(float)); }

/* L and d of a matrix, n of them. room: n x n. */
static aq_status factor(const float *matrix, size_t n, float *room, float *l, float *d, aq_error *err) {
  aq_triangle_expand(matrix, n, room);
  AQ_TRY(aq_ldl(room, n, DAMPING, room, d, err));
  aq_triangle_pack(room, n, l);
  return AQ_OK;
}

/* ---- linear layers ---- */

/* The inputs of a linear, in the place of its a. */
static void mix(aq_linear_stats *s, aq_fisher_factors *to) {
  const size_t count = aq_triangle_row(to->cols);
  to->inputs_total = fmax(aq_triangle_trace(s->a, to->cols), 1e-30);
  const float scale = (float)to->inputs_total;
  for (size_t i = 0; i < count; i++) {
    s->a[i] = s->a[i] + scale * (MIX_MOMENTS * s->moments[i] + MIX_FIRST * s->first[i]);
  }
  to->inputs = s->a;
  s->a = NULL;
}

static void begin_linear(const aq_params *p, aq_stats *stats, uint32_t weight, aq_fisher_factors *to) {
  const aq_weight *l = &p->model->weights[weight];
  *to = (aq_fisher_factors){.tensor = l->tensor,
                            .rows = l->rows,
                            .cols = l->cols,
                            .w = p->values[weight],
                            .narrow = 0.25F,
                            .wide = 4,
                            .why = "calibrated: gradients at its outputs, inputs",
                            .g = stats->linear[weight].g};
  mix(&stats->linear[weight], to);
}

static aq_status weigh_linear(aq_fisher_factors *to, float *d, float *c, float *room, aq_error *err) {
  AQ_TRY(factor(to->inputs, to->cols, room, to->input_l, d, err));
  AQ_TRY(factor(to->g, to->rows, room, to->output_l, c, err));
  const double inputs = geometric_mean(d, to->cols);
  for (size_t i = 0; i < to->rows; i++) {
    to->sensitivity[i] = (float)fmax((double)c[i] * inputs / (2 * to->inputs_total), 1e-30);
  }
  return AQ_OK;
}

static aq_status make_linear(aq_fisher_factors *to, aq_error *err) {
  const size_t widest = AQ_MAX(to->rows, to->cols);
  float *d = aq_calloc(to->cols, sizeof *d), *c = aq_calloc(to->rows, sizeof *c);
  float *room = aq_realloc_array(NULL, widest * widest, sizeof *room);
  const bool whole = d != NULL && c != NULL && room != NULL;
  const aq_status status =
      whole ? weigh_linear(to, d, c, room, err) : aq_fail_memory(err, widest * widest * sizeof *room);
  aq_free(d);
  aq_free(c);
  aq_free(room);
  return status;
}

/* ---- tables ---- */

static aq_status make_words(const aq_params *p, const aq_stats *stats, uint32_t weight, aq_fisher_factors *to,
                            aq_error *err) {
  const size_t rows = p->model->weights[weight].rows, cols = p->model->weights[weight].cols;
  *to = (aq_fisher_factors){.tensor = p->model->weights[weight].tensor,
                            .rows = rows,
                            .cols = cols,
                            .w = p->values[weight],
                            .narrow = 0.2F,
                            .wide = 2.2F,
                            .why = "calibrated: how often a row is read, gradients at the input",
                            .word_g = stats->word_g};
  to->input_l = triangle(cols);
  to->sensitivity = aq_calloc(rows, sizeof *to->sensitivity);
  to->row_weight = aq_calloc(rows, sizeof *to->row_weight);
  float *d = aq_calloc(cols, sizeof *d), *room = aq_realloc_array(NULL, cols * cols, sizeof *room);
  const bool whole =
      to->input_l != NULL && to->sensitivity != NULL && to->row_weight != NULL && d != NULL && room != NULL;
  const aq_status status =
      whole ? factor(stats->word_g, cols, room, to->input_l, d, err) : aq_fail_memory(err, rows * sizeof(float));
  aq_free(room);
  if (status == AQ_OK) {
    const double inputs = geometric_mean(d, cols);
    for (size_t i = 0; i < cols; i++) d[i] = (float)((double)d[i] / inputs);
    double sum = 0, tokens = 0;
    for (size_t i = 0; i < rows; i++) tokens += (double)stats->word_counts[i];
    const double floor = fmax(COUNT_FLOOR * tokens, DBL_MIN);
    for (size_t i = 0; i < rows; i++) sum += pow((double)stats->word_counts[i] + floor, COUNT_EXPONENT);
    for (size_t i = 0; i < rows; i++) {
      const double share = pow((double)stats->word_counts[i] + floor, COUNT_EXPONENT) / sum;
      to->row_weight[i] = (float)fmax(0.5 * WORDS_WEIGHT * share, 1e-30);
      to->sensitivity[i] = (float)fmax(0.5 * WORDS_WEIGHT * share * inputs, 1e-30);
    }
  }
  to->input_d = d;
  return status;
}

/* ---- the loss of an error ---- */

bool aq_fisher_factors_have_metric(const aq_fisher_factors *factors) {
  return factors->g != NULL || factors->row_weight != NULL;
}

static aq_status expand_factor(const float *l, size_t n, float **out, aq_error *err) {
  *out = NULL;
  if (l == NULL) return AQ_OK;
  *out = aq_realloc_array(NULL, n * n, sizeof **out);
  if (*out == NULL) return aq_fail_memory(err, n * n * sizeof **out);
  aq_triangle_expand_lower(l, n, *out);
  return AQ_OK;
}

/* A triangle of n columns that the scratch file has; *out is to be freed, also after a failure. */
static aq_status read_triangle(const aq_fisher_factors *f, uint64_t at, size_t n, float **out, aq_error *err) {
  const size_t floats = aq_triangle_row(n);
  *out = aq_realloc_array(NULL, floats, sizeof **out);
  if (*out == NULL) return aq_fail_memory(err, floats * sizeof **out);
  return aq_scratch_read(f->scratch, at, *out, floats * sizeof **out, err);
}

static aq_status expand_inputs(const aq_fisher_factors *f, float **input_l, aq_error *err) {
  if (f->scratch == NULL) return expand_factor(f->input_l, f->cols, input_l, err);
  float *triangle;
  aq_status status = read_triangle(f, f->input_l_at, f->cols, &triangle, err);
  *input_l = NULL;
  if (status == AQ_OK) status = expand_factor(triangle, f->cols, input_l, err);
  aq_free(triangle);
  return status;
}

aq_status aq_fisher_factors_expand(const aq_fisher_factors *factors, float **input_l, float **output_l, aq_error *err) {
  *output_l = NULL;
  AQ_TRY(expand_inputs(factors, input_l, err));
  const aq_status status = expand_factor(factors->output_l, factors->rows, output_l, err);
  if (status == AQ_OK) return AQ_OK;
  aq_free(*input_l);
  *input_l = NULL;
  return status;
}

/* As aq_ldl does, but for an input or output that never occurs: its errors cost next to nothing either way. */
static void damp(float *a, double total, size_t n) {
  const double more = DAMPING * total / (double)n;
  for (size_t i = 0; i < n; i++) a[i * n + i] = (float)((double)a[i * n + i] + more);
}

static void expand_metric(const float *a, size_t cols, float *inputs) {
  aq_triangle_expand(a, cols, inputs);
  damp(inputs, aq_triangle_trace(a, cols), cols);
}

static aq_status measure_inputs(const aq_fisher_factors *f, float *inputs, aq_error *err) {
  if (f->scratch == NULL) {
    expand_metric(f->word_g != NULL ? f->word_g : f->inputs, f->cols, inputs);
    return AQ_OK;
  }
  float *triangle;
  const aq_status status = read_triangle(f, f->inputs_at, f->cols, &triangle, err);
  if (status == AQ_OK) expand_metric(triangle, f->cols, inputs);
  aq_free(triangle);
  return status;
}

aq_status aq_fisher_factors_metric(const aq_fisher_factors *factors, float *inputs, float *outputs, aq_error *err) {
  const size_t rows = factors->rows;
  AQ_TRY(measure_inputs(factors, inputs, err));
  if (factors->g == NULL) return AQ_OK;
  aq_triangle_expand(factors->g, rows, outputs);
  double total = 0;
  for (size_t i = 0; i < rows * rows; i++) outputs[i] = (float)((double)outputs[i] / (2 * factors->inputs_total));
  for (size_t i = 0; i < rows; i++) total += (double)outputs[i * rows + i];
  damp(outputs, total, rows);
  return AQ_OK;
}

static int by_value(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

static aq_status make_positions(const aq_params *p, const aq_stats *stats, uint32_t weight, aq_fisher_factors *to,
                                aq_error *err) {
  const size_t rows = p->model->weights[weight].rows, cols = p->model->weights[weight].cols;
  *to = (aq_fisher_factors){.tensor = p->model->weights[weight].tensor,
                            .rows = rows,
                            .cols = cols,
                            .w = p->values[weight],
                            .narrow = 0.05F,
                            .wide = 8,
                            .why = "calibrated: gradients at each position"};
  to->sensitivity = aq_calloc(rows, sizeof *to->sensitivity);
  float *sorted = aq_calloc(rows, sizeof *sorted);
  if (to->sensitivity == NULL || sorted == NULL) {
    aq_free(sorted);
    return aq_fail_memory(err, rows * sizeof(float));
  }
  size_t seen = 0;
  for (size_t i = 0; i < rows; i++) {
    if (stats->position_g[i] > 0) sorted[seen++] = stats->position_g[i];
  }
  qsort(sorted, seen, sizeof *sorted, by_value);
  const double least = seen > 0 ? UNSEEN_POSITION * (double)sorted[seen / 2] : 1e-30;
  for (size_t i = 0; i < rows; i++) {
    to->sensitivity[i] = (float)(fmax(fmax((double)stats->position_g[i], least), 1e-30) / (2 * (double)cols));
  }
  aq_free(sorted);
  return AQ_OK;
}

/* ---- all ---- */

typedef struct weighing {
  const aq_params *params;
  aq_stats *stats;
  aq_fisher_factors *out;
  uint32_t *weights; /* of the model's list, that have factors: linears, then tables */
} weighing;

static aq_status make_one(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const weighing *w = ctx;
  const uint32_t weight = w->weights[item];
  (void)worker;
  switch (w->params->model->weights[weight].role) {
    case AQ_ROLE_EMBEDDING:
      return make_words(w->params, w->stats, weight, &w->out[item], err);
    case AQ_ROLE_POSITION:
      return make_positions(w->params, w->stats, weight, &w->out[item], err);
    default:
      return make_linear(&w->out[item], err);
  }
}

/* What moments are for is done first, so that the factors can have their memory: this thread's, as theirs was. */
static aq_status begin_linears(const weighing *w, size_t count, aq_error *err) {
  for (size_t i = 0; i < count; i++) {
    if (w->params->model->weights[w->weights[i]].kind != AQ_WEIGHT_LINEAR) continue;
    begin_linear(w->params, w->stats, w->weights[i], &w->out[i]);
  }
  aq_stats_drop_moments(w->stats);
  for (size_t i = 0; i < count; i++) {
    aq_fisher_factors *to = &w->out[i];
    if (to->inputs == NULL) continue;
    to->input_l = triangle(to->cols);
    to->output_l = triangle(to->rows);
    to->sensitivity = aq_calloc(to->rows, sizeof *to->sensitivity);
    if (to->input_l == NULL || to->output_l == NULL || to->sensitivity == NULL) {
      return aq_fail_memory(err, (aq_triangle_row(to->cols) + aq_triangle_row(to->rows)) * sizeof(float));
    }
  }
  return AQ_OK;
}

static size_t list_weights(const aq_model *m, uint32_t *out) {
  size_t count = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    if (m->weights[i].kind == AQ_WEIGHT_LINEAR) out[count++] = i;
  }
  out[count++] = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_EMBEDDING);
  const uint32_t positions = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_POSITION);
  if (positions != AQ_NO_WEIGHT) out[count++] = positions;
  return count;
}

aq_status aq_fisher_factors_create(const aq_params *params, aq_stats *stats, aq_pool *pool, aq_fisher_factors **out,
                                   size_t *count, aq_error *err) {
  const size_t most = (size_t)params->model->weight_count + 2;
  weighing w = {params, stats, aq_calloc(most, sizeof *w.out), aq_calloc(most, sizeof *w.weights)};
  *out = NULL;
  *count = 0;
  aq_status status = w.out != NULL && w.weights != NULL ? AQ_OK : aq_fail_memory(err, most * sizeof *w.out);
  if (status == AQ_OK) {
    *count = list_weights(params->model, w.weights);
    status = begin_linears(&w, *count, err);
    if (status == AQ_OK) status = aq_pool_run(pool, *count, make_one, &w, err);
  }
  aq_free(w.weights);
  if (status == AQ_OK) {
    *out = w.out;
  } else {
    aq_fisher_factors_free(w.out, *count);
  }
  return status;
}

/* To make: a square in float and in double. To round: the squares of inputs and outputs. */
uint64_t aq_fisher_factors_bytes(const aq_model *m, uint32_t threads, bool scratch) {
  uint64_t triangles = 0, widest = 0;
  (void)scratch;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    if (w->kind != AQ_WEIGHT_LINEAR) continue;
    triangles += 2 * (uint64_t)(aq_triangle_row(w->rows) + aq_triangle_row(w->cols));
    widest = AQ_MAX(widest, (uint64_t)AQ_MAX(w->rows, w->cols));
  }
  return triangles * sizeof(float) + threads * widest * widest * (sizeof(float) + sizeof(double));
}

void aq_fisher_factors_free(aq_fisher_factors *factors, size_t count) {
  for (size_t i = 0; factors != NULL && i < count; i++) {
    aq_free(factors[i].sensitivity);
    aq_free(factors[i].input_l);
    aq_free(factors[i].output_l);
    aq_free(factors[i].input_d);
    aq_free(factors[i].inputs);
    aq_free(factors[i].row_weight);
  }
  aq_free(factors);
}
