/* bit_allocation.h - the search behind --target-size, --target-bpw and --min-similarity: type, granularity and scales
 * of every tensor of type auto, from one price of a bit. */
#ifndef AQ_SEARCH_BIT_ALLOCATION_H
#define AQ_SEARCH_BIT_ALLOCATION_H

#include <jansson.h>

#include "arrowquant.h"
#include "search/calibration.h"
#include "search/candidate.h"
#include "search/problem.h"

/* What a search leaves: the plan's entries are settled; values point into it. */
typedef struct aq_bit_allocation {
  aq_calibration *calibration; /* NULL: the model was not run */
  char *why_not;               /* why it cannot be; NULL also when it was not to be */
  aq_pool *pool;               /* of its own without a calibration */
  aq_search_problem set;
  aq_candidate candidate;
  const float **values; /* one a tensor of the source, for aq_table_job; NULL: none */
  float **owned;        /* those of them that are nobody else's; as many */
  size_t count;
  json_t *report; /* what was searched for and found, for the operation's report */
} aq_bit_allocation;

/* Whether an entry of the plan asks for it. */
bool aq_bit_allocation_is_wanted(const aq_plan *plan);

/* Opens what a search and gptq need: calibration (texts: false: none unless the options name one), threads, room for
 * values. Zero-initialised out; reset it also after a failure. */
AQ_MUST_CHECK aq_status aq_bit_allocation_open(aq_source *source, const aq_quantize_options *options, bool texts,
                                               aq_bit_allocation *out, aq_error *err);

/* Settles the open entries of a plan; the options have one target. */
AQ_MUST_CHECK aq_status aq_bit_allocation_run(aq_source *source, const aq_quantize_options *options, aq_plan *plan,
                                              aq_bit_allocation *out, aq_error *err);
void aq_bit_allocation_reset(aq_bit_allocation *allocation);

#endif
