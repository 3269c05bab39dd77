/* rank.h - correlation of ranks. */
#ifndef AQ_MEASURE_RANK_H
#define AQ_MEASURE_RANK_H

#include "arrowquant.h"

/* Spearman's rank correlation: that of the ranks, equal numbers sharing the mean of theirs. NaN when there are fewer
 * than two numbers or one side is constant. The numbers are not NaN. */
AQ_MUST_CHECK aq_status aq_spearman(const double *x, const double *y, size_t n, double *out, aq_error *err);

#endif
