/* budget.h - how many bits a target size leaves to the tensors that a search plans. */
#ifndef AQ_SEARCH_BUDGET_H
#define AQ_SEARCH_BUDGET_H

#include "arrowquant.h"
#include "io/source.h"
#include "quant/plan.h"

typedef struct aq_budget {
  double bits;               /* that the planned tensors may take; <= 0: nothing is left for them */
  uint64_t quantized_params; /* values that bits per weight count */
} aq_budget;

/* For options with a target_bpw or a target_size. Whatever the search does not plan counts at most as much as it will
 * take: model files, footer, kept tensors, and tensors that rules quantize. With for_format the file is the one that an
 * export of the table writes. Tensors of open entries (method rd, no
 * scales) are planned. */
AQ_MUST_CHECK aq_status aq_budget_measure(aq_source *source, const aq_plan *plan, const aq_quantize_options *options,
                                          aq_budget *out, aq_error *err);

/* The error for a target that cannot be reached: the planned tensors take `least` bits at least. */
aq_status aq_budget_fail_too_small(const aq_budget *budget, const aq_quantize_options *options, double least,
                                   aq_error *err);

#endif
