/* compare_outputs.h - the part of a comparison that runs both models. */
#ifndef AQ_OPS_COMPARE_OUTPUTS_H
#define AQ_OPS_COMPARE_OUTPUTS_H

#include <jansson.h>
#include <stdbool.h>

#include "arrowquant.h"

/* The limits are numbers that can be kept. */
AQ_MUST_CHECK aq_status aq_compare_outputs_check(const aq_compare_options *options, aq_error *err);

/* Whether the options ask for outputs, by themselves or by what only outputs have a use for. */
bool aq_compare_outputs_wanted(const aq_compare_options *options);

/* Sets root["outputs"] (docs/REPORTS.md): null when the options do not ask for them, a reason when the tensors are not
 * the same, as the sources are then no two forms of one model. */
AQ_MUST_CHECK aq_status aq_compare_outputs(const aq_compare_options *options, const aq_source *reference,
                                           const aq_source *other, double weights_cosine, bool has_same_tensors,
                                           json_t *root, aq_error *err);

/* A figure of the outputs that a limit holds. */
typedef struct aq_output_limit {
  const char *key;     /* of the limit in root["outputs"] */
  const char *what;    /* the figure, in words */
  const char *unit;    /* after its number, with a space in front */
  const char *path[2]; /* of the figure in root["outputs"]; path[1] NULL: a member of it */
} aq_output_limit;

/* The first limit of root["outputs"] that its figures do not keep; NULL when they keep all there are. */
const aq_output_limit *aq_outputs_over_limit(const json_t *root);

/* AQ_ERR_THRESHOLD names that limit. */
AQ_MUST_CHECK aq_status aq_compare_outputs_verdict(const json_t *root, aq_error *err);

#endif
