/* evaluator.h - judging a model by its outputs: embeddings of the same texts, before and after. */
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
} aq_evaluator_options;

/* Reads the texts. The options and what they point to outlive the judge, whom the caller owns. */
AQ_MUST_CHECK aq_status aq_evaluator_create(const aq_evaluator_options *options, aq_evaluator **out, aq_error *err);
void aq_evaluator_free(aq_evaluator *evaluator);

/* Runs the model that others are compared with. Once, before what follows. */
AQ_MUST_CHECK aq_status aq_evaluator_set_reference(aq_evaluator *evaluator, const aq_source *reference, aq_error *err);

/* What the figures are about: sets "texts", "texts_from", ... of the object (docs/REPORTS.md, "outputs"). */
AQ_MUST_CHECK aq_status aq_evaluator_describe(const aq_evaluator *evaluator, json_t *object, aq_error *err);

/* Runs another model and sets the figures. weights_cosine is what the verdict holds them beside. When the other has no
 * configuration of its own, that of the reference is used. */
AQ_MUST_CHECK aq_status aq_evaluator_measure(aq_evaluator *evaluator, const aq_source *other, double weights_cosine,
                                             json_t *object, aq_error *err);

/* Whether a failure of aq_evaluator_set_reference means that this is no model that can be run here. */
bool aq_evaluator_cannot_run(aq_status status);

#endif
