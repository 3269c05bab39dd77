/* encoder_factors.c - losses of rows of an encoder's matrices from its statistics.
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
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calib/fisher/fisher_factors.h"
#include "calib/fisher/triangle.h"
#include "core/error.h"
#include "core/memory.h"

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

static aq_status allocate_rows(size_t rows, float **out, aq_error *err) {
  *out = aq_calloc(rows, sizeof **out);
  return *out != NULL ? AQ_OK : aq_fail_memory(err, rows * sizeof **out);
}

/* ---- linear layers ---- */

/* a, mixed with moments, which are made in `moments`; all are triangles of `count` floats. */
static aq_status mix_inputs(const aq_stats *s, uint32_t weight, size_t count, float *moments, float *first,
                            aq_fisher_factors *to, aq_error *err) {
  float *a = to->inputs.values;
  AQ_TRY(aq_stats_read_a(s, weight, a, err));
  AQ_TRY(aq_stats_read_moments(s, weight, moments, err));
  AQ_TRY(aq_stats_read_first(s, weight, first, err));
  to->inputs_total = fmax(aq_triangle_trace(a, to->cols), 1e-30);
  const float scale = (float)to->inputs_total;
  for (size_t i = 0; i < count; i++) a[i] += scale * (MIX_MOMENTS * moments[i] + MIX_FIRST * first[i]);
  return AQ_OK;
}

static aq_status make_inputs(const aq_stats *s, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  const size_t count = aq_triangle_row(to->cols);
  float *moments = aq_realloc_array(NULL, count, sizeof *moments),
        *first = aq_realloc_array(NULL, count, sizeof *first);
  const bool whole = moments != NULL && first != NULL;
  aq_status status = whole ? AQ_OK : aq_fail_memory(err, 2 * count * sizeof *moments);
  if (status == AQ_OK) status = aq_stored_triangle_create(to->cols, &to->inputs, err);
  if (status == AQ_OK) status = mix_inputs(s, weight, count, moments, first, to, err);
  aq_free(moments);
  aq_free(first);
  return status;
}

static aq_status weigh_linear(const aq_stats *s, uint32_t weight, aq_fisher_factors *to, float *d, float *c,
                              aq_error *err) {
  AQ_TRY(make_inputs(s, weight, to, err));
  AQ_TRY(aq_stored_triangle_create(to->rows, &to->outputs, err));
  AQ_TRY(aq_stats_read_g(s, weight, to->outputs.values, err));
  AQ_TRY(aq_stored_triangle_factor(&to->inputs, &to->input_l, d, err));
  AQ_TRY(aq_stored_triangle_factor(&to->outputs, &to->output_l, c, err));
  const double inputs = geometric_mean(d, to->cols);
  for (size_t i = 0; i < to->rows; i++) {
    to->sensitivity[i] = (float)fmax((double)c[i] * inputs / (2 * to->inputs_total), 1e-30);
  }
  return AQ_OK;
}

static aq_status make_linear(const aq_stats *s, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  float *d = NULL, *c = NULL;
  to->narrow = 0.25F;
  to->wide = 4;
  to->why = "calibrated: gradients at its outputs, inputs";
  aq_status status = allocate_rows(to->rows, &to->sensitivity, err);
  if (status == AQ_OK) status = allocate_rows(to->cols, &d, err);
  if (status == AQ_OK) status = allocate_rows(to->rows, &c, err);
  if (status == AQ_OK) status = weigh_linear(s, weight, to, d, c, err);
  aq_free(d);
  aq_free(c);
  return status;
}

/* ---- tables ---- */

/* Rows by how often they are read, and columns by d, which becomes 1 on average. */
static void weigh_words(const aq_stats *s, aq_fisher_factors *to) {
  const double inputs = geometric_mean(to->input_d, to->cols);
  double sum = 0, tokens = 0;
  for (size_t i = 0; i < to->cols; i++) to->input_d[i] = (float)((double)to->input_d[i] / inputs);
  for (size_t i = 0; i < to->rows; i++) tokens += (double)s->word_counts[i];
  const double floor = fmax(COUNT_FLOOR * tokens, DBL_MIN);
  for (size_t i = 0; i < to->rows; i++) sum += pow((double)s->word_counts[i] + floor, COUNT_EXPONENT);
  for (size_t i = 0; i < to->rows; i++) {
    const double share = pow((double)s->word_counts[i] + floor, COUNT_EXPONENT) / sum;
    to->row_weight[i] = (float)fmax(0.5 * WORDS_WEIGHT * share, 1e-30);
    to->sensitivity[i] = (float)fmax(0.5 * WORDS_WEIGHT * share * inputs, 1e-30);
  }
}

static aq_status make_words(const aq_stats *s, aq_fisher_factors *to, aq_error *err) {
  to->narrow = 0.2F;
  to->wide = 2.2F;
  to->why = "calibrated: how often a row is read, gradients at the input";
  AQ_TRY(allocate_rows(to->rows, &to->sensitivity, err));
  AQ_TRY(allocate_rows(to->rows, &to->row_weight, err));
  AQ_TRY(allocate_rows(to->cols, &to->input_d, err));
  AQ_TRY(aq_stored_triangle_create(to->cols, &to->inputs, err));
  memcpy(to->inputs.values, s->word_g, aq_triangle_row(to->cols) * sizeof *s->word_g);
  AQ_TRY(aq_stored_triangle_factor(&to->inputs, &to->input_l, to->input_d, err));
  weigh_words(s, to);
  return AQ_OK;
}

static int by_value(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

static aq_status make_positions(const aq_stats *s, aq_fisher_factors *to, aq_error *err) {
  float *sorted;
  to->narrow = 0.05F;
  to->wide = 8;
  to->why = "calibrated: gradients at each position";
  AQ_TRY(allocate_rows(to->rows, &to->sensitivity, err));
  AQ_TRY(allocate_rows(to->rows, &sorted, err));
  size_t seen = 0;
  for (size_t i = 0; i < to->rows; i++) {
    if (s->position_g[i] > 0) sorted[seen++] = s->position_g[i];
  }
  qsort(sorted, seen, sizeof *sorted, by_value);
  const double least = seen > 0 ? UNSEEN_POSITION * (double)sorted[seen / 2] : 1e-30;
  for (size_t i = 0; i < to->rows; i++) {
    to->sensitivity[i] = (float)(fmax(fmax((double)s->position_g[i], least), 1e-30) / (2 * (double)to->cols));
  }
  aq_free(sorted);
  return AQ_OK;
}

/* ---- the kind ---- */

static aq_status make_factors(const aq_stats *stats, uint32_t weight, aq_fisher_factors *to, aq_error *err) {
  switch (stats->model->weights[weight].role) {
    case AQ_ROLE_EMBEDDING:
      return make_words(stats, to, err);
    case AQ_ROLE_POSITION:
      return make_positions(stats, to, err);
    default:
      return make_linear(stats, weight, to, err);
  }
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

const aq_factors_kind aq_encoder_factors = {.list = list_weights, .make = make_factors};
