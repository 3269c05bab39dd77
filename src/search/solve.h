/* solve.h - finding lambda, the price of a bit (quant/rd.h), for a size or for a similarity that is asked for.
 *
 * Both fall as lambda rises, not smoothly: entropy coders, rounding and thresholds make them noisy. What is evaluated
 * is expensive, so the search takes few steps and stops once the target is used up well enough. */
#ifndef AQ_SEARCH_SOLVE_H
#define AQ_SEARCH_SOLVE_H

#include <stdbool.h>

#include "arrowquant.h"

/* The size, or the similarity, that a lambda gives; finite. A failure ends the search with it. */
typedef aq_status (*aq_solve_fn)(void *ctx, double lambda, double *value, aq_error *err);

typedef struct aq_solve_options {
  double lowest, highest; /* of lambda; 0 < lowest <= highest */
  double start;           /* where to begin, a good guess saves evaluations; 0: halfway, on the scale of logarithms */
  double target;          /* the largest size, > 0; or the smallest similarity, < 1 */
  double slack;           /* part of the target that may stay unused: of the size, or of the loss 1 - target */
  uint32_t most;          /* evaluations; at least 2 */
} aq_solve_options;
/* All lambdas from 1e-14 to 1, slack .03, 12 evaluations; no target. */
void aq_solve_options_init(aq_solve_options *search);

typedef struct aq_solve_result {
  bool reached;         /* the value keeps to the target */
  double lambda, value; /* of one of the evaluations: the best that keeps to the target; else the nearest possible,
                           which is what `highest` (size) or `lowest` (similarity) gives */
  uint32_t evaluations;
} aq_solve_result;

/* The smallest lambda whose size is at most the target. `reached` is false when the smallest size is too large. When
 * even `lowest` stays under the target, it is that. */
AQ_MUST_CHECK aq_status aq_solve_size(const aq_solve_options *search, aq_solve_fn size, void *ctx,
                                      aq_solve_result *result, aq_error *err);

/* The largest lambda whose similarity is at least the target; the mirror of the above. */
AQ_MUST_CHECK aq_status aq_solve_quality(const aq_solve_options *search, aq_solve_fn similarity, void *ctx,
                                         aq_solve_result *result, aq_error *err);

#endif
