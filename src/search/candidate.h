/* candidate.h - the planned tensors of an encoder at one lambda: rounded with feedback, the norms repaired, measured.
 */
#ifndef AQ_SEARCH_CANDIDATE_H
#define AQ_SEARCH_CANDIDATE_H

#include <jansson.h>

#include "arrowquant.h"
#include "calib/tune/tune.h"
#include "core/progress.h"
#include "search/calibration.h"
#include "search/problem.h"

typedef struct aq_candidate_item {
  const aq_search_item *planned;
  aq_rd_choice choice; /* codes below belong to its steps */
  int8_t *codes;       /* rows x cols; NULL: the encoder does not use it, the table is written from its values */
  uint64_t bytes;      /* of codes and scales, as they will be in the file */
  bool plain;          /* rounded to nearest: feedback did worse on held-out texts */
} aq_candidate_item;

typedef struct aq_candidate {
  const aq_calibration *calibration;
  const aq_plan *plan;
  aq_search_problem *set;
  aq_progress *progress;            /* told between matrices, so that work can be stopped; NULL: nobody */
  aq_candidate_item *items;         /* one a planned tensor */
  bool *plain;                      /* one a planned tensor: decided once, see aq_candidate_choose_rounding */
  aq_params base;                   /* the original, but for tensors that a rule of the caller quantizes */
  aq_params quantized;              /* what the table will hold, repaired */
  double lambda;                    /* of the last make */
  double bits;                      /* on disk, of all planned tensors */
  double before_repair, similarity; /* mean cosine on held-out texts */
  aq_tune_result tuned;             /* steps 0: not tuned */
  bool tuned_too_large;             /* the result passed a budget, and was given up */
} aq_candidate;

/* plan, values: what becomes of tensors that the search does not plan, and values that take the place of theirs. The
 * plan outlives it. */
AQ_MUST_CHECK aq_status aq_candidate_create(const aq_calibration *calibration, const aq_plan *plan,
                                            const float *const *values, aq_search_problem *set, aq_candidate *out,
                                            aq_error *err);
void aq_candidate_reset(aq_candidate *candidate);

/* Choices, codes, quantized and bits at a lambda. What was there is replaced. */
AQ_MUST_CHECK aq_status aq_candidate_round(aq_candidate *candidate, double lambda, aq_error *err);

/* Once after each make that is to be used: adjusts norms, and measures the similarity before and after. */
AQ_MUST_CHECK aq_status aq_candidate_correct_biases(aq_candidate *candidate, aq_error *err);

/* Decides for each matrix, by itself, whether feedback is better than rounding to nearest on held-out texts. Follows a
 * make; makes that follow keep to it. *changed: some matrix is rounded to nearest. */
AQ_MUST_CHECK aq_status aq_candidate_choose_rounding(aq_candidate *candidate, bool *changed, aq_error *err);

/* The same without a lambda: nothing is rounded yet; then for each planned tensor a choice and codes, which are taken
 * over whatever happens (of one that the encoder does not use the choice alone is of use); then `measure`. */
AQ_MUST_CHECK aq_status aq_candidate_clear(aq_candidate *candidate, aq_error *err);
AQ_MUST_CHECK aq_status aq_candidate_set_item(aq_candidate *candidate, size_t item, aq_rd_choice *choice, int8_t *codes,
                                              aq_error *err);
AQ_MUST_CHECK aq_status aq_candidate_measure(aq_candidate *candidate, aq_error *err);

/* Gradient descent for so many seconds; bits and similarity are measured again. */
AQ_MUST_CHECK aq_status aq_candidate_tune(aq_candidate *candidate, const aq_quantize_options *options, aq_error *err);

/* Puts into values[tensor] what takes the place of a tensor's own values: of planned tensors, and of vectors that were
 * adjusted, which the plan then says of those that it keeps. Tensors in `owned` have such values already. */
void aq_candidate_collect_values(const aq_candidate *candidate, aq_plan *plan, const float *const *owned,
                                 const float **values);

#endif
