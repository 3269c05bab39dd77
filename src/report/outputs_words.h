/* outputs_words.h - what the agreement of outputs is called, and how it is shown beside that of the weights. */
#ifndef AQ_REPORT_OUTPUTS_WORDS_H
#define AQ_REPORT_OUTPUTS_WORDS_H

#include "report/document.h"
#include "report/output_kind.h"

/* From the mean cosine of the weights and the figure of the outputs (the mean cosine of embeddings of an "encoder", the
 * mean KL divergence of a "decoder"): "outputs agree", "outputs agree roughly", "weights agree, outputs do not",
 * "neither weights nor outputs agree"; "-" when the figure is NaN. Static storage. */
const char *aq_outputs_verdict(const char *model_kind, double weights, double figure);

/* Whether a report's root["outputs"] holds figures and not a reason. */
bool aq_outputs_measured(const json_t *root);

/* What a type of a validation is recommended by, and its figure. */
const aq_agreement_scale *aq_agreement_scale_of(const json_t *root);
double aq_agreement(const json_t *root, const json_t *entry);

/* Outputs of a comparison in words; nothing when they were not asked for. */
void aq_add_compared_outputs(const json_t *root, aq_document *document);

/* Weights and outputs of each type of a validation side by side, or why there are no outputs. */
void aq_add_validated_outputs(const json_t *root, aq_document *document);

#endif
