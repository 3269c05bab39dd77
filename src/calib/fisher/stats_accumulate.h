/* stats_accumulate.h - adds what a group of texts says about one linear to its statistics (stats.h has the formulas).
 *
 * Of symmetric matrices the lower triangles are added to (calib/fisher/triangle.h). */
#ifndef AQ_CALIB_FISHER_STATS_ACCUMULATE_H
#define AQ_CALIB_FISHER_STATS_ACCUMULATE_H

#include "calib/fisher/stats.h"
#include "model/run/tape.h"

typedef struct aq_accumulator aq_accumulator;

/* Room for groups of up to `tokens` tokens in texts of up to `longest`, and for matrices of up to `width` columns. */
AQ_MUST_CHECK aq_status aq_accumulator_create(aq_pool *pool, size_t tokens, size_t longest, size_t width,
                                              aq_accumulator **out, aq_error *err);
void aq_accumulator_free(aq_accumulator *acc);
/* Bytes that such room takes. */
uint64_t aq_accumulator_bytes(uint32_t threads, size_t tokens, size_t longest, size_t width);

/* The group that the next calls are about: its text t has the rows first[t] .. first[t + 1] - 1. */
void aq_accumulator_begin(aq_accumulator *acc, const size_t *first, size_t texts);

/* Adds to a and g; to moments and first too where to->moments is not NULL. When the linear has the same x as that of
 * the call before, what was made of x is used again. */
AQ_MUST_CHECK aq_status aq_accumulator_linear(aq_accumulator *acc, const aq_tape_linear *linear,
                                              const aq_linear_stats *to, aq_error *err);

/* to += rows^T rows; the lower triangle of width x width. */
AQ_MUST_CHECK aq_status aq_accumulator_rows(aq_accumulator *acc, const float *rows, size_t width, float *to,
                                            aq_error *err);

#endif
