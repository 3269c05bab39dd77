/* fisher_factors.c - factors of all matrices of a model: each is made by a thread, and its triangles go where the
 * statistics are. */
#include "calib/fisher/fisher_factors.h"

#include "calib/fisher/triangle.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "quant/feedback.h"

/* ---- triangles ---- */

static size_t triangle_bytes(size_t n) { return aq_triangle_row(n) * sizeof(float); }

aq_status aq_stored_triangle_create(size_t n, aq_stored_triangle *out, aq_error *err) {
  *out = (aq_stored_triangle){.n = n, .values = aq_realloc_array(NULL, aq_triangle_row(n), sizeof *out->values)};
  return out->values != NULL ? AQ_OK : aq_fail_memory(err, triangle_bytes(n));
}

aq_status aq_stored_triangle_factor(const aq_stored_triangle *matrix, aq_stored_triangle *l, float *d, aq_error *err) {
  const size_t n = matrix->n;
  AQ_TRY(aq_stored_triangle_create(n, l, err));
  float *square = aq_realloc_array(NULL, n * n, sizeof *square);
  if (square == NULL) return aq_fail_memory(err, n * n * sizeof *square);
  aq_triangle_expand(matrix->values, n, square);
  const aq_status status = aq_ldl(square, n, AQ_FACTORS_DAMPING, square, d, err);
  if (status == AQ_OK) aq_triangle_pack(square, n, l->values);
  aq_free(square);
  return status;
}

/* Into the scratch file: the place `at`, or one of its own when that is NULL. */
static aq_status store_triangle(aq_scratch *scratch, const uint64_t *at, aq_stored_triangle *t, aq_error *err) {
  if (t->n == 0) return AQ_OK;
  t->at = at != NULL ? *at : aq_scratch_reserve(scratch, triangle_bytes(t->n));
  AQ_TRY(aq_scratch_write(scratch, t->at, t->values, triangle_bytes(t->n), err));
  aq_free(t->values);
  t->values = NULL;
  return AQ_OK;
}

/* Its values, in memory: *own is to be freed, also after a failure. */
static aq_status read_triangle(const aq_fisher_factors *f, const aq_stored_triangle *t, const float **values,
                               float **own, aq_error *err) {
  *own = NULL;
  *values = t->values;
  if (t->values != NULL) return AQ_OK;
  *values = *own = aq_malloc(triangle_bytes(t->n));
  if (*own == NULL) return aq_fail_memory(err, triangle_bytes(t->n));
  return aq_scratch_read(f->scratch, t->at, *own, triangle_bytes(t->n), err);
}

/* ---- what feedback rounds with ---- */

static aq_status expand_factor(const aq_fisher_factors *f, const aq_stored_triangle *l, float **out, aq_error *err) {
  const float *values;
  float *own;
  *out = NULL;
  if (l->n == 0) return AQ_OK;
  aq_status status = read_triangle(f, l, &values, &own, err);
  if (status == AQ_OK) *out = aq_realloc_array(NULL, l->n * l->n, sizeof **out);
  if (status == AQ_OK && *out == NULL) status = aq_fail_memory(err, l->n * l->n * sizeof **out);
  if (status == AQ_OK) aq_triangle_expand_lower(values, l->n, *out);
  aq_free(own);
  return status;
}

aq_status aq_fisher_factors_expand(const aq_fisher_factors *factors, float **input_l, float **output_l, aq_error *err) {
  *output_l = NULL;
  AQ_TRY(expand_factor(factors, &factors->input_l, input_l, err));
  const aq_status status = expand_factor(factors, &factors->output_l, output_l, err);
  if (status == AQ_OK) return AQ_OK;
  aq_free(*input_l);
  *input_l = NULL;
  return status;
}

/* ---- the loss of an error ---- */

bool aq_fisher_factors_have_metric(const aq_fisher_factors *factors) {
  return factors->outputs.n > 0 || factors->row_weight != NULL;
}

/* As aq_ldl does, but for an input or output that never occurs: its errors cost next to nothing either way. */
static void damp(float *a, double total, size_t n) {
  const double more = AQ_FACTORS_DAMPING * total / (double)n;
  for (size_t i = 0; i < n; i++) a[i * n + i] = (float)((double)a[i * n + i] + more);
}

static aq_status measure_inputs(const aq_fisher_factors *f, float *inputs, aq_error *err) {
  const float *values;
  float *own;
  const aq_status status = read_triangle(f, &f->inputs, &values, &own, err);
  if (status == AQ_OK) {
    aq_triangle_expand(values, f->cols, inputs);
    damp(inputs, aq_triangle_trace(values, f->cols), f->cols);
  }
  aq_free(own);
  return status;
}

static aq_status measure_outputs(const aq_fisher_factors *f, float *outputs, aq_error *err) {
  const size_t rows = f->rows;
  const float *values;
  float *own;
  double total = 0;
  const aq_status status = read_triangle(f, &f->outputs, &values, &own, err);
  if (status == AQ_OK) aq_triangle_expand(values, rows, outputs);
  aq_free(own);
  AQ_TRY(status);
  for (size_t i = 0; i < rows * rows; i++) outputs[i] = (float)((double)outputs[i] / (2 * f->inputs_total));
  for (size_t i = 0; i < rows; i++) total += (double)outputs[i * rows + i];
  damp(outputs, total, rows);
  return AQ_OK;
}

aq_status aq_fisher_factors_metric(const aq_fisher_factors *factors, float *inputs, float *outputs, aq_error *err) {
  AQ_TRY(measure_inputs(factors, inputs, err));
  return factors->outputs.n > 0 ? measure_outputs(factors, outputs, err) : AQ_OK;
}

/* ---- all ---- */

typedef struct weighing {
  const aq_factors_kind *kind;
  const aq_stats *stats;
  aq_fisher_factors *out;
  uint32_t *weights; /* of the model's list, that have factors */
} weighing;

/* What is made of a linear's matrices takes their places. */
static aq_status store_factors(const aq_stats *s, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  const aq_linear_stats *l = &s->linear[weight];
  const bool is_linear = aq_stats_has_linear(s, weight);
  to->scratch = s->scratch;
  AQ_TRY(store_triangle(s->scratch, is_linear ? &l->a_at : NULL, &to->inputs, err));
  AQ_TRY(store_triangle(s->scratch, is_linear ? &l->g_at : NULL, &to->outputs, err));
  AQ_TRY(store_triangle(s->scratch, NULL, &to->input_l, err));
  return store_triangle(s->scratch, NULL, &to->output_l, err);
}

static aq_status make_one(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const weighing *w = ctx;
  const uint32_t weight = w->weights[item];
  const aq_weight *of = &w->stats->model->weights[weight];
  aq_fisher_factors *to = &w->out[item];
  (void)worker;
  *to = (aq_fisher_factors){.tensor = of->tensor, .rows = of->rows, .cols = of->cols};
  AQ_TRY(w->kind->make(w->stats, weight, to, err));
  return w->stats->scratch != NULL ? store_factors(w->stats, weight, to, err) : AQ_OK;
}

aq_status aq_fisher_factors_create(const aq_factors_kind *kind, const aq_stats *stats, aq_pool *pool,
                                   aq_fisher_factors **out, size_t *count, aq_error *err) {
  const size_t most = stats->model->weight_count;
  weighing w = {kind, stats, aq_calloc(most, sizeof *w.out), aq_calloc(most, sizeof *w.weights)};
  aq_status status = w.out != NULL && w.weights != NULL ? AQ_OK : aq_fail_memory(err, most * sizeof *w.out);
  *out = NULL;
  *count = 0;
  if (status == AQ_OK) {
    *count = kind->list(stats->model, w.weights);
    status = aq_pool_run(pool, *count, make_one, &w, err);
  }
  aq_free(w.weights);
  if (status == AQ_OK) {
    *out = w.out;
  } else {
    aq_fisher_factors_free(w.out, *count);
  }
  return status;
}

/* What stays are vectors. To make, or to round with: a square in float and in double a thread, or the squares of inputs
 * and outputs, beside triangles. */
uint64_t aq_fisher_factors_bytes(const aq_model *m, uint32_t threads) {
  uint64_t floats = 0, widest = m->config.hidden;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    if (w->kind == AQ_WEIGHT_VECTOR) continue;
    floats += w->cols + 2 * (uint64_t)w->rows;
    widest = AQ_MAX(widest, (uint64_t)w->cols);
    if (w->kind == AQ_WEIGHT_LINEAR && w->layer != AQ_NO_LAYER) widest = AQ_MAX(widest, (uint64_t)w->rows);
  }
  const uint64_t passing = 2 * (uint64_t)aq_triangle_row((size_t)widest) * sizeof(float);
  return floats * sizeof(float) + threads * (passing + widest * widest * (sizeof(float) + sizeof(double)));
}

void aq_fisher_factors_free(aq_fisher_factors *factors, size_t count) {
  for (size_t i = 0; factors != NULL && i < count; i++) {
    aq_fisher_factors *f = &factors[i];
    aq_free(f->sensitivity);
    aq_free(f->input_d);
    aq_free(f->row_weight);
    aq_free(f->input_l.values);
    aq_free(f->output_l.values);
    aq_free(f->inputs.values);
    aq_free(f->outputs.values);
  }
  aq_free(factors);
}
