/* exclude.h - tensors that a search or calibration leaves as they are, settled before it begins. */
#ifndef AQ_SEARCH_EXCLUDE_H
#define AQ_SEARCH_EXCLUDE_H

#include "arrowquant.h"
#include "io/source.h"
#include "model/description.h"
#include "quant/plan.h"

/* Looks through all tensors that are to be quantized for values that are not finite: minutes of work must not end at
 * one. The first is the error of quantizing it, or, as the policy has it, such tensors are kept. */
AQ_MUST_CHECK aq_status aq_exclude_nonfinite(const aq_source *source, aq_nonfinite policy, uint32_t threads,
                                             aq_plan *plan, aq_error *err);

/* Keeps open entries of an encoder's vectors and token types, and gives vectors that are the same bytes as others a
 * place of their own in the source: what one becomes says nothing about the other. Those that a rule quantizes do not
 * change (candidate.c), and stay as they are. */
AQ_MUST_CHECK aq_status aq_exclude_vectors(aq_source *source, const aq_model *model, aq_plan *plan, aq_error *err);

/* Adds to an AQ_ERR_NONFINITE which options of "quantize" keep such tensors; passes any status on. */
aq_status aq_hint_keep(aq_status status, aq_error *err);

#endif
