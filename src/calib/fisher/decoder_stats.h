/* decoder_stats.h - what calibration texts say about a decoder: how much its next-token probabilities feel an error of
 * each weight.
 *
 * The loss of a token is -log p(y) of a next token y that is drawn from p, the model's own probabilities: the mean of
 * g g^T over y, g the gradient at an activation, is the Fisher matrix there, the curvature of the KL divergence. For
 * token t let g_t be the gradient at the output y = W x of a linear, and x_t its input. With means over tokens,
 *
 *     a = mean |g_t|^2 x_t x_t^T       G = mean |x_t|^2 g_t g_t^T       moments = mean x_t x_t^T / |x_t|^2
 *
 * (as in K-FAC, Martens and Grosse, 2015, but each factor weighted by the size of the other). tr a = tr G, and an error
 * E of W raises the KL divergence by 1/2 mean (g_t^T E x_t)^2, about 1/2 tr(G E a E^T) / tr a nats per token. Of G the
 * diagonal is gathered, g: planning takes the rows of a matrix as independent. g_t holds
 * what later tokens feel, too; terms between tokens are left out.
 *
 * Of the head: head_a = mean h h^T, h what the head reads, and head_rows[v] = mean p_v (1 - p_v) s_v^2 |h|^2, s_v the
 * slope of the cap, 1 without: the KL divergence of changed logits is half the variance of the change under p, and with
 * errors e_v of rows that know nothing of each other about 1/2 sum over v of head_rows[v] e_v^T head_a e_v / tr head_a.
 *
 * Of the table of tokens as it is looked up, d the gradient at its row: word_g = mean over tokens d d^T,
 * word_squares[v] the sum of |d|^2 where token v stands: an error e of row v raises the KL divergence by about 1/2
 * (word_squares[v] / tokens) e^T word_g e / tr word_g. A tied table feels both. */
#ifndef AQ_CALIB_FISHER_DECODER_STATS_H
#define AQ_CALIB_FISHER_DECODER_STATS_H

#include "calib/fisher/stats.h"

/* As aq_stats_gather; texts are windows of tokens, cut at 512 by default, and y is a stream of its own for each text. A
 * pass ends at first_layer. The head's statistics come with the last layer, those of the table with the first. */
AQ_MUST_CHECK aq_status aq_decoder_stats_gather(const aq_params *params, const int32_t *const *ids,
                                                const uint32_t *lengths, size_t texts, const aq_stats_options *options,
                                                aq_pool *pool, aq_progress *progress, aq_stats *out, aq_error *err);

#endif
