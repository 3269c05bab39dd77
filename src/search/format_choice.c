/* format_choice.c - types and groups of a format against each other. */
#include "search/format_choice.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "quant/scale_factor.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

/* ---- one choice ---- */

static aq_scheme scheme_of(const aq_code_choice *choice) {
  return (aq_scheme){.type = choice->type, .method = AQ_MSE, .symmetric = true, .grid = AQ_GRID_F16_WHOLE_ZEROS};
}

static size_t span_of(const aq_rd_matrix *m, const aq_code_choice *choice) {
  return choice->group > 0 ? choice->group : m->cols;
}

static bool has_factors(const aq_export_layout *layout, const aq_code_choice *choice) {
  return choice->group > 0 && choice->group == layout->factor_group;
}

static bool are_values(const aq_code_choice *choice) { return choice->type == AQ_KEPT; }

/* Groups lie within rows, and are fewer than a row unless all matrices have the same; those with a factor fill it. */
static bool is_possible(const aq_export_layout *layout, size_t cols, const aq_code_choice *choice) {
  if (has_factors(layout, choice)) return cols % ((size_t)layout->factor_group * layout->factor_scales) == 0;
  if (choice->group == 0) return true;
  return cols % choice->group == 0 && (cols > choice->group || choice->group == 32 || layout->has_one_setting);
}

bool aq_format_fits_all(const aq_search_problem *problem, const aq_code_choice *choice) {
  bool all = true;
  for (size_t i = 0; i < problem->count; i++) {
    all = all && is_possible(problem->layout, problem->items[i].cols, choice);
  }
  return all;
}

static double span_error(aq_quant_type type, const float *x, size_t n, float scale) {
  const double low = aq_quant_min(type), high = aq_quant_max(type), s = (double)scale;
  double sum = 0;
  for (size_t i = 0; i < n && scale > 0; i++) {
    const double error = (double)x[i] - s * fmin(fmax(rint((double)x[i] / s), low), high);
    sum += error * error;
  }
  return sum;
}

enum { FACTOR_SCALES_MAX = 16 };

/* Scales of `count` spans, at most FACTOR_SCALES_MAX, that begin at x; of zeros 1, because steps are above 0. */
static void fit_spans(const aq_export_layout *layout, const aq_code_choice *choice, const float *x, size_t span,
                      size_t count, float *scales) {
  const aq_scheme scheme = scheme_of(choice);
  const bool with_factor = has_factors(layout, choice);
  for (size_t i = 0; i < count; i++) {
    float zero_point;
    (void)aq_fit_span(&scheme, x + i * span, span, &scales[i], &zero_point); /* values are finite, which was checked */
    if (scales[i] == 0 && !with_factor) scales[i] = 1;
  }
  if (with_factor) aq_scale_factor_round(scales, count, layout->factor_most);
}

/* Sum over spans of their squared error, weighted by the sensitivity of their row. steps: NULL, or room for them. */
static double fit_choice(const aq_export_layout *layout, const aq_rd_matrix *m, const aq_code_choice *choice,
                         float *steps) {
  const size_t span = span_of(m, choice), spans = m->cols / span,
               each = has_factors(layout, choice) ? layout->factor_scales : 1;
  double loss = 0;
  for (size_t i = 0; i < m->rows * spans; i += each) {
    float own[FACTOR_SCALES_MAX], *scales = steps != NULL ? steps + i : own;
    fit_spans(layout, choice, m->w + i * span, span, each, scales);
    for (size_t k = i; k < i + each && steps == NULL; k++) {
      loss += (double)m->sensitivity[k / spans] * span_error(choice->type, m->w + k * span, span, scales[k - i]);
    }
  }
  return loss;
}

/* ---- values ---- */

enum { VALUES = 1024 }; /* that are rounded at a time */

void aq_format_round_values(const aq_search_problem *problem, const aq_search_item *item, float *values, size_t count) {
  const aq_kernels *k = aq_kernels_get();
  const aq_dtype own = problem->source->tensors[item->tensor].dtype;
  uint16_t rounded[VALUES];
  if (aq_export_value_dtype(own) == own) return;
  for (size_t at = 0; at < count; at += VALUES) {
    const size_t n = AQ_MIN(count - at, (size_t)VALUES);
    k->f32_to_f16(values + at, n, rounded);
    k->f16_to_f32(rounded, n, values + at);
  }
}

/* Of values that are too large it is without a bound. */
static double value_loss(const aq_search_problem *problem, const aq_search_item *item, const aq_rd_matrix *m) {
  const size_t values = m->rows * m->cols;
  float rounded[VALUES];
  double loss = 0;
  for (size_t at = 0; at < values; at += VALUES) {
    const size_t n = AQ_MIN(values - at, (size_t)VALUES);
    memcpy(rounded, m->w + at, n * sizeof *rounded);
    aq_format_round_values(problem, item, rounded, n);
    for (size_t i = 0; i < n; i++) {
      const double error = (double)m->w[at + i] - (double)rounded[i];
      loss += (double)m->sensitivity[(at + i) / m->cols] * error * error;
    }
  }
  return loss;
}

/* ---- all of them ---- */

static double loss_of(const aq_search_problem *problem, const aq_search_item *item, const aq_rd_matrix *m,
                      const aq_code_choice *choice) {
  if (are_values(choice)) return value_loss(problem, item, m);
  return is_possible(problem->layout, m->cols, choice) ? fit_choice(problem->layout, m, choice, NULL) : HUGE_VAL;
}

double aq_format_bits(const aq_search_problem *problem, const aq_search_item *item, aq_quant_type type, uint64_t span) {
  return 8 * (double)problem->layout->code_bytes(&problem->source->tensors[item->tensor], type, span, true);
}

static aq_status make_steps(const aq_export_layout *layout, const aq_rd_matrix *m, const aq_code_choice *choice,
                            aq_rd_choice *out, aq_error *err) {
  out->span_count = m->rows * (m->cols / span_of(m, choice));
  out->steps = aq_calloc(out->span_count, sizeof *out->steps);
  if (out->steps == NULL) return aq_fail_memory(err, out->span_count * sizeof *out->steps);
  (void)fit_choice(layout, m, choice, out->steps);
  return AQ_OK;
}

aq_status aq_format_choose(const aq_search_problem *problem, const aq_search_item *item, const aq_rd_matrix *m,
                           double losses[AQ_CODE_CHOICES_MAX], aq_rd_choice *out, aq_error *err) {
  const aq_export_layout *layout = problem->layout;
  const double part = (double)m->rows / (double)item->rows;
  const aq_code_choice *best = NULL;
  const bool is_new = losses[0] < 0;
  double least = HUGE_VAL;
  *out = (aq_rd_choice){.type = AQ_KEPT};
  for (size_t i = 0; i < layout->choice_count; i++) {
    const aq_code_choice *choice = &layout->choices[i];
    if (is_new) losses[i] = -1;
    if (problem->setting != NULL && problem->setting != choice) continue;
    if (losses[i] < 0) losses[i] = loss_of(problem, item, m, choice);
    const double bits = part * aq_format_bits(problem, item, choice->type, span_of(m, choice));
    const double cost = losses[i] + problem->lambda * bits;
    if (!(cost < least)) continue;
    least = cost;
    best = choice;
    out->bits = bits;
    out->loss = losses[i];
  }
  AQ_FAIL_IF(best == NULL, AQ_ERR_INTERNAL, "the format has no codes for a matrix of %zu columns", m->cols);
  out->type = best->type;
  out->group_size = (int32_t)best->group;
  return m->w == item->sample || are_values(best) ? AQ_OK : make_steps(layout, m, best, out, err);
}
