/* bit_allocation.h - the search behind --target-size, --target-bpw and --min-similarity: type, granularity and scales
 * of every tensor of type auto, from one price of a bit. */
#ifndef AQ_SEARCH_BIT_ALLOCATION_H
#define AQ_SEARCH_BIT_ALLOCATION_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/progress.h"
#include "search/backend.h"
#include "search/problem.h"

/* What a search leaves, beside the entries of the plan. */
typedef struct aq_bit_allocation {
  aq_search_backend *backend; /* NULL before it is opened, and when nothing is asked of it any more */
  aq_search_problem problem;
  aq_progress progress;
  aq_encoded *encoded; /* one a tensor of the source, for aq_transform: those that are finished; owned */
  size_t count;
  json_t *report; /* what was searched for and found, for the operation's report */
} aq_bit_allocation;

/* Whether an entry of the plan asks for it. */
bool aq_bit_allocation_is_wanted(const aq_plan *plan);

/* Opens what a search and gptq need: a backend (texts, output: as in search/backend.h), and room for finished tensors.
 * Zero-initialised out; reset it also after a failure. */
AQ_MUST_CHECK aq_status aq_bit_allocation_open(aq_source *source, const aq_quantize_options *options, bool texts,
                                               const char *output, aq_bit_allocation *out, aq_error *err);

/* Settles the open entries of a plan; the options have one target. */
AQ_MUST_CHECK aq_status aq_bit_allocation_run(aq_source *source, const aq_quantize_options *options, aq_plan *plan,
                                              aq_bit_allocation *out, aq_error *err);

/* Frees what only the search needs, so that it is not held while the table is written: all but what a search leaves. */
void aq_bit_allocation_end_search(aq_bit_allocation *allocation);
void aq_bit_allocation_reset(aq_bit_allocation *allocation);

#endif
