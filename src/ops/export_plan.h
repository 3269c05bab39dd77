/* export_plan.h - plans for a format of other programs (`for_format`): what an export will take over, and nothing that
 * it would have to decode. */
#ifndef AQ_OPS_EXPORT_PLAN_H
#define AQ_OPS_EXPORT_PLAN_H

#include "arrowquant.h"
#include "io/formats.h"
#include "io/source.h"
#include "quant/plan.h"

/* The format that options name, NULL when they name none. AQ_ERR_ARGUMENT: it is no format that stores codes. */
AQ_MUST_CHECK aq_status aq_export_plan_format(const aq_quantize_options *options, const aq_file_format **out,
                                              aq_error *err);

/* Gives symmetry and group size, where the options leave them open, the values that suit the format. */
void aq_export_plan_options(const aq_file_format *format, aq_quantize_options *options);

/* Has a plan for `tensors`, those of the source, hold what the format holds: scales and zero points end on its grid,
 * tensors of which it has no codes are kept, with a rule that says why. A tensor that a rule or a plan of the caller
 * quantizes in a way that the format has not is AQ_ERR_ARGUMENT with its name and the nearest that it has; a model that
 * cannot be exported to the format fails as its export would. Open entries are left to the search. */
AQ_MUST_CHECK aq_status aq_export_plan_fit(const aq_file_format *format, const aq_source *source,
                                           const aq_tensor_info *tensors, aq_plan *plan, aq_error *err);

#endif
