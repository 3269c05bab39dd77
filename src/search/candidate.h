/* candidate.h - what a model's planned tensors are at one lambda: their codes, the parameters that the codes stand for,
 * with what is adjusted to them, and how similar its outputs are. */
#ifndef AQ_SEARCH_CANDIDATE_H
#define AQ_SEARCH_CANDIDATE_H

#include "arrowquant.h"
#include "core/progress.h"
#include "quant/encoded.h"
#include "search/calibration.h"
#include "search/problem.h"

typedef struct aq_candidate_item {
  aq_search_item *planned;
  const aq_fisher_factors *factors; /* NULL: the encoder does not use it, no codes are made of it */
  aq_encoded encoded;               /* empty before it is made */
  bool to_nearest;                  /* decided once, see aq_candidate_choose_rounding */
} aq_candidate_item;

typedef struct aq_candidate {
  const aq_calibration *calibration;
  const aq_plan *plan;
  aq_search_problem *problem;
  aq_progress *progress;            /* told between matrices, so that work can be stopped; NULL: nobody */
  aq_candidate_item *items;         /* one a planned tensor */
  aq_params base;                   /* the original, but for tensors that a rule of the caller quantizes */
  uint64_t *ruled_at;               /* by weight: where the calibration's scratch file has such a tensor, if it does */
  aq_params quantized;              /* what the table will hold, corrected */
  double before_repair, similarity; /* on held-out texts */
} aq_candidate;

/* plan, encoded (one a tensor of the source): what becomes of tensors that the search does not plan. The plan and the
 * problem, whose items have their sensitivities, outlive it. */
AQ_MUST_CHECK aq_status aq_candidate_create(const aq_calibration *calibration, const aq_plan *plan,
                                            const aq_encoded *encoded, aq_search_problem *problem, aq_candidate *out,
                                            aq_error *err);
void aq_candidate_reset(aq_candidate *candidate);

/* Codes and quantized parameters at the problem's lambda, in the place of what was there; the bits of the items are
 * counted. */
AQ_MUST_CHECK aq_status aq_candidate_round(aq_candidate *candidate, aq_error *err);

/* Once after each rounding that is to be used: adjusts biases and norms, where the kind of model has it, and measures
 * the similarity before and after. What lowers it on held-out texts is not taken. */
AQ_MUST_CHECK aq_status aq_candidate_adjust(aq_candidate *candidate, aq_error *err);

/* What an item stands for, into the parameters and those of tensors tied to it, and its bits. worker: as in
 * search/cost.h. */
AQ_MUST_CHECK aq_status aq_candidate_apply_item(const aq_candidate *candidate, aq_candidate_item *item, uint32_t worker,
                                                aq_error *err);

/* Without a lambda: nothing is rounded yet; then codes of each planned tensor, which are taken over whatever happens;
 * then the similarity is measured, once what rules decide is as they have it. */
AQ_MUST_CHECK aq_status aq_candidate_clear(aq_candidate *candidate, aq_error *err);
AQ_MUST_CHECK aq_status aq_candidate_set_item(aq_candidate *candidate, size_t item, aq_encoded *encoded, aq_error *err);
AQ_MUST_CHECK aq_status aq_candidate_measure(aq_candidate *candidate, aq_error *err);

/* Asks the caller whether to go on. */
AQ_MUST_CHECK aq_status aq_candidate_tell_progress(const aq_candidate *candidate, aq_error *err);

/* Makes entries of the plan say what the items are, and moves what the source and the plan do not give into encoded,
 * one a tensor of the source: codes of planned tensors, and vectors that were adjusted, which the plan then says of
 * those that it keeps. What encoded has already stays. The candidate has no codes afterwards. target: for the entries'
 * rules.
 */
AQ_MUST_CHECK aq_status aq_candidate_finish(aq_candidate *candidate, const char *target, aq_plan *plan,
                                            aq_encoded *encoded, aq_error *err);

#endif
