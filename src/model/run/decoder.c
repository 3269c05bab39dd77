/* decoder.c - a call: what is kept of the text so far, and all threads through the rest of it. */
#include "model/run/decoder.h"

#include "core/error.h"
#include "core/memory.h"

typedef struct call {
  aq_decoder *decoder;
  const aq_decoder_pass *pass;
  const float *states; /* for the head alone; NULL: the whole pass */
} call;

/* As many items as threads: whoever takes one stays in it until all are taken. */
static aq_status run_member(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const call *c = ctx;
  (void)worker;
  (void)err;
  if (c->states == NULL) {
    aq_decoder_pass_run(c->pass, (uint32_t)item, &c->decoder->scratch[item]);
  } else {
    aq_decoder_head_run(c->pass, (uint32_t)item, &c->decoder->scratch[item], c->states);
  }
  return AQ_OK;
}

static aq_status check_ids(const aq_decoder *d, const int32_t *ids, size_t count, aq_error *err) {
  const uint32_t vocabulary = d->model.config.vocabulary;
  for (size_t i = 0; i < count; i++) {
    AQ_FAIL_IF(ids[i] < 0 || (uint32_t)ids[i] >= vocabulary, AQ_ERR_ARGUMENT,
               "token %zu is %d; the model has %u of them", i, ids[i], vocabulary);
  }
  return AQ_OK;
}

static aq_status check_tokens(const aq_decoder *d, size_t past, const int32_t *ids, size_t count, size_t wanted,
                              aq_error *err) {
  AQ_FAIL_IF(past > d->held, AQ_ERR_ARGUMENT, "%zu tokens were to be kept; the decoder holds %zu", past, d->held);
  AQ_FAIL_IF(count == 0, AQ_ERR_ARGUMENT, "there are no tokens");
  AQ_FAIL_IF(wanted > count, AQ_ERR_ARGUMENT, "logits of %zu tokens were asked for, and %zu are given", wanted, count);
  if (count > d->context - past) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "the text has %zu tokens; the decoder was opened for %zu", past + count,
                  d->context);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Open it with a larger `context`: the model has positions for %u",
                         d->model.config.positions);
  }
  return check_ids(d, ids, count, err);
}

/* Positions of a longer text may be others (longrope), and then what is kept is of no use. */
static aq_status choose_ropes(aq_decoder *d, size_t past, size_t tokens, aq_error *err) {
  for (size_t i = 0; i < AQ_ROPES_MAX; i++) {
    const uint32_t set = aq_rope_set(&d->model.decoder.ropes[i], tokens);
    if (past > 0 && set != d->rope_sets[i]) {
      (void)aq_fail(
          err, AQ_ERR_UNSUPPORTED,
          "the text passes %u tokens, where the model's positions change, and its first %zu are kept from before",
          d->model.decoder.ropes[i].short_limit, past);
      return aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Run the whole text anew, keeping nothing");
    }
    d->rope_sets[i] = set;
  }
  return AQ_OK;
}

/* All threads through the pass, which has the tokens and what is wanted of them, or through the head alone, with
 * `states`. False in *finite when a logit is not. */
static aq_status run_team(aq_decoder *d, aq_decoder_pass *pass, const float *states, bool *finite, aq_error *err) {
  const uint32_t threads = aq_pool_threads(d->pool);
  atomic_bool nonfinite = false;
  aq_team team;
  pass->model = &d->model;
  pass->weights = &d->weights;
  if (pass->kernels == NULL) pass->kernels = aq_kernels_get();
  if (pass->caches == NULL) pass->caches = d->caches;
  pass->space = &d->space;
  pass->team = &team;
  pass->nonfinite = &nonfinite;
  for (size_t i = 0; i < AQ_ROPES_MAX; i++) pass->rope_sets[i] = d->rope_sets[i];
  pass->stop = &d->stop;
  call c = {d, pass, states};
  aq_stop_begin(&d->stop, d->progress);
  aq_team_init(&team, threads);
  aq_status status = aq_pool_run(d->pool, threads, run_member, &c, err);
  aq_team_reset(&team);
  *finite = !atomic_load(&nonfinite);
  if (status == AQ_OK) status = aq_stop_end(&d->stop, err);
  return status;
}

static aq_status run(aq_decoder *d, aq_decoder_pass *pass, aq_error *err) {
  bool finite;
  AQ_TRY(check_tokens(d, pass->first, pass->ids, pass->count, pass->wanted, err));
  AQ_TRY(choose_ropes(d, pass->first, pass->first + pass->count, err));
  d->held = pass->first; /* until the rest is there */
  AQ_TRY(run_team(d, pass, NULL, &finite, err));
  AQ_FAIL_IF(!finite, AQ_ERR_NONFINITE, "logits after tokens %zu to %zu of the text are not all finite", pass->first,
             pass->first + pass->count - 1);
  d->held = pass->first + pass->count;
  return AQ_OK;
}

static aq_status enter(aq_decoder *decoder, aq_error *err) {
  if (!atomic_exchange(&decoder->in_use, true)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "the decoder is in use by another thread, or was when this process was forked");
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Open one for each thread, and after a fork one in the child process");
}

aq_status aq_decoder_logits(aq_decoder *decoder, size_t past, const int32_t *ids, size_t count, size_t wanted,
                            float *logits, aq_error *err) {
  aq_decoder_pass pass = {.ids = ids, .first = past, .count = count, .wanted = wanted, .logits = logits};
  AQ_TRY(enter(decoder, err));
  const aq_status status = run(decoder, &pass, err);
  atomic_store(&decoder->in_use, false);
  return status;
}

aq_status aq_decoder_states(aq_decoder *decoder, size_t past, const int32_t *ids, size_t count, size_t wanted,
                            float *states, aq_error *err) {
  aq_decoder_pass pass = {.ids = ids, .first = past, .count = count, .wanted = wanted, .states = states};
  AQ_TRY(enter(decoder, err));
  const aq_status status = run(decoder, &pass, err);
  atomic_store(&decoder->in_use, false);
  return status;
}

aq_status aq_decoder_head(aq_decoder *decoder, const float *states, size_t count, float *logits, aq_error *err) {
  aq_decoder_pass pass = {.wanted = count, .logits = logits};
  bool finite = true;
  AQ_TRY(enter(decoder, err));
  const aq_status status = run_team(decoder, &pass, states, &finite, err);
  atomic_store(&decoder->in_use, false);
  AQ_TRY(status);
  AQ_FAIL_IF(!finite, AQ_ERR_NONFINITE, "logits are not all finite");
  return AQ_OK;
}

aq_status aq_decoder_losses(aq_decoder *decoder, const int32_t *ids, size_t count, double *losses, aq_error *err) {
  const size_t floats = AQ_DECODER_HEAD_ROWS * decoder->model.config.vocabulary;
  aq_decoder_pass pass = {.ids = ids, .count = count, .losses = losses};
  AQ_FAIL_IF(count < 2, AQ_ERR_ARGUMENT, "a text of %zu tokens has none that follows another", count);
  AQ_TRY(enter(decoder, err));
  pass.some_logits = aq_realloc_array(NULL, floats, sizeof *pass.some_logits);
  const aq_status status =
      pass.some_logits != NULL ? run(decoder, &pass, err) : aq_fail_memory(err, floats * sizeof *pass.some_logits);
  aq_free(pass.some_logits);
  atomic_store(&decoder->in_use, false);
  return status;
}

static aq_status run_step(aq_decoder *d, aq_decoder_pass *pass, aq_error *err) {
  bool finite;
  AQ_FAIL_IF(pass->first >= d->context, AQ_ERR_ARGUMENT, "position %zu was asked for; the decoder was opened for %zu",
             pass->first, d->context);
  AQ_TRY(check_ids(d, pass->ids, pass->count, err));
  AQ_TRY(choose_ropes(d, pass->first, pass->first + 1, err));
  d->held = 0;
  AQ_TRY(run_team(d, pass, NULL, &finite, err));
  AQ_FAIL_IF(!finite, AQ_ERR_NONFINITE, "logits after position %zu of several texts are not all finite", pass->first);
  return AQ_OK;
}

aq_status aq_decoder_step(aq_decoder *decoder, const aq_kernels *kernels, aq_kv_cache *caches, size_t past,
                          const int32_t *ids, size_t texts, float *logits, aq_error *err) {
  aq_decoder_pass pass = {.kernels = kernels,
                          .caches = caches,
                          .ids = ids,
                          .first = past,
                          .count = texts,
                          .apart = true,
                          .wanted = logits != NULL ? texts : 0,
                          .logits = logits};
  AQ_TRY(enter(decoder, err));
  const aq_status status = run_step(decoder, &pass, err);
  atomic_store(&decoder->in_use, false);
  return status;
}
