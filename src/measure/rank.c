/* rank.c - Spearman's rank correlation.
 *
 * The ranks 1 ... n have the mean (n + 1) / 2 whatever is equal to what, so their deviations are multiples of a half
 * and exact. Sums run in the order of the numbers given. */
#include "measure/rank.h"

#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"

typedef struct placed {
  double value;
  size_t place;
} placed;

static int by_value(const void *left, const void *right) {
  const placed *a = left, *b = right;
  if (a->value != b->value) return a->value < b->value ? -1 : 1;
  return (a->place > b->place) - (a->place < b->place);
}

/* How far the rank of each number is from the mean rank. */
static void rank_deviations(const double *values, size_t n, placed *scratch, double *out) {
  for (size_t i = 0; i < n; i++) scratch[i] = (placed){values[i], i};
  qsort(scratch, n, sizeof *scratch, by_value);
  for (size_t first = 0, next; first < n; first = next) {
    next = first + 1;
    while (next < n && scratch[next].value == scratch[first].value) next++;
    /* Ranks first + 1 ... next, less (n + 1) / 2. */
    const double deviation = ((double)(first + next) - (double)n) / 2;
    for (size_t i = first; i < next; i++) out[scratch[i].place] = deviation;
  }
}

static double correlation(const double *x, const double *y, size_t n) {
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < n; i++) {
    xx += x[i] * x[i];
    yy += y[i] * y[i];
    xy += x[i] * y[i];
  }
  if (!(xx > 0) || !(yy > 0)) return NAN;
  return fmin(1.0, fmax(-1.0, xy / sqrt(xx * yy)));
}

aq_status aq_spearman(const double *x, const double *y, size_t n, double *out, aq_error *err) {
  *out = NAN;
  if (n < 2) return AQ_OK;
  double *dx = aq_calloc(n, sizeof *dx), *dy = aq_calloc(n, sizeof *dy);
  placed *scratch = aq_calloc(n, sizeof *scratch);
  aq_status status = AQ_OK;
  if (dx == NULL || dy == NULL || scratch == NULL) {
    status = aq_fail_memory(err, n * sizeof *scratch);
  } else {
    rank_deviations(x, n, scratch, dx);
    rank_deviations(y, n, scratch, dy);
    *out = correlation(dx, dy, n);
  }
  aq_free(scratch);
  aq_free(dx);
  aq_free(dy);
  return status;
}
