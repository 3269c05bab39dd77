/* evaluator.h - judging a model by its outputs, before and after: embeddings of texts, scores of pairs of texts, or
 * predictions of the next token of a text. What a model is judged by follows from its architecture (evaluator_kind.h).
 */
#ifndef AQ_OPS_EVALUATE_EVALUATOR_H
#define AQ_OPS_EVALUATE_EVALUATOR_H

#include <jansson.h>

#include "arrowquant.h"
#include "ops/evaluate/evaluation_texts.h"

typedef struct aq_evaluator aq_evaluator;

typedef struct aq_evaluator_options {
  const aq_run_options *run;
  aq_judge_origin origin;
  const char *folder; /* as in aq_encoder_options */
  /* Of language models, as in aq_compare_options; a sentence encoder is refused with them. */
  uint32_t context, windows;
  double max_kl, max_ppl_increase;
} aq_evaluator_options;

/* Whether an option is set that needs outputs: any but the folder. */
bool aq_evaluator_is_wanted(const aq_evaluator_options *options);

/* AQ_ERR_ARGUMENT for a limit that is no number from 0 on. */
AQ_MUST_CHECK aq_status aq_evaluator_check_limits(const aq_evaluator_options *options, aq_error *err);

/* Reads the texts and runs the model that others are compared with. The options and what they point to outlive the
 * evaluator, whom the caller owns. */
AQ_MUST_CHECK aq_status aq_evaluator_create(const aq_evaluator_options *options, const aq_source *reference,
                                            aq_evaluator **out, aq_error *err);
void aq_evaluator_free(aq_evaluator *evaluator);

/* What the figures are about: sets "measured", "model_kind", ... of the object (docs/REPORTS.md, "Outputs"). */
AQ_MUST_CHECK aq_status aq_evaluator_describe(const aq_evaluator *evaluator, json_t *object, aq_error *err);

/* Runs another model and sets the figures. weights_cosine is what the verdict holds them beside. When the other has no
 * configuration of its own, that of the reference is used. */
AQ_MUST_CHECK aq_status aq_evaluator_measure(aq_evaluator *evaluator, const aq_source *other, double weights_cosine,
                                             json_t *object, aq_error *err);

/* Whether a failure of aq_evaluator_create means that this is no model that can be run here. */
bool aq_evaluator_cannot_run(aq_status status);

#endif
