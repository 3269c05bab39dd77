/* gptq.h - tensors of method gptq: scales as mse finds them, codes rounded with feedback over the inputs that a layer
 * sees (quant/feedback.h, one-sided), so that its outputs change less. */
#ifndef AQ_SEARCH_GPTQ_H
#define AQ_SEARCH_GPTQ_H

#include "arrowquant.h"
#include "io/source.h"
#include "quant/encoded.h"
#include "quant/plan.h"
#include "search/backend.h"

/* Whether an entry of the plan asks for it. */
bool aq_gptq_wanted(const aq_plan *plan);

/* Settles the open entries: gives them scales and zero points, and encoded[tensor] (one a tensor of the source) the
 * codes. Inputs are the caller's activations (options) where there are any, else those that the backend knows. A tensor
 * without inputs, or whose inputs allow no factorization, is rounded to nearest; its rule says so. */
AQ_MUST_CHECK aq_status aq_gptq_make(const aq_source *source, const aq_quantize_options *options,
                                     const aq_search_backend *backend, aq_plan *plan, aq_encoded *encoded,
                                     aq_error *err);

#endif
