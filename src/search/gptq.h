/* gptq.h - tensors of method gptq: scales as mse finds them, codes rounded with feedback over the inputs that a layer
 * sees (quant/feedback.h, one-sided), so that its outputs change less. */
#ifndef AQ_SEARCH_GPTQ_H
#define AQ_SEARCH_GPTQ_H

#include "arrowquant.h"
#include "core/pool.h"
#include "io/source.h"
#include "quant/plan.h"
#include "search/calibration.h"

/* Whether an entry of the plan asks for it. */
bool aq_gptq_wanted(const aq_plan *plan);

/* Settles the open entries: gives them scales and zero points, and puts what their codes stand for into values[tensor],
 * memory that the caller frees with aq_free. Inputs are the caller's activations (options) where there are any, else
 * those of the calibration (NULL: none). A tensor without inputs, or whose inputs allow no factorization, is rounded to
 * nearest; its rule says so. */
AQ_MUST_CHECK aq_status aq_gptq_make(const aq_source *source, const aq_quantize_options *options,
                                     const aq_calibration *calibration, aq_pool *pool, aq_plan *plan, float **values,
                                     aq_error *err);

#endif
