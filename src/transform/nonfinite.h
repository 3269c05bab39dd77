/* nonfinite.h - values that cannot be stored: NaN and infinities in what is quantized, and numbers beyond the type in
 * what is converted. What becomes of their tensors is decided here, before anything is written, and a plan that has
 * gone through it does not change any more. */
#ifndef AQ_TRANSFORM_NONFINITE_H
#define AQ_TRANSFORM_NONFINITE_H

#include "arrowquant.h"
#include "io/source.h"
#include "quant/plan.h"

/* Looks through all tensors that the plan quantizes or converts. The first such value, in the order of the tensors, is
 * the error that a transform would end with; with AQ_NONFINITE_KEEP its tensor is kept, with those that are tied to it.
 *
 * It reads the model once. A transform finds such values on its way as well, at no cost: with AQ_NONFINITE_REFUSE this
 * is for those alone who spend minutes before there is a transform. */
AQ_MUST_CHECK aq_status aq_nonfinite_settle(const aq_source *source, aq_nonfinite policy, uint32_t threads,
                                            aq_plan *plan, aq_error *err);

/* Adds to an AQ_ERR_NONFINITE which options of "quantize" keep such tensors; passes any status on. */
aq_status aq_nonfinite_hint(aq_status status, aq_error *err);

#endif
