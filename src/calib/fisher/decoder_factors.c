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
#include <float.h>
#include <math.h>
#include <string.h>

#include "calib/fisher/fisher_factors.h"
#include "calib/fisher/triangle.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "tensor/shape.h"

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

static ends find_ends(const aq_model *m) {
  const aq_tensor_info *tensors = m->source->tensors;
  ends e = {aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_EMBEDDING), aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_OUTPUT), false};
  e.tied = e.head == AQ_NO_WEIGHT ||
           aq_owner_of(tensors, m->weights[e.head].tensor) == aq_owner_of(tensors, m->weights[e.table].tensor);
  if (e.tied) e.head = AQ_NO_WEIGHT;
  return e;
}

/* ---- any matrix ---- */

static aq_status begin_matrix(const char *why, aq_fisher_factors *to, aq_error *err) {
  to->narrow = 0.2F;
  to->wide = 4;
  to->why = why;
  to->inputs_total = 1;
  to->input_d = aq_calloc(to->cols, sizeof *to->input_d);
  to->sensitivity = aq_calloc(to->rows, sizeof *to->sensitivity);
  to->row_weight = aq_calloc(to->rows, sizeof *to->row_weight);
  const bool whole = to->input_d != NULL && to->sensitivity != NULL && to->row_weight != NULL;
  if (!whole) return aq_fail_memory(err, (to->cols + 2 * to->rows) * sizeof(float));
  return aq_stored_triangle_create(to->cols, &to->inputs, err);
}

/* L and d of the inputs, and the sensitivities of rows whose weights are known. */
static aq_status finish_matrix(aq_fisher_factors *to, aq_error *err) {
  double mean = 0;
  AQ_TRY(aq_stored_triangle_factor(&to->inputs, &to->input_l, to->input_d, err));
  for (size_t j = 0; j < to->cols; j++) mean += (double)to->input_d[j];
  mean = fmax(mean / (double)to->cols, 1e-30);
  for (size_t j = 0; j < to->cols; j++) to->input_d[j] = (float)((double)to->input_d[j] / mean);
  for (size_t i = 0; i < to->rows; i++) {
    to->row_weight[i] = (float)fmax((double)to->row_weight[i], 1e-30);
    to->sensitivity[i] = (float)fmax((double)to->row_weight[i] * mean, 1e-30);
  }
  return AQ_OK;
}

/* ---- linear layers ---- */

/* a, mixed with moments that do not depend on a gradient, becomes the inputs. moments: room. */
static aq_status mix_inputs(const aq_stats *s, uint32_t weight, float *moments, aq_fisher_factors *to, aq_error *err) {
  const size_t count = aq_triangle_row(to->cols);
  float *a = to->inputs.values;
  AQ_TRY(aq_stats_read_a(s, weight, a, err));
  AQ_TRY(aq_stats_read_moments(s, weight, moments, err));
  const float scale = (float)(1 / fmax(aq_triangle_trace(a, to->cols), 1e-30));
  for (size_t i = 0; i < count; i++) a[i] = a[i] * scale + MIX_MOMENTS * moments[i];
  return AQ_OK;
}

static aq_status weigh_outputs(const aq_stats *s, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  double mean = 0;
  AQ_TRY(aq_stats_read_g(s, weight, to->row_weight, err));
  for (size_t i = 0; i < to->rows; i++) {
    to->row_weight[i] *= 0.5F;
    mean += (double)to->row_weight[i] / (double)to->rows;
  }
  for (size_t i = 0; i < to->rows; i++) to->row_weight[i] += (float)(ROW_FLOOR * mean);
  return AQ_OK;
}

static aq_status make_linear(const aq_stats *s, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  AQ_TRY(begin_matrix("calibrated: gradients at its outputs, inputs", to, err));
  AQ_TRY(weigh_outputs(s, weight, to, err));
  float *moments = aq_realloc_array(NULL, aq_triangle_row(to->cols), sizeof *moments);
  const aq_status status = moments != NULL ? mix_inputs(s, weight, moments, to, err)
                                           : aq_fail_memory(err, aq_triangle_row(to->cols) * sizeof *moments);
  aq_free(moments);
  return status == AQ_OK ? finish_matrix(to, err) : status;
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
  for (size_t i = 0; i < aq_triangle_row(to->cols); i++) to->inputs.values[i] += scale * matrix[i];
}

static double sum_of(const float *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i];
  return sum;
}

static aq_status make_rows(const aq_stats *s, uint32_t weight, const ends *e, aq_fisher_factors *to, aq_error *err) {
  const bool table = weight == e->table, head = !table || e->tied;
  AQ_TRY(begin_matrix(table ? head ? "calibrated: how often a row is read and predicted, gradients at the input"
                                   : "calibrated: how often a row is read, gradients at the input"
                            : "calibrated: how often a row is predicted, inputs",
                      to, err));
  memset(to->inputs.values, 0, aq_triangle_row(to->cols) * sizeof(float));
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

/* ---- the kind ---- */

static aq_status make_factors(const aq_stats *stats, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  const ends e = find_ends(stats->model);
  const bool is_end = weight == e.table || weight == e.head;
  return is_end ? make_rows(stats, weight, &e, to, err) : make_linear(stats, weight, to, err);
}

/* A head that is the table is no matrix of its own. */
static size_t list_weights(const aq_model *m, uint32_t *out) {
  const ends e = find_ends(m);
  size_t count = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    if (m->weights[i].kind == AQ_WEIGHT_LINEAR && m->weights[i].layer != AQ_NO_LAYER) out[count++] = i;
  }
  out[count++] = e.table;
  if (e.head != AQ_NO_WEIGHT) out[count++] = e.head;
  return count;
}

const aq_factors_kind aq_decoder_factors = {.list = list_weights, .make = make_factors};
