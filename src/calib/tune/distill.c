/* distill.c - distances from the teacher, text by text.
 *
 * Sums of a text are taken in double, and those of all texts in their order, whoever computed them. */
#include "calib/tune/distill.h"

#include <math.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

aq_status aq_distill_init(aq_distill *distill, const aq_hint_layers *hints, uint32_t layers, size_t hidden,
                          const aq_text_batches *batches, aq_error *err) {
  *distill = (aq_distill){.hints = *hints};
  distill->d_embeddings = aq_calloc(batches->most_texts * hidden, sizeof(float));
  distill->d_hints = aq_calloc(hints->count * batches->most_tokens * hidden, sizeof(float));
  distill->d_hidden = aq_calloc((size_t)layers + 1, sizeof *distill->d_hidden);
  distill->losses = aq_calloc(batches->most_texts, sizeof *distill->losses);
  if (distill->d_embeddings != NULL && distill->d_hints != NULL && distill->d_hidden != NULL &&
      distill->losses != NULL) {
    return AQ_OK;
  }
  aq_distill_reset(distill);
  return aq_fail_memory(err, batches->most_tokens * hidden * sizeof(float));
}

void aq_distill_reset(aq_distill *distill) {
  aq_free(distill->d_embeddings);
  aq_free(distill->d_hints);
  aq_free((void *)distill->d_hidden);
  aq_free(distill->losses);
  *distill = (aq_distill){0};
}

/* d(1 - cos)/da = cos * a / |a|^2 - b / (|a| |b|) */
double aq_cosine_loss(const float *a, const float *b, size_t n, double factor, float *da) {
  double aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < n; i++) {
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
    ab += (double)a[i] * (double)b[i];
  }
  const bool zero = !(aa > 0 && bb > 0);
  const double lengths = sqrt(aa * bb);
  const double of_a = zero ? 0 : factor * ab / (lengths * aa), of_b = zero ? 0 : factor / lengths;
  for (size_t i = 0; da != NULL && i < n; i++) da[i] = (float)(of_a * (double)a[i] - of_b * (double)b[i]);
  return zero ? 1 : 1 - ab / lengths;
}

/* |a - b|^2 / |b|^2; its gradient at a times `factor`. A teacher's zero, which no norm gives, counts nothing. */
static double token_loss(const float *restrict a, const float *restrict b, size_t n, double factor,
                         float *restrict da) {
  double dd = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = (double)a[i] - (double)b[i];
    dd += d * d;
    bb += (double)b[i] * (double)b[i];
  }
  const float slope = bb > 0 ? (float)(2 * factor / bb) : 0;
  for (size_t i = 0; i < n; i++) da[i] = slope * (a[i] - b[i]);
  return bb > 0 ? dd / bb : 0;
}

typedef struct job {
  aq_distill *distill;
  const aq_tape *tape;
  const aq_target *target;
  size_t hidden;
  double text_factor, token_factor;
} job;

static aq_status run_text(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const job *j = ctx;
  const size_t text = (size_t)item, n = j->hidden, state = j->tape->tokens * n;
  aq_distill *d = j->distill;
  aq_distill_loss *loss = &d->losses[text];
  (void)worker;
  (void)err;
  loss->embedding = aq_cosine_loss(j->tape->embeddings + text * n, j->target->embeddings + text * n, n, j->text_factor,
                                   d->d_embeddings + text * n);
  loss->hidden = 0;
  for (size_t tap = 0; tap < d->hints.count; tap++) {
    const float *mine = j->tape->hidden[d->hints.at[tap]], *theirs = j->target->hidden[tap];
    for (size_t t = j->tape->first[text]; t < j->tape->first[text + 1]; t++) {
      loss->hidden += token_loss(mine + t * n, theirs + t * n, n, j->token_factor, d->d_hints + tap * state + t * n);
    }
  }
  return AQ_OK;
}

aq_status aq_distill_run(aq_distill *distill, const aq_tape *tape, const aq_target *target, double weight,
                         aq_pool *pool, aq_distill_loss *loss, aq_error *err) {
  const size_t hidden = tape->config->hidden;
  const double texts = (double)tape->texts, parts = (double)(tape->tokens * distill->hints.count);
  job j = {distill, tape, target, hidden, 1 / texts, weight / parts};
  AQ_TRY(aq_pool_run(pool, tape->texts, run_text, &j, err));
  for (size_t tap = 0; tap < distill->hints.count; tap++) {
    distill->d_hidden[distill->hints.at[tap]] = distill->d_hints + tap * tape->tokens * hidden;
  }
  *loss = (aq_distill_loss){0};
  for (size_t text = 0; text < tape->texts; text++) {
    loss->embedding += distill->losses[text].embedding / texts;
    loss->hidden += distill->losses[text].hidden / parts;
  }
  return AQ_OK;
}
