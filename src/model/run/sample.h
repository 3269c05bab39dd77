/* sample.h - the next token of a text, from the logits of a decoder. */
#ifndef AQ_MODEL_RUN_SAMPLE_H
#define AQ_MODEL_RUN_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

/* Logits are divided by the temperature; of the tokens in order of their probability, the first of equals first, those
 * are drawn from whose probabilities reach top_p together (nucleus sampling: Holtzman et al., 2019). temperature 0: the
 * token of the largest logit, the first of equals. One seed gives one row of random numbers. */
typedef struct aq_sampler {
  double temperature; /* >= 0 */
  double top_p;       /* above 0, at most 1 */
  uint64_t state;
  struct aq_sample_candidate *candidates; /* one per token */
  size_t vocabulary;
} aq_sampler;

/* AQ_ERR_ARGUMENT names what is out of range. Zero-initialise; reset it also after a failure. */
AQ_MUST_CHECK aq_status aq_sampler_init(aq_sampler *sampler, double temperature, double top_p, uint64_t seed,
                                        size_t vocabulary, aq_error *err);
void aq_sampler_reset(aq_sampler *sampler);

/* logits: `vocabulary` of them, all finite. */
int32_t aq_sampler_next(aq_sampler *sampler, const float *logits);

#endif
