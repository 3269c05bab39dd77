/* predictions.c - decoders over windows of a text, and the figures of each position. */
#include "ops/evaluate/predictions.h"

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/pool.h"
#include "core/progress.h"
#include "io/source.h"
#include "model/nn/token_loss.h"
#include "model/run/decoder.h"

#define POSITIONS ((size_t)64) /* whose logits are held at a time */

/* ---- models and windows ---- */

aq_status aq_prediction_open(const aq_source *source, const aq_run_options *run, const char *folder,
                             const char *compute, uint32_t context, aq_decoder **out, aq_error *err) {
  aq_decoder_options o;
  aq_decoder_options_init(&o);
  o.threads = run->threads;
  o.folder = folder;
  o.compute = compute;
  o.context = context;
  return aq_decoder_open_source(source, &o, out, err);
}

aq_status aq_prediction_windows(aq_decoder *decoder, const aq_running_text_origin *origin, uint32_t context,
                                uint32_t most, aq_text_windows *out, aq_error *err) {
  const uint32_t length = context > 0 ? context : AQ_MIN(AQ_USUAL_WINDOW, aq_decoder_context(decoder));
  AQ_TRY(aq_model_need_tokenizer(&decoder->model, err));
  AQ_TRY(aq_text_windows_make(origin, decoder->model.tokenizer, length, most, out, err));
  return aq_text_windows_check(out, aq_decoder_vocabulary(decoder), err);
}

static aq_status name_model(const aq_decoder *decoder, aq_status status, aq_error *err) {
  const char *path = decoder->model.source->path;
  return status == AQ_OK || path == NULL ? status : aq_error_in_file(err, status, path);
}

aq_status aq_prediction_check_pair(const aq_decoder *reference, const aq_decoder *other, aq_error *err) {
  const uint32_t wanted = aq_decoder_vocabulary(reference), found = aq_decoder_vocabulary(other);
  if (wanted == found) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NO_MATCH, "the reference has a vocabulary of %u tokens, and the model one of %u", wanted,
                found);
  return name_model(reference, AQ_ERR_NO_MATCH, err);
}

/* ---- positions ---- */

typedef struct walk {
  const aq_prediction_job *job;
  aq_predictions *out;
  aq_pool *pool;
  size_t vocabulary;
  float *logits, *reference_logits; /* POSITIONS x vocabulary */
  size_t done;                      /* positions */
  const int32_t *next;              /* the tokens that follow those whose logits are held */
} walk;

static aq_status measure_position(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const walk *w = ctx;
  const size_t at = (size_t)item * w->vocabulary, next = (size_t)w->next[item];
  (void)worker;
  (void)err;
  if (w->out->tokens != NULL) {
    w->out->tokens[w->done + item] =
        aq_token_compare(w->reference_logits + at, w->logits + at, w->vocabulary, (uint32_t)next);
  } else {
    w->out->losses[w->done + item] = aq_token_loss(w->logits + at, w->vocabulary, next);
  }
  return AQ_OK;
}

static aq_status run_model(const walk *w, size_t past, const int32_t *ids, size_t count, size_t wanted, aq_error *err) {
  aq_decoder *model = w->job->model;
  if (w->job->states == NULL || wanted == 0) {
    return name_model(model, aq_decoder_logits(model, past, ids, count, wanted, wanted > 0 ? w->logits : NULL, err),
                      err);
  }
  float *states = w->job->states + w->done * model->model.config.hidden;
  aq_status status = aq_decoder_states(model, past, ids, count, wanted, states, err);
  if (status == AQ_OK) status = aq_decoder_head(model, states, wanted, w->logits, err);
  return name_model(model, status, err);
}

static aq_status run_reference(const walk *w, size_t past, const int32_t *ids, size_t count, size_t wanted,
                               aq_error *err) {
  aq_decoder *reference = w->job->reference;
  const float *states = w->job->reference_states;
  if (reference == NULL || (states != NULL && wanted == 0)) return AQ_OK;
  const aq_status status =
      states != NULL
          ? aq_decoder_head(reference, states + w->done * reference->model.config.hidden, wanted, w->reference_logits,
                            err)
          : aq_decoder_logits(reference, past, ids, count, wanted, wanted > 0 ? w->reference_logits : NULL, err);
  return name_model(reference, status, err);
}

static aq_status walk_window(walk *w, const int32_t *ids, aq_error *err) {
  const aq_text_windows *windows = w->job->windows;
  const size_t first = aq_text_windows_first_counted(windows), end = windows->length - 1;
  AQ_TRY(run_reference(w, 0, ids, first, 0, err));
  AQ_TRY(run_model(w, 0, ids, first, 0, err));
  for (size_t at = first; at < end; at += POSITIONS) {
    const size_t count = AQ_MIN(POSITIONS, end - at);
    AQ_TRY(run_reference(w, at, ids + at, count, count, err));
    AQ_TRY(run_model(w, at, ids + at, count, count, err));
    w->next = ids + at + 1;
    AQ_TRY(aq_pool_run(w->pool, count, measure_position, w, err));
    w->done += count;
  }
  return AQ_OK;
}

static aq_status walk_windows(walk *w, aq_error *err) {
  const aq_text_windows *windows = w->job->windows;
  aq_progress progress;
  aq_progress_begin(&progress, w->job->run, "perplexity", 0, windows->count * windows->length);
  for (size_t i = 0; i < windows->count; i++) {
    AQ_TRY(walk_window(w, windows->ids + i * windows->length, err));
    AQ_TRY(aq_progress_add(&progress, NULL, 0, windows->length, err));
  }
  return AQ_OK;
}

/* ---- memory ---- */

static aq_status allocate_logits(walk *w, aq_error *err) {
  const uint64_t max_memory = w->job->run->max_memory;
  uint64_t floats, bytes;
  const bool fits = aq_mul_ok(POSITIONS, w->vocabulary, &floats) && aq_mul_ok(floats, 2 * sizeof(float), &bytes);
  AQ_FAIL_IF(!fits || (max_memory > 0 && bytes > max_memory), AQ_ERR_MEMORY,
             "the logits of %zu positions of both models take more than the limit", POSITIONS);
  w->logits = aq_realloc_array(NULL, POSITIONS * w->vocabulary, sizeof *w->logits);
  if (w->job->reference != NULL) {
    w->reference_logits = aq_realloc_array(NULL, POSITIONS * w->vocabulary, sizeof *w->reference_logits);
  }
  const bool is_there = w->logits != NULL && (w->job->reference == NULL || w->reference_logits != NULL);
  return is_there ? AQ_OK : aq_fail_memory(err, (size_t)bytes);
}

static aq_status allocate_figures(const aq_prediction_job *job, aq_predictions *out, aq_error *err) {
  out->count = job->windows->count * aq_text_windows_counted(job->windows);
  if (job->reference != NULL) {
    out->tokens = aq_calloc(out->count, sizeof *out->tokens);
  } else {
    out->losses = aq_calloc(out->count, sizeof *out->losses);
  }
  const bool is_there = out->tokens != NULL || out->losses != NULL;
  return is_there ? AQ_OK : aq_fail_memory(err, out->count * sizeof *out->tokens);
}

aq_status aq_predictions_make(const aq_prediction_job *job, aq_predictions *out, aq_error *err) {
  walk w = {.job = job, .out = out, .vocabulary = aq_decoder_vocabulary(job->model)};
  *out = (aq_predictions){0};
  AQ_TRY(allocate_figures(job, out, err));
  aq_status status = aq_pool_create(job->run->threads, &w.pool, err);
  if (status == AQ_OK) status = allocate_logits(&w, err);
  if (status == AQ_OK) status = walk_windows(&w, err);
  aq_pool_free(w.pool);
  aq_free(w.logits);
  aq_free(w.reference_logits);
  return status;
}

void aq_predictions_reset(aq_predictions *predictions) {
  aq_free(predictions->losses);
  aq_free(predictions->tokens);
  *predictions = (aq_predictions){0};
}
