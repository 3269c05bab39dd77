/* round_trip.h - one tensor quantized and dequantized again in memory: the values that a reader of the quantized table
 * would get. */
#ifndef AQ_TRANSFORM_ROUND_TRIP_H
#define AQ_TRANSFORM_ROUND_TRIP_H

#include "arrowquant.h"
#include "core/pool.h"
#include "quant/plan.h"

typedef struct aq_round_trip aq_round_trip;

/* Scratch for the workers of a pool, which outlives it. */
AQ_MUST_CHECK aq_status aq_round_trip_create(aq_pool *pool, aq_round_trip **out, aq_error *err);
void aq_round_trip_free(aq_round_trip *trip);

/* Quantizes a tensor as the entry says; values: all of its elements, out. *stored_bytes: codes, scales and zero points,
 * not compressed. AQ_ERR_NONFINITE when the tensor holds NaN or an infinity. */
AQ_MUST_CHECK aq_status aq_round_trip_run(aq_round_trip *trip, const aq_source *source, size_t tensor,
                                          const aq_plan_entry *entry, float *values, uint64_t *stored_bytes,
                                          aq_error *err);

#endif
