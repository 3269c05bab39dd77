/* divergence.c - next-token predictions of two language models side by side.
 *
 * With x_i, y_i the logits of the reference and of the other, less the largest of each, z_p = ln sum exp(x_i) and z_q =
 * ln sum exp(y_i),
 *
 *     KL(p || q) = sum of p_i ((x_i - z_p) - (y_i - z_q)) = sum of p_i (x_i - y_i) - z_p + z_q
 *
 * Less the largest, no exponential overflows, and what all logits have in common costs no digits. Rounding may carry a
 * divergence of equal distributions below 0 by some 1e-15; it is 0 then. */
#include "measure/divergence.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/metrics.h"

static const double bucket_bounds[AQ_CONFIDENCE_BUCKETS + 1] = {0, .25, .5, .75, .95, 1};

typedef struct softmax_sum {
  size_t top;
  double top_logit;
  double log_sum; /* ln of the sum of exponentials of all logits less the largest */
  bool is_finite;
} softmax_sum;

static softmax_sum sum_exponentials(const float *logits, size_t count) {
  softmax_sum s = {.is_finite = true};
  for (size_t i = 0; i < count; i++) {
    s.is_finite = s.is_finite && isfinite(logits[i]);
    if (logits[i] > logits[s.top]) s.top = i;
  }
  if (!s.is_finite) return s;
  s.top_logit = (double)logits[s.top];
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += exp((double)logits[i] - s.top_logit);
  s.log_sum = log(sum);
  return s;
}

/* A logit less the largest. */
static double relative_logit(const softmax_sum *s, float logit) { return (double)logit - s->top_logit; }

aq_token_figures aq_token_compare(const float *reference, const float *other, size_t vocabulary, uint32_t next) {
  const softmax_sum p = sum_exponentials(reference, vocabulary), q = sum_exponentials(other, vocabulary);
  aq_token_figures f = {.reference_loss = (double)NAN, .loss = (double)NAN, .divergence = (double)NAN};
  f.is_finite = p.is_finite && q.is_finite;
  if (!f.is_finite) return f;
  double difference = 0;
  for (size_t i = 0; i < vocabulary; i++) {
    const double x = relative_logit(&p, reference[i]), y = relative_logit(&q, other[i]);
    difference += exp(x - p.log_sum) * (x - y);
  }
  f.divergence = fmax(0, difference - p.log_sum + q.log_sum);
  f.reference_loss = p.log_sum - relative_logit(&p, reference[next]);
  f.loss = q.log_sum - relative_logit(&q, other[next]);
  f.confidence = exp(-p.log_sum);
  f.same_top = p.top == q.top;
  f.reference_is_right = p.top == next;
  f.is_right = q.top == next;
  return f;
}

void aq_text_loss_of(const double *losses, size_t count, aq_text_loss *out) {
  double sum = 0, squares = 0;
  for (size_t i = 0; i < count; i++) sum += losses[i];
  const double n = (double)count, mean = sum / n;
  for (size_t i = 0; i < count; i++) squares += (losses[i] - mean) * (losses[i] - mean);
  out->count = count;
  out->loss = mean;
  out->loss_error = sqrt(squares / (n - 1) / n); /* NaN of one or none, which have no deviation */
  out->perplexity = exp(mean);
  out->perplexity_error = out->perplexity * out->loss_error;
}

static void divide_by_confidence(const aq_token_figures *tokens, size_t count, aq_confidence_bucket *buckets) {
  for (size_t b = 0; b < AQ_CONFIDENCE_BUCKETS; b++) {
    aq_confidence_bucket *bucket = &buckets[b];
    *bucket = (aq_confidence_bucket){.from = bucket_bounds[b], .to = bucket_bounds[b + 1]};
    double divergence = 0;
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
      const double c = tokens[i].confidence;
      if (!tokens[i].is_finite || c < bucket->from || (c >= bucket->to && b + 1 < AQ_CONFIDENCE_BUCKETS)) continue;
      divergence += tokens[i].divergence;
      same += tokens[i].same_top;
      bucket->count++;
    }
    bucket->divergence = divergence / (double)bucket->count;
    bucket->agreement = (double)same / (double)bucket->count;
  }
}

static int compare_numbers(const void *left, const void *right) {
  const double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

/* The member at an offset, of all positions whose logits are finite; returns their number. */
static size_t collect_member(const aq_token_figures *tokens, size_t count, size_t offset, double *values) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (tokens[i].is_finite) memcpy(&values[n++], (const char *)&tokens[i] + offset, sizeof *values);
  }
  return n;
}

static void count_tops(const aq_token_figures *tokens, size_t count, size_t finite, aq_divergence *out) {
  size_t same = 0, flips = 0;
  for (size_t i = 0; i < count; i++) {
    if (!tokens[i].is_finite) continue;
    same += tokens[i].same_top;
    flips += tokens[i].is_right != tokens[i].reference_is_right;
  }
  out->agreement = (double)same / (double)finite;
  out->flips = (double)flips / (double)finite;
}

/* `values` has room for a number a position. */
static void fill_figures(const aq_token_figures *tokens, size_t count, double *values, aq_divergence *out) {
  size_t n = collect_member(tokens, count, offsetof(aq_token_figures, reference_loss), values);
  aq_text_loss_of(values, n, &out->reference);
  n = collect_member(tokens, count, offsetof(aq_token_figures, loss), values);
  aq_text_loss_of(values, n, &out->other);
  n = collect_member(tokens, count, offsetof(aq_token_figures, divergence), values);
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += values[i];
  qsort(values, n, sizeof *values, compare_numbers);
  out->count = count;
  out->nonfinite = count - n;
  out->mean = sum / (double)n;
  out->p50 = aq_percentile(values, n, 50);
  out->p90 = aq_percentile(values, n, 90);
  out->p99 = aq_percentile(values, n, 99);
  out->p999 = aq_percentile(values, n, 99.9);
  out->max = aq_percentile(values, n, 100);
  count_tops(tokens, count, n, out);
}

aq_status aq_divergence_of(const aq_token_figures *tokens, size_t count, aq_divergence *out, aq_error *err) {
  double *values = aq_realloc_array(NULL, count > 0 ? count : 1, sizeof *values);
  if (values == NULL) return aq_fail_memory(err, count * sizeof *values);
  fill_figures(tokens, count, values, out);
  divide_by_confidence(tokens, count, out->buckets);
  aq_free(values);
  return AQ_OK;
}
