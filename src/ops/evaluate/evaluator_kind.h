/* evaluator_kind.h - the ways to judge a model, by what it is run for. A kind is a file and a line in evaluator.c;
 * in reports it is `model_kind`, by which report/outputs_words.c finds its words and thresholds. */
#ifndef AQ_OPS_EVALUATE_EVALUATOR_KIND_H
#define AQ_OPS_EVALUATE_EVALUATOR_KIND_H

#include "model/arch/arch.h"
#include "ops/evaluate/evaluator.h"

typedef struct aq_evaluator_kind {
  const char *name;
  aq_model_output output;
  size_t state_size; /* of the zeroed memory that the functions are given */
  /* Loads the texts and runs the reference. */
  aq_status (*begin)(void *state, const aq_evaluator_options *options, const aq_source *reference, aq_error *err);
  /* Sets what the figures of all models are about. */
  aq_status (*describe)(const void *state, json_t *object, aq_error *err);
  /* Runs another model, whose configuration is in `folder` (NULL: its own), and sets its figures and "verdict". */
  aq_status (*measure)(void *state, const aq_source *other, const char *folder, double weights_cosine, json_t *object,
                       aq_error *err);
  void (*reset)(void *state); /* also after a failure */
} aq_evaluator_kind;

extern const aq_evaluator_kind aq_encoder_evaluator, aq_decoder_evaluator, aq_scorer_evaluator;

#endif
