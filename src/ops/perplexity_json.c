/* perplexity_json.c - what a language model was measured to predict, as parts of a report. */
#include "ops/perplexity_json.h"

#include "report/report.h"

json_t *aq_text_windows_json(const aq_text_windows *windows, const char *source) {
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "source", aq_json_string(source), "bytes",
                   aq_json_count(windows->bytes), "tokens", aq_json_count(windows->tokens), "windows",
                   aq_json_count(windows->count), "window", aq_json_count(windows->length), "positions",
                   aq_json_count(windows->count * aq_text_windows_counted(windows)), "hash", windows->hash);
}

json_t *aq_text_loss_json(const aq_text_loss *perplexity) {
  return json_pack("{s:o, s:o, s:o, s:o}", "value", aq_json_real(perplexity->perplexity), "error",
                   aq_json_real(perplexity->perplexity_error), "loss", aq_json_real(perplexity->loss), "loss_error",
                   aq_json_real(perplexity->loss_error));
}

static json_t *bucket_json(const aq_confidence_bucket *bucket) {
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "from", aq_json_real(bucket->from), "to", aq_json_real(bucket->to),
                   "positions", aq_json_count(bucket->count), "mean", aq_json_real(bucket->divergence), "top_agreement",
                   aq_json_real(bucket->agreement));
}

json_t *aq_divergence_json(const aq_divergence *d) {
  json_t *buckets = json_array();
  for (size_t b = 0; buckets != NULL && b < AQ_CONFIDENCE_BUCKETS; b++) {
    if (json_array_append_new(buckets, bucket_json(&d->buckets[b])) == 0) continue;
    json_decref(buckets);
    buckets = NULL;
  }
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "mean", aq_json_real(d->mean), "median",
                   aq_json_real(d->p50), "p90", aq_json_real(d->p90), "p99", aq_json_real(d->p99), "p99_9",
                   aq_json_real(d->p999), "max", aq_json_real(d->max), "top_agreement", aq_json_real(d->agreement),
                   "flips", aq_json_real(d->flips), "nonfinite", aq_json_count(d->nonfinite), "by_confidence", buckets);
}
