/* auto_plan.h - the search behind --target-size, --target-bpw and --min-similarity: type, granularity and scales of
 * every tensor of type auto, from one price of a bit. */
#ifndef AQ_OPS_AUTO_PLAN_H
#define AQ_OPS_AUTO_PLAN_H

#include <jansson.h>

#include "arrowquant.h"
#include "ops/calibration.h"
#include "ops/planned.h"
#include "ops/rounded.h"

/* What a search leaves: the plan's entries are settled; values point into it. */
typedef struct aq_auto_plan {
  aq_calibration *calibration; /* NULL: the model was not run */
  char *why_not;               /* why it cannot be; NULL also when it was not to be */
  aq_pool *pool;               /* of its own without a calibration */
  aq_planned_set set;
  aq_rounded rounded;
  const float **values; /* one a tensor of the source, for aq_table_job; NULL: none */
  float **owned;        /* those of them that are nobody else's; as many */
  size_t count;
  json_t *report; /* what was searched for and found, for the operation's report */
} aq_auto_plan;

/* Whether an entry of the plan asks for it. */
bool aq_auto_plan_wanted(const aq_plan *plan);

/* Opens what a search and gptq need: calibration (texts: false: none unless the options name one), threads, room for
 * values. Zero-initialised out; reset it also after a failure. */
AQ_MUST_CHECK aq_status aq_auto_plan_begin(aq_source *source, const aq_quantize_options *options, bool texts,
                                           aq_auto_plan *out, aq_error *err);

/* Settles the open entries of a plan; the options have one target. */
AQ_MUST_CHECK aq_status aq_auto_plan_make(aq_source *source, const aq_quantize_options *options, aq_plan *plan,
                                          aq_auto_plan *out, aq_error *err);
void aq_auto_plan_reset(aq_auto_plan *auto_plan);

#endif
