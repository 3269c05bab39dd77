/* perplexity_json.h - what a language model was measured to predict, as parts of a report (docs/REPORTS.md). Each is
 * NULL when out of memory; figures over nothing are null. */
#ifndef AQ_OPS_PERPLEXITY_JSON_H
#define AQ_OPS_PERPLEXITY_JSON_H

#include <jansson.h>

#include "calib/text_windows.h"
#include "measure/divergence.h"

json_t *aq_text_windows_json(const aq_text_windows *windows, const char *source);
json_t *aq_text_loss_json(const aq_text_loss *perplexity);
json_t *aq_divergence_json(const aq_divergence *divergence);

#endif
