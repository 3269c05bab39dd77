/* source_plan.h - the plan that options, or a file that they name, give for a source: what quantize begins with, and
 * what aq_plan_create hands out. */
#ifndef AQ_OPS_SOURCE_PLAN_H
#define AQ_OPS_SOURCE_PLAN_H

#include "arrowquant.h"
#include "io/source.h"
#include "quant/plan.h"

/* tensors: the source's, with their ties. Suits for_format; checked against allow_requantize and strict. */
AQ_MUST_CHECK aq_status aq_source_plan_make(const aq_source *source, const aq_tensor_info *tensors,
                                            const aq_quantize_options *options, aq_plan *plan, aq_error *err);

/* AQ_ERR_DEGRADED when a matrix is kept that no rule of the caller keeps. */
AQ_MUST_CHECK aq_status aq_source_plan_check_strict(const aq_plan *plan, aq_error *err);

#endif
