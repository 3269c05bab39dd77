/* metrics.h - how far two arrays are apart. One definition of each figure, used everywhere. */
#ifndef AQ_MEASURE_METRICS_H
#define AQ_MEASURE_METRICS_H

#include "arrowquant.h"
#include "core/pool.h"
#include "kernels/kernels.h"

/* Of a reference a and its approximation b, n elements:
 *   cosine  a.b / (|a| |b|); both zero: 1, one zero: 0
 *   snr_db  10 log10(sum a^2 / sum (a-b)^2); +infinity when equal
 *   mse     sum (a-b)^2 / n;  rmse its square root;  max_abs_error max |a-b|
 *   norm_ratio |b| / |a|; 1 when both zero
 * Sums as kernels.h orders them over blocks of AQ_METRIC_BLOCK elements, the blocks' totals added in order: the same at
 * any number of threads.
 *
 * Elements where a or b is NaN or infinite are left out of the sums and counted. They agree when both are NaN or both
 * the same infinity; where they do not, no figure is small enough: cosine 0, SNR -infinity, errors infinite. */
#define AQ_METRIC_BLOCK ((size_t)1 << 18)
typedef struct aq_metrics {
  uint64_t count;
  uint64_t nonfinite, nonfinite_mismatch; /* elements left out of the sums; those of them that do not agree */
  double sum_aa, sum_bb, sum_ab, sum_ee;
  double cosine, snr_db, mse, rmse, max_abs_error, norm_ratio;
} aq_metrics;

/* Adds block totals; then aq_metrics_finish computes the figures. */
void aq_metrics_add(aq_metrics *m, const aq_diff_sums *sums, uint64_t count);
/* Adds a block of at most AQ_METRIC_BLOCK elements. Where it holds NaN or infinities, a and b are changed. */
void aq_metrics_add_block(aq_metrics *m, float *a, float *b, size_t count);
void aq_metrics_merge(aq_metrics *into, const aq_metrics *from); /* sums only, e.g. of tensors into a total */
void aq_metrics_finish(aq_metrics *m);

/* Tensor ia of a against tensor ib of b, read block by block on the pool. */
AQ_MUST_CHECK aq_status aq_metrics_tensors(const aq_source *a, size_t ia, const aq_source *b, size_t ib, aq_pool *pool,
                                           aq_metrics *out, aq_error *err);

/* The same for many pairs at once, so that small tensors are read side by side. out: one of each pair, finished. */
typedef struct aq_metric_pair {
  size_t ia, ib;
} aq_metric_pair;
AQ_MUST_CHECK aq_status aq_metrics_pairs(const aq_source *a, const aq_source *b, const aq_metric_pair *pairs,
                                         size_t count, aq_pool *pool, aq_metrics *out, aq_error *err);

/* Order statistics of n numbers (sorted in place): mean, standard deviation of the population, percentiles by linear
 * interpolation between the two nearest. All NaN when n is 0; the values are not NaN. */
typedef struct aq_distribution {
  size_t count;
  double mean, min, p1, p5, p50, p95, max, stddev;
} aq_distribution;
void aq_distribution_of(double *values, size_t n, aq_distribution *out);

/* Such a percentile, 0 to 100, of numbers that are sorted already; NaN when n is 0. */
double aq_percentile(const double *sorted, size_t n, double percent);

#endif
