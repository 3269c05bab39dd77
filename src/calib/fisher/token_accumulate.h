/* token_accumulate.h - adds what a group of tokens says about one linear of a decoder to its statistics;
 * decoder_stats.h has the formulas. */
#ifndef AQ_CALIB_FISHER_TOKEN_ACCUMULATE_H
#define AQ_CALIB_FISHER_TOKEN_ACCUMULATE_H

#include <stdbool.h>

#include "calib/fisher/stats.h"
#include "model/run/tape.h"

typedef struct aq_token_accumulator aq_token_accumulator;

/* Room for groups of up to `tokens` tokens, and for matrices of up to `width` columns. */
AQ_MUST_CHECK aq_status aq_token_accumulator_create(aq_pool *pool, size_t tokens, size_t width,
                                                    aq_token_accumulator **out, aq_error *err);
void aq_token_accumulator_free(aq_token_accumulator *acc);
/* Bytes that such room takes. */
uint64_t aq_token_accumulator_bytes(size_t tokens, size_t width);

/* Adds the sums over `tokens` tokens to a and g, and to moments where to->moments is not NULL. same_x: the x of the
 * call before, whose values are the same. */
AQ_MUST_CHECK aq_status aq_token_accumulator_linear(aq_token_accumulator *acc, const aq_tape_linear *linear,
                                                    size_t tokens, bool same_x, const aq_linear_stats *to,
                                                    aq_error *err);

/* to += rows^T rows, of tokens x width; the lower triangle. */
AQ_MUST_CHECK aq_status aq_token_accumulator_rows(aq_token_accumulator *acc, const float *rows, size_t tokens,
                                                  size_t width, float *to, aq_error *err);

#endif
