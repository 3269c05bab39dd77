/* distribution.c - mean, spread and percentiles of a few numbers.
 *
 * Percentile p lies at position p/100 * (n-1) of the sorted numbers, between two neighbours in proportion (the default
 * of numpy.percentile). Sums run over the sorted numbers, so that the order in which they came does not matter. */
#include <math.h>
#include <stdlib.h>

#include "measure/metrics.h"

static int by_value(const void *left, const void *right) {
  const double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

double aq_percentile(const double *sorted, size_t n, double percent) {
  if (n == 0) return NAN;
  const double position = percent / 100.0 * (double)(n - 1);
  const size_t below = (size_t)position;
  if (below + 1 >= n) return sorted[n - 1];
  const double low = sorted[below], high = sorted[below + 1];
  if (low == high) return low; /* two equal infinities have no difference */
  const double share = position - (double)below;
  return share == 0.0 ? low : low + (high - low) * share;
}

void aq_distribution_of(double *values, size_t n, aq_distribution *out) {
  if (n == 0) {
    *out = (aq_distribution){0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    return;
  }
  qsort(values, n, sizeof *values, by_value);
  double sum = 0, squares = 0;
  for (size_t i = 0; i < n; i++) sum += values[i];
  const double mean = sum / (double)n;
  for (size_t i = 0; i < n; i++) squares += (values[i] - mean) * (values[i] - mean);
  out->count = n;
  /* Rounding may carry the mean of equal numbers past them. */
  out->mean = fmin(values[n - 1], fmax(values[0], mean));
  out->stddev = sqrt(squares / (double)n);
  out->min = values[0];
  out->max = values[n - 1];
  out->p1 = aq_percentile(values, n, 1);
  out->p5 = aq_percentile(values, n, 5);
  out->p50 = aq_percentile(values, n, 50);
  out->p95 = aq_percentile(values, n, 95);
}
