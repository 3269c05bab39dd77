/* score_agreement.c - figures of two sets of scores. */
#include "measure/score_agreement.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/rank.h"

static aq_status add_spearman(const float *reference, const float *other, size_t pairs, size_t labels, double *columns,
                              aq_score_figures *out, aq_error *err) {
  double sum = 0;
  for (size_t k = 0; k < labels; k++) {
    double spearman;
    for (size_t i = 0; i < pairs; i++) {
      columns[i] = (double)reference[i * labels + k];
      columns[pairs + i] = (double)other[i * labels + k];
    }
    AQ_TRY(aq_spearman(columns, columns + pairs, pairs, &spearman, err));
    sum += spearman;
  }
  out->spearman = labels > 0 ? sum / (double)labels : NAN;
  return AQ_OK;
}

static int direction(float a, float b) { return (a > b) - (a < b); }

/* Of the pairs [first, end) of one query. */
static void count_orders(const float *reference, const float *other, size_t first, size_t end, size_t labels,
                         uint64_t *ordered, uint64_t *kept) {
  for (size_t i = first * labels; i < end * labels; i++) {
    for (size_t j = i + labels; j < end * labels; j += labels) {
      const int was = direction(reference[i], reference[j]);
      *ordered += was != 0;
      *kept += was != 0 && was == direction(other[i], other[j]);
    }
  }
}

static void add_order(const float *reference, const float *other, const uint32_t *queries, size_t pairs, size_t labels,
                      aq_score_figures *out) {
  uint64_t kept = 0;
  for (size_t first = 0, end; first < pairs; first = end) {
    for (end = first + 1; end < pairs && queries[end] == queries[first];) end++;
    count_orders(reference, other, first, end, labels, &out->ordered, &kept);
  }
  out->order = out->ordered > 0 ? (double)kept / (double)out->ordered : NAN;
}

static size_t best_label(const float *scores, size_t labels) {
  size_t best = 0;
  for (size_t k = 1; k < labels; k++) best = scores[k] > scores[best] ? k : best;
  return best;
}

static void add_differences(const float *reference, const float *other, size_t pairs, size_t labels,
                            aq_score_figures *out) {
  double sum = 0, same = 0;
  for (size_t i = 0; i < pairs * labels; i++) {
    const double difference = fabs((double)reference[i] - (double)other[i]);
    sum += difference;
    if (i == 0 || difference > out->max_difference) {
      out->max_difference = difference;
      out->worst = i / labels;
    }
  }
  for (size_t i = 0; i < pairs; i++) {
    same += best_label(reference + i * labels, labels) == best_label(other + i * labels, labels) ? 1 : 0;
  }
  if (pairs == 0) return;
  out->mean_difference = sum / (double)(pairs * labels);
  out->label_agreement = same / (double)pairs;
}

aq_status aq_score_compare(const float *reference, const float *other, const uint32_t *queries, size_t pairs,
                           size_t labels, aq_score_figures *out, aq_error *err) {
  *out = (aq_score_figures){
      .spearman = NAN, .order = NAN, .max_difference = NAN, .mean_difference = NAN, .label_agreement = NAN};
  double *columns = aq_realloc_array(NULL, pairs > 0 ? pairs : 1, 2 * sizeof *columns);
  if (columns == NULL) return aq_fail_memory(err, pairs * 2 * sizeof *columns);
  const aq_status status = add_spearman(reference, other, pairs, labels, columns, out, err);
  aq_free(columns);
  AQ_TRY(status);
  add_order(reference, other, queries, pairs, labels, out);
  add_differences(reference, other, pairs, labels, out);
  return AQ_OK;
}
