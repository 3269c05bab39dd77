/* divergence.h - how far a language model's next-token predictions are from those of a reference, and how well each
 * predicts a text.
 *
 * At a position whose next token is known to be t, let p be the distribution of the reference (the softmax of its
 * logits) and q that of the other model:
 *   loss        -ln q(t), in nats; the perplexity is exp of its mean
 *   divergence  KL(p || q) = sum over tokens of p (ln p - ln q), in nats (Kullback and Leibler, 1951)
 *   top         the token of the largest logit, the first of equals
 * All sums run in double precision, in the order of the vocabulary, so that no figure depends on the number of threads.
 */
#ifndef AQ_MEASURE_DIVERGENCE_H
#define AQ_MEASURE_DIVERGENCE_H

#include "arrowquant.h"

typedef struct aq_token_figures {
  double reference_loss, loss;       /* NaN when `is_finite` is false */
  double divergence;                 /* at least 0 */
  double confidence;                 /* p of the reference's top token */
  bool is_finite;                    /* no logit of either model is NaN or infinite */
  bool same_top;                     /* both models have the same top token */
  bool reference_is_right, is_right; /* the top token is t */
} aq_token_figures;

/* reference, other: `vocabulary` logits each, vocabulary > 0; next: an index in them. */
aq_token_figures aq_token_compare(const float *reference, const float *other, size_t vocabulary, uint32_t next);

/* Mean loss of positions, its standard error (deviation / sqrt(count), positions taken as independent) and the
 * perplexity with the same (perplexity times the error of the loss). */
typedef struct aq_text_loss {
  size_t count;
  double loss, loss_error, perplexity, perplexity_error;
} aq_text_loss;
void aq_text_loss_of(const double *losses, size_t count, aq_text_loss *out);

/* Positions by the reference's own confidence: [0, .25), [.25, .5), [.5, .75), [.75, .95), [.95, 1]. */
#define AQ_CONFIDENCE_BUCKETS 5
typedef struct aq_confidence_bucket {
  double from, to;
  size_t count;
  double divergence, agreement; /* means; NaN of none */
} aq_confidence_bucket;

/* Of positions whose logits are finite; a figure over none is NaN. Percentiles as in metrics.h. */
typedef struct aq_divergence {
  size_t count, nonfinite; /* positions, and those of them that are left out of all that follows */
  aq_text_loss reference, other;
  double mean, p50, p90, p99, p999, max; /* of the divergence */
  double agreement;                      /* share of positions with the same top token */
  double flips;                          /* share of positions where one model is right and the other is not */
  aq_confidence_bucket buckets[AQ_CONFIDENCE_BUCKETS];
} aq_divergence;
AQ_MUST_CHECK aq_status aq_divergence_of(const aq_token_figures *tokens, size_t count, aq_divergence *out,
                                         aq_error *err);

#endif
