/* sample.c - the next token of a text.
 *
 * Sorting a vocabulary of 150,000 for each token would take longer than some models: tokens of a probability below
 * (1 - top_p) / vocabulary are left out before. All of them together have less than 1 - top_p, so that those which stay
 * reach top_p, and being the smallest they would not have been among the first to do so. */
#include "model/run/sample.h"

#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"

typedef struct aq_sample_candidate {
  double probability;
  int32_t token;
} aq_sample_candidate;

aq_status aq_sampler_init(aq_sampler *sampler, double temperature, double top_p, uint64_t seed, size_t vocabulary,
                          aq_error *err) {
  AQ_FAIL_IF(!(temperature >= 0 && temperature <= 100), AQ_ERR_ARGUMENT, "a temperature of %g is not between 0 and 100",
             temperature);
  AQ_FAIL_IF(!(top_p > 0 && top_p <= 1), AQ_ERR_ARGUMENT, "a top_p of %g is not above 0 and at most 1", top_p);
  *sampler = (aq_sampler){temperature, top_p, aq_splitmix_mix(seed + AQ_SPLITMIX_GAMMA), NULL, vocabulary};
  sampler->candidates = aq_calloc(vocabulary, sizeof *sampler->candidates);
  return sampler->candidates != NULL ? AQ_OK : aq_fail_memory(err, vocabulary * sizeof *sampler->candidates);
}

void aq_sampler_reset(aq_sampler *sampler) {
  aq_free(sampler->candidates);
  sampler->candidates = NULL;
}

static size_t find_largest(const float *logits, size_t count) {
  size_t largest = 0;
  for (size_t i = 1; i < count; i++) {
    if (logits[i] > logits[largest]) largest = i;
  }
  return largest;
}

static int compare_candidates(const void *left, const void *right) {
  const aq_sample_candidate *a = left, *b = right;
  if (a->probability != b->probability) return a->probability > b->probability ? -1 : 1;
  return a->token < b->token ? -1 : 1;
}

/* Tokens that may be drawn, and what their probabilities come to (relative to the largest, not to 1). */
static size_t list_candidates(aq_sampler *s, const float *logits, double *total) {
  const double largest = (double)logits[find_largest(logits, s->vocabulary)];
  double sum = 0;
  for (size_t i = 0; i < s->vocabulary; i++) sum += exp(((double)logits[i] - largest) / s->temperature);
  const double least = s->top_p < 1 ? sum * (1 - s->top_p) / (double)s->vocabulary : 0;
  size_t count = 0;
  *total = 0;
  for (size_t i = 0; i < s->vocabulary; i++) {
    const double p = exp(((double)logits[i] - largest) / s->temperature);
    if (p < least) continue;
    s->candidates[count++] = (aq_sample_candidate){p, (int32_t)i};
    *total += p;
  }
  if (s->top_p == 1) return count;
  qsort(s->candidates, count, sizeof *s->candidates, compare_candidates);
  size_t kept = 0;
  for (*total = 0; kept < count && *total < sum * s->top_p; kept++) *total += s->candidates[kept].probability;
  return kept;
}

int32_t aq_sampler_next(aq_sampler *sampler, const float *logits) {
  if (!(sampler->temperature > 0)) return (int32_t)find_largest(logits, sampler->vocabulary);
  double total;
  const size_t count = list_candidates(sampler, logits, &total);
  const double uniform = (double)(aq_splitmix_next(&sampler->state) >> 11) * 0x1p-53, wanted = uniform * total;
  double passed = 0;
  for (size_t i = 0; i + 1 < count; i++) {
    passed += sampler->candidates[i].probability;
    if (passed > wanted) return sampler->candidates[i].token;
  }
  return sampler->candidates[count - 1].token;
}
