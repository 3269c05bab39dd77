/* decoder_factors.h - from the statistics of a decoder to what planning and rounding need of its matrices. */
#ifndef AQ_CALIB_FISHER_DECODER_FACTORS_H
#define AQ_CALIB_FISHER_DECODER_FACTORS_H

#include "calib/fisher/decoder_stats.h"
#include "calib/fisher/fisher_factors.h"

/* As aq_fisher_factors_create: all linear layers in order, then the table of tokens and a head of its own. Losses are
 * KL divergences, in nats per token. No matrix has an output_l, and all have a row_weight, by which the loss of an
 * error E is the sum over rows of row_weight[i] e_i A e_i^T. */
AQ_MUST_CHECK aq_status aq_decoder_factors_create(const aq_params *params, aq_stats *stats, aq_pool *pool,
                                                  aq_fisher_factors **out, size_t *count, aq_error *err);
/* As aq_fisher_factors_bytes. */
uint64_t aq_decoder_factors_bytes(const aq_model *model, uint32_t threads, bool scratch);

#endif
