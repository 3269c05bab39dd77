/* decoder_factors.c - losses of the rows of a decoder's matrices from its statistics.
 *
 * A linear layer: an error e of row i raises the KL divergence by about c_i e A e^T, c_i = g_ii / 2 and A = a / tr a
 * (decoder_stats.h). Only the diagonal of g is used: rounding row by row with feedback over the inputs alone was as
 * good at the same number of bits, and rows that do not depend on each other can be rounded side by side. With A = L
 * diag(d) L^T feedback leaves errors that weigh d_j each, and as all columns of a row have one step, their arithmetic
 * mean is what its squared errors weigh.
 *
 * The table of tokens and the head: the same with the weight of each row from how often its token occurs, or is
 * predicted. Both are tempered, as rare tokens matter more to the texts that they are in than to the average of the
 * calibration texts. A table that is the head as well feels both. */
#include "calib/fisher/decoder_factors.h"

#include <float.h>
#include <math.h>

#include "calib/fisher/triangle.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "quant/feedback.h"
#include "tensor/shape.h"

#define DAMPING 0.2      /* of the mean of the diagonal */
#define MIX_MOMENTS 0.3F /* of moments, beside a / tr a */
#define ROW_FLOOR 0.1    /* of the mean over rows: what each weighs at least more */
#define TEMPER 0.6       /* exponent of how often a token occurs or is predicted */
#define TOKEN_FLOOR 5e-6 /* of all: a token that was not seen */
/* What the statistics leave out, the errors of a row adding up over the places of its token, chosen on held-out texts.
 */
#define TABLE_WEIGHT 3.0

/* The table and the head, when they are one. */
typedef struct ends {
  uint32_t table, head; /* AQ_NO_WEIGHT: there is none by itself */
  bool tied;
} ends;

typedef struct weighing {
  const aq_params *params;
  aq_stats *stats;
  aq_fisher_factors *out;
  uint32_t *weights; /* of the model's list */
  ends ends;
} weighing;

static ends find_ends(const aq_model *m) {
  const aq_tensor_info *tensors = m->source->tensors;
  ends e = {aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_EMBEDDING), aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_OUTPUT), false};
  e.tied = e.head == AQ_NO_WEIGHT ||
           aq_owner_of(tensors, m->weights[e.head].tensor) == aq_owner_of(tensors, m->weights[e.table].tensor);
  if (e.tied) e.head = AQ_NO_WEIGHT;
  return e;
}

/* ---- any matrix ---- */

static aq_status begin_matrix(const aq_params *p, uint32_t weight, const char *why, aq_fisher_factors *to,
                              aq_error *err) {
  const aq_weight *w = &p->model->weights[weight];
  size_t count;
  *to = (aq_fisher_factors){.tensor = w->tensor,
                            .rows = w->rows,
                            .cols = w->cols,
                            .w = aq_params_find(p, w->tensor, &count),
                            .narrow = 0.2F,
                            .wide = 4,
                            .why = why,
                            .inputs = to->inputs,
                            .inputs_total = 1};
  to->input_l = aq_realloc_array(NULL, aq_triangle_row(to->cols), sizeof *to->input_l);
  to->input_d = aq_calloc(to->cols, sizeof *to->input_d);
  to->sensitivity = aq_calloc(to->rows, sizeof *to->sensitivity);
  to->row_weight = aq_calloc(to->rows, sizeof *to->row_weight);
  const bool whole = to->input_l != NULL && to->input_d != NULL && to->sensitivity != NULL && to->row_weight != NULL;
  return whole ? AQ_OK : aq_fail_memory(err, (aq_triangle_row(to->cols) + 2 * to->rows) * sizeof(float));
}

/* L and d of the inputs, and the sensitivities of rows whose weights are known. room: cols x cols. */
static aq_status factor_inputs(aq_fisher_factors *to, float *room, aq_error *err) {
  double mean = 0;
  aq_triangle_expand(to->inputs, to->cols, room);
  AQ_TRY(aq_ldl(room, to->cols, DAMPING, room, to->input_d, err));
  aq_triangle_pack(room, to->cols, to->input_l);
  for (size_t j = 0; j < to->cols; j++) mean += (double)to->input_d[j];
  mean = fmax(mean / (double)to->cols, 1e-30);
  for (size_t j = 0; j < to->cols; j++) to->input_d[j] = (float)((double)to->input_d[j] / mean);
  for (size_t i = 0; i < to->rows; i++) {
    to->row_weight[i] = (float)fmax((double)to->row_weight[i], 1e-30);
    to->sensitivity[i] = (float)fmax((double)to->row_weight[i] * mean, 1e-30);
  }
  return AQ_OK;
}

static aq_status finish_matrix(aq_fisher_factors *to, aq_error *err) {
  float *room = aq_realloc_array(NULL, to->cols * to->cols, sizeof *room);
  if (room == NULL) return aq_fail_memory(err, to->cols * to->cols * sizeof *room);
  const aq_status status = factor_inputs(to, room, err);
  aq_free(room);
  return status;
}

/* ---- linear layers ---- */

/* a, mixed with moments that do not depend on a gradient, becomes the inputs. */
static void mix_inputs(float *a, const float *moments, size_t cols) {
  const size_t count = aq_triangle_row(cols);
  const float scale = (float)(1 / fmax(aq_triangle_trace(a, cols), 1e-30));
  for (size_t i = 0; i < count; i++) a[i] = a[i] * scale + MIX_MOMENTS * moments[i];
}

/* In the memory of the statistics. */
static void take_inputs(aq_linear_stats *s, size_t cols, aq_fisher_factors *to) {
  mix_inputs(s->a, s->moments, cols);
  to->inputs = s->a;
  s->a = NULL;
}

/* From the scratch file, by way of memory. */
static aq_status read_inputs(const aq_stats *s, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  const size_t cols = s->model->weights[weight].cols, count = aq_triangle_row(cols);
  float *moments = aq_realloc_array(NULL, count, sizeof *moments);
  to->inputs = aq_realloc_array(NULL, count, sizeof *to->inputs);
  const bool room = moments != NULL && to->inputs != NULL;
  aq_status status = room ? AQ_OK : aq_fail_memory(err, 2 * count * sizeof *moments);
  if (status == AQ_OK) status = aq_stats_read_a(s, weight, to->inputs, err);
  if (status == AQ_OK) status = aq_stats_read_moments(s, weight, moments, err);
  if (status == AQ_OK) mix_inputs(to->inputs, moments, cols);
  aq_free(moments);
  return status;
}

/* Back to the scratch file: inputs in the place of a. */
static aq_status store_factors(const aq_stats *s, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  const size_t bytes = aq_triangle_row(to->cols) * sizeof *to->inputs;
  to->inputs_at = s->linear[weight].a_at;
  to->input_l_at = aq_scratch_reserve(s->scratch, bytes);
  AQ_TRY(aq_scratch_write(s->scratch, to->inputs_at, to->inputs, bytes, err));
  AQ_TRY(aq_scratch_write(s->scratch, to->input_l_at, to->input_l, bytes, err));
  aq_free(to->inputs);
  aq_free(to->input_l);
  to->inputs = to->input_l = NULL;
  to->scratch = s->scratch;
  return AQ_OK;
}

static void weigh_outputs(const float *g, aq_fisher_factors *to) {
  double mean = 0;
  for (size_t i = 0; i < to->rows; i++) {
    to->row_weight[i] = 0.5F * g[i];
    mean += (double)to->row_weight[i] / (double)to->rows;
  }
  for (size_t i = 0; i < to->rows; i++) to->row_weight[i] += (float)(ROW_FLOOR * mean);
}

static aq_status make_linear(const weighing *w, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  if (w->stats->scratch != NULL) AQ_TRY(read_inputs(w->stats, weight, to, err));
  AQ_TRY(begin_matrix(w->params, weight, "calibrated: gradients at its outputs, inputs", to, err));
  weigh_outputs(w->stats->linear[weight].g, to);
  AQ_TRY(finish_matrix(to, err));
  return w->stats->scratch != NULL ? store_factors(w->stats, weight, to, err) : AQ_OK;
}

/* ---- the table of tokens, and the head ---- */

/* Adds `total` times each row's tempered share of `counts`. */
static void add_shares(const float *counts, double total, aq_fisher_factors *to) {
  double all = 0, sum = 0;
  for (size_t i = 0; i < to->rows; i++) all += (double)counts[i];
  const double floor = fmax(TOKEN_FLOOR * all, DBL_MIN);
  for (size_t i = 0; i < to->rows; i++) sum += pow((double)counts[i] + floor, TEMPER);
  for (size_t i = 0; i < to->rows; i++) {
    to->row_weight[i] += (float)(total * pow((double)counts[i] + floor, TEMPER) / sum);
  }
}

/* Adds what the rows' errors weigh when they are measured by a matrix, which is in `total`. */
static void add_metric(const float *matrix, double total, aq_fisher_factors *to) {
  const float scale = (float)(total / fmax(aq_triangle_trace(matrix, to->cols), 1e-30));
  for (size_t i = 0; i < aq_triangle_row(to->cols); i++) to->inputs[i] += scale * matrix[i];
}

static double sum_of(const float *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i];
  return sum;
}

static aq_status make_rows(const weighing *w, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  const aq_stats *s = w->stats;
  const bool table = weight == w->ends.table, head = !table || w->ends.tied;
  AQ_TRY(begin_matrix(w->params, weight,
                      table ? head ? "calibrated: how often a row is read and predicted, gradients at the input"
                                   : "calibrated: how often a row is read, gradients at the input"
                            : "calibrated: how often a row is predicted, inputs",
                      to, err));
  to->inputs = aq_calloc(aq_triangle_row(to->cols), sizeof *to->inputs);
  if (to->inputs == NULL) return aq_fail_memory(err, aq_triangle_row(to->cols) * sizeof *to->inputs);
  const double reads = table ? TABLE_WEIGHT * aq_triangle_trace(s->word_g, to->cols) / 2 : 0;
  const double predictions = head ? TABLE_WEIGHT * sum_of(s->head_rows, to->rows) / 2 : 0;
  const double total = fmax(reads + predictions, DBL_MIN);
  if (table) {
    add_shares(s->word_counts, reads, to);
    add_metric(s->word_g, reads / total, to);
  }
  if (head) {
    add_shares(s->head_rows, predictions, to);
    add_metric(s->head_a, predictions / total, to);
  }
  return finish_matrix(to, err);
}

/* ---- all ---- */

static bool is_end(const weighing *w, uint32_t weight) { return weight == w->ends.table || weight == w->ends.head; }

static aq_status make_one(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const weighing *w = ctx;
  const uint32_t weight = w->weights[item];
  (void)worker;
  return is_end(w, weight) ? make_rows(w, weight, &w->out[item], err) : make_linear(w, weight, &w->out[item], err);
}

/* Linears of layers in order, then table and head. A head that is the table is no matrix of its own. */
static size_t list_weights(const aq_model *m, const ends *e, uint32_t *out) {
  size_t count = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    if (m->weights[i].kind == AQ_WEIGHT_LINEAR && m->weights[i].layer != AQ_NO_LAYER) out[count++] = i;
  }
  out[count++] = e->table;
  if (e->head != AQ_NO_WEIGHT) out[count++] = e->head;
  return count;
}

static aq_status make_all(weighing *w, size_t count, aq_pool *pool, aq_error *err) {
  for (size_t i = 0; i < count; i++) {
    const uint32_t weight = w->weights[i];
    if (!is_end(w, weight) && w->stats->scratch == NULL) {
      take_inputs(&w->stats->linear[weight], w->params->model->weights[weight].cols, &w->out[i]);
    }
  }
  aq_stats_drop_moments(w->stats);
  return aq_pool_run(pool, count, make_one, w, err);
}

aq_status aq_decoder_factors_create(const aq_params *params, aq_stats *stats, aq_pool *pool, aq_fisher_factors **out,
                                    size_t *count, aq_error *err) {
  const size_t most = (size_t)params->model->weight_count + 2;
  weighing w = {params, stats, aq_calloc(most, sizeof *w.out), aq_calloc(most, sizeof *w.weights),
                find_ends(params->model)};
  aq_status status = w.out != NULL && w.weights != NULL ? AQ_OK : aq_fail_memory(err, most * sizeof *w.out);
  *out = NULL;
  *count = 0;
  if (status == AQ_OK) {
    *count = list_weights(params->model, &w.ends, w.weights);
    status = make_all(&w, *count, pool, err);
  }
  aq_free(w.weights);
  if (status == AQ_OK) {
    *out = w.out;
  } else {
    aq_fisher_factors_free(w.out, *count);
  }
  return status;
}

/* Inputs and their factor of each matrix, or of one a thread; to make or to round with one, a square in float and in
 * double a thread. */
uint64_t aq_decoder_factors_bytes(const aq_model *m, uint32_t threads, bool scratch) {
  uint64_t floats = 0, widest = m->config.hidden;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    if (w->kind == AQ_WEIGHT_VECTOR) continue;
    const bool stays = !scratch || w->layer == AQ_NO_LAYER;
    floats += (stays ? 2 * (uint64_t)aq_triangle_row(w->cols) : 0) + w->cols + 2 * (uint64_t)w->rows;
    widest = AQ_MAX(widest, (uint64_t)w->cols);
  }
  const uint64_t passing = scratch ? threads * 2 * (uint64_t)aq_triangle_row((size_t)widest) : 0;
  return (floats + passing) * sizeof(float) + threads * widest * widest * (sizeof(float) + sizeof(double));
}
