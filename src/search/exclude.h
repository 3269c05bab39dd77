/* exclude.h - tensors that a search or calibration leaves as they are, settled before it begins. */
#ifndef AQ_SEARCH_EXCLUDE_H
#define AQ_SEARCH_EXCLUDE_H

#include "arrowquant.h"
#include "io/source.h"
#include "model/description.h"
#include "quant/plan.h"

/* Keeps open entries of an encoder's vectors, token types and biases by distance, and gives vectors that are the same
 * bytes as others a place of their own in the source: what one becomes says nothing about the other. Those that a rule
 * quantizes do not change (candidate.c), and stay as they are. */
AQ_MUST_CHECK aq_status aq_exclude_vectors(aq_source *source, const aq_model *model, aq_plan *plan, aq_error *err);

#endif
