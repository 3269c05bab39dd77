/* perplexity.c - the operation "perplexity": how well a language model predicts a text, and beside a reference how far
 * its predictions are from that one's.
 *
 * Both models run in FP32, a quantized one on its dequantized values. Window by window, the tokens whose predictions do
 * not count go first; then a few positions at a time, so that logits take little memory whatever the vocabulary. */
#include <string.h>

#include "arrowquant_experimental.h"
#include "calib/text_windows.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/pool.h"
#include "core/progress.h"
#include "io/source.h"
#include "measure/divergence.h"
#include "model/nn/token_loss.h"
#include "model/run/decoder.h"
#include "ops/operation.h"
#include "ops/perplexity_json.h"
#include "report/report.h"
#include "report/source_json.h"

#define DEFAULT_WINDOW ((uint32_t)512)
#define POSITIONS ((size_t)64) /* whose logits are held at a time */

typedef struct study {
  const aq_perplexity_options *options;
  aq_pool *pool;
  aq_decoder *model, *reference; /* reference NULL: there is none */
  aq_text_windows windows;
  float *logits, *reference_logits; /* POSITIONS x vocabulary */
  uint32_t vocabulary;
  aq_token_figures *tokens; /* of all positions that count */
  double *losses;           /* the same without a reference */
  size_t done;              /* positions */
  const int32_t *next;      /* the tokens that follow those whose logits are held */
  json_t *root;
} study;

/* ---- beginning ---- */

static aq_status open_decoder(const study *s, const aq_source *source, aq_decoder **out, aq_error *err) {
  aq_decoder_options o;
  aq_decoder_options_init(&o);
  o.threads = s->options->run.threads;
  o.folder = s->options->folder;
  o.context = s->options->context;
  return aq_decoder_open_source(source, &o, out, err);
}

static aq_status open_models(study *s, const aq_source *model, const aq_source *reference, aq_error *err) {
  AQ_TRY(open_decoder(s, model, &s->model, err));
  s->vocabulary = aq_decoder_vocabulary(s->model);
  if (reference == NULL) return AQ_OK;
  AQ_TRY(open_decoder(s, reference, &s->reference, err));
  if (aq_decoder_vocabulary(s->reference) == s->vocabulary) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NO_MATCH, "the reference has a vocabulary of %u tokens, and the model one of %u",
                aq_decoder_vocabulary(s->reference), s->vocabulary);
  (void)aq_error_hint(err, AQ_ERR_NO_MATCH, "Name the model that was quantized as `against`");
  return aq_error_in_file(err, AQ_ERR_NO_MATCH, reference->path != NULL ? reference->path : "");
}

static aq_status make_windows(study *s, aq_error *err) {
  const aq_running_text_origin origin = {s->options->texts_file, &s->options->texts};
  const uint32_t most = AQ_MIN(DEFAULT_WINDOW, aq_decoder_context(s->model));
  const uint32_t length = s->options->context > 0 ? s->options->context : most;
  AQ_TRY(aq_model_need_tokenizer(&s->model->model, err));
  AQ_TRY(aq_text_windows_make(&origin, s->model->model.tokenizer, length, s->options->windows, &s->windows, err));
  for (size_t i = 0; i < s->windows.count * s->windows.length; i++) {
    AQ_FAIL_IF((uint32_t)s->windows.ids[i] >= s->vocabulary, AQ_ERR_FORMAT,
               "the tokenizer gives token %d, and the model has %u", s->windows.ids[i], s->vocabulary);
  }
  return AQ_OK;
}

static aq_status allocate_numbers(study *s, aq_error *err) {
  const size_t positions = s->windows.count * aq_text_windows_counted(&s->windows);
  uint64_t floats, bytes;
  const bool fits = aq_mul_ok(POSITIONS, s->vocabulary, &floats) && aq_mul_ok(floats, 2 * sizeof(float), &bytes);
  AQ_FAIL_IF(!fits || (s->options->run.max_memory > 0 && bytes > s->options->run.max_memory), AQ_ERR_MEMORY,
             "the logits of %zu positions of both models take more than the limit", POSITIONS);
  s->logits = aq_realloc_array(NULL, POSITIONS * (size_t)s->vocabulary, sizeof *s->logits);
  s->losses = aq_calloc(positions, sizeof *s->losses);
  bool is_there = s->logits != NULL && s->losses != NULL;
  if (s->reference != NULL) {
    s->reference_logits = aq_realloc_array(NULL, POSITIONS * (size_t)s->vocabulary, sizeof *s->reference_logits);
    s->tokens = aq_calloc(positions, sizeof *s->tokens);
    is_there = is_there && s->reference_logits != NULL && s->tokens != NULL;
  }
  return is_there ? AQ_OK : aq_fail_memory(err, bytes + positions * sizeof *s->tokens);
}

/* ---- windows ---- */

static aq_status compare_position(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  study *s = ctx;
  const size_t at = (size_t)item * s->vocabulary;
  (void)worker;
  (void)err;
  if (s->reference != NULL) {
    aq_token_figures *f = &s->tokens[s->done + item];
    *f = aq_token_compare(s->reference_logits + at, s->logits + at, s->vocabulary, (uint32_t)s->next[item]);
    s->losses[s->done + item] = f->loss;
  } else {
    s->losses[s->done + item] = aq_token_loss(s->logits + at, s->vocabulary, (uint32_t)s->next[item]);
  }
  return AQ_OK;
}

static aq_status run_models(const study *s, size_t past, const int32_t *ids, size_t count, size_t wanted,
                            aq_error *err) {
  if (s->reference != NULL) {
    AQ_TRY(aq_decoder_logits(s->reference, past, ids, count, wanted, wanted > 0 ? s->reference_logits : NULL, err));
  }
  return aq_decoder_logits(s->model, past, ids, count, wanted, wanted > 0 ? s->logits : NULL, err);
}

static aq_status run_window(study *s, const int32_t *ids, aq_error *err) {
  const size_t first = aq_text_windows_first_counted(&s->windows), end = s->windows.length - 1;
  AQ_TRY(run_models(s, 0, ids, first, 0, err));
  for (size_t at = first; at < end; at += POSITIONS) {
    const size_t count = AQ_MIN(POSITIONS, end - at);
    AQ_TRY(run_models(s, at, ids + at, count, count, err));
    s->next = ids + at + 1;
    AQ_TRY(aq_pool_run(s->pool, count, compare_position, s, err));
    s->done += count;
  }
  return AQ_OK;
}

static aq_status run_windows(study *s, aq_error *err) {
  aq_progress progress;
  aq_progress_begin(&progress, &s->options->run, "perplexity", 0, s->windows.count * s->windows.length);
  for (size_t w = 0; w < s->windows.count; w++) {
    AQ_TRY(run_window(s, s->windows.ids + w * s->windows.length, err));
    AQ_TRY(aq_progress_add(&progress, NULL, 0, s->windows.length, err));
  }
  return AQ_OK;
}

/* ---- the report ---- */

static aq_status set_decoder(json_t *root, const char *key, const aq_source *source, const aq_decoder *decoder,
                             aq_error *err) {
  json_t *notes = json_array();
  AQ_TRY(aq_report_set(root, key, aq_source_json(source), err));
  AQ_TRY(aq_report_set(json_object_get(root, key), "runtime_notes", notes, err));
  for (size_t i = 0; i < aq_decoder_note_count(decoder); i++) {
    AQ_TRY(aq_report_append(notes, aq_json_string(aq_decoder_note(decoder, i)), err));
  }
  return AQ_OK;
}

static aq_status fill_report(const study *s, const aq_source *model, const aq_source *reference, double seconds,
                             aq_error *err) {
  const char *file = s->options->texts_file;
  const char *from = file != NULL ? file : s->options->texts.texts != NULL ? "list" : "built-in";
  AQ_TRY(set_decoder(s->root, "model", model, s->model, err));
  if (reference != NULL) AQ_TRY(set_decoder(s->root, "reference", reference, s->reference, err));
  AQ_TRY(aq_report_set(s->root, "texts", aq_text_windows_json(&s->windows, from), err));
  if (reference != NULL) {
    aq_divergence d;
    AQ_TRY(aq_divergence_of(s->tokens, s->done, &d, err));
    AQ_TRY(aq_report_set(s->root, "perplexity", aq_text_loss_json(&d.other), err));
    AQ_TRY(aq_report_set(s->root, "reference_perplexity", aq_text_loss_json(&d.reference), err));
    AQ_TRY(aq_report_set(s->root, "divergence", aq_divergence_json(&d), err));
  } else {
    aq_text_loss p;
    aq_text_loss_of(s->losses, s->done, &p);
    AQ_TRY(aq_report_set(s->root, "perplexity", aq_text_loss_json(&p), err));
  }
  AQ_TRY(aq_report_set(s->root, "seconds", aq_json_real(seconds), err));
  const double tokens = (double)(s->windows.count * s->windows.length);
  return aq_report_set(s->root, "tokens_per_second", aq_json_real(tokens / seconds), err);
}

static aq_status run_study(study *s, const aq_source *model, const aq_source *reference, aq_error *err) {
  AQ_TRY(aq_pool_create(s->options->run.threads, &s->pool, err));
  AQ_TRY(open_models(s, model, reference, err));
  AQ_TRY(make_windows(s, err));
  AQ_TRY(allocate_numbers(s, err));
  const double started = aq_clock();
  AQ_TRY(run_windows(s, err));
  return fill_report(s, model, reference, aq_clock() - started, err);
}

static void reset_study(study *s) {
  aq_decoder_close(s->model);
  aq_decoder_close(s->reference);
  aq_text_windows_reset(&s->windows);
  aq_pool_free(s->pool);
  aq_free(s->logits);
  aq_free(s->reference_logits);
  aq_free(s->tokens);
  aq_free(s->losses);
}

static aq_status open_reference(const aq_perplexity_options *o, aq_source **out, aq_error *err) {
  aq_source_options options;
  *out = NULL;
  if (o->against == NULL) return AQ_OK;
  aq_source_options_init(&options);
  options.max_memory = o->run.max_memory;
  return aq_source_open(o->against, &options, out, err);
}

aq_status aq_perplexity_source(const aq_source *model, const aq_perplexity_options *options, aq_report **report,
                               aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_perplexity_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&own.run, "run", err));
  AQ_FAIL_IF(model == NULL, AQ_ERR_ARGUMENT, "a model is needed");
  aq_source *reference;
  AQ_TRY(open_reference(&own, &reference, err));
  aq_report *made = NULL;
  aq_status status = aq_report_create("perplexity", &made, err);
  if (status == AQ_OK) {
    study s = {.options = &own, .root = made->root};
    status = run_study(&s, model, reference, err);
    reset_study(&s);
    status = aq_report_finish(status, made, report);
  }
  aq_source_close(reference);
  return status;
}

aq_status aq_perplexity(const char *path, const aq_perplexity_options *options, aq_report **report, aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open(path, options, report, &source, err));
  const aq_status status = aq_perplexity_source(source, options, report, err);
  aq_source_close(source);
  return status;
}
