/* score_agreement.h - how far two sets of scores of the same pairs of texts are apart: what a change of the weights did
 * to what a reranker is for. */
#ifndef AQ_MEASURE_SCORE_AGREEMENT_H
#define AQ_MEASURE_SCORE_AGREEMENT_H

#include "arrowquant.h"

/* Of `pairs` scores r (reference) and o (other) for each of `labels` labels:
 *   spearman            rank correlation of r and o over all pairs, mean over the labels
 *   order               of two pairs of one query with different r, the share whose o differ in the same direction;
 * over all such two of all queries and labels max_difference      largest |r - o|; `worst` is its pair, the first of
 * equals mean_difference     mean of |r - o| label_agreement     share of the pairs for which the same label has the
 * largest score, the first of equals A figure over nothing is NaN, as is the correlation of a label whose scores are
 * all equal. Sums go pair by pair. */
typedef struct aq_score_figures {
  double spearman, order, max_difference, mean_difference, label_agreement;
  size_t worst;
  uint64_t ordered; /* how many two of pairs `order` is about */
} aq_score_figures;

/* reference, other: pairs x labels, finite. queries: the number of each pair's query; pairs of one query follow each
 * other. */
AQ_MUST_CHECK aq_status aq_score_compare(const float *reference, const float *other, const uint32_t *queries,
                                         size_t pairs, size_t labels, aq_score_figures *out, aq_error *err);

#endif
