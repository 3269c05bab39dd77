/* generate.c - the operation "generate": a prompt and what a decoder makes of it, token by token. */
#include <string.h>

#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/model_files.h"
#include "io/source.h"
#include "model/end_tokens.h"
#include "model/run/decoder.h"
#include "model/run/sample.h"
#include "ops/operation.h"
#include "ops/stop_texts.h"
#include "report/report.h"
#include "report/source_json.h"

#define DEFAULT_TOKENS ((uint32_t)128)

typedef struct generation {
  const aq_generate_options *options;
  aq_decoder *decoder;
  aq_end_tokens ends;
  aq_notes notes;
  aq_token_ids ids; /* of the prompt */
  aq_token_stream *stream;
  aq_sampler sampler;
  aq_stop_texts text;
  float *logits;
  aq_progress progress;
  size_t tokens; /* that were written, the one that ends the text left out */
  const char *stopped_by;
  double prompt_seconds, seconds; /* the second: from the end of the prompt on */
} generation;

/* ---- beginning ---- */

static aq_status check_options(const aq_generate_options *o, aq_error *err) {
  AQ_TRY(AQ_RESERVED_CHECK(&o->run, "run", err));
  AQ_TRY(AQ_RESERVED_CHECK(&o->stops, "stops", err));
  AQ_FAIL_IF(o->prompt == NULL, AQ_ERR_ARGUMENT, "a prompt is needed");
  for (size_t i = 0; i < o->stops.count; i++) {
    const char *stop = o->stops.texts[i];
    AQ_FAIL_IF(stop[0] == '\0', AQ_ERR_ARGUMENT, "stop %zu is empty", i);
    AQ_FAIL_IF(o->stops.lengths != NULL && o->stops.lengths[i] != strlen(stop), AQ_ERR_ARGUMENT,
               "stop %zu has a zero byte", i);
  }
  return AQ_OK;
}

static aq_status note_chat_template(const aq_model *model, aq_notes *notes, aq_error *err) {
  static const char *const files[] = {"chat_template.jinja", "tokenizer_config.json"};
  for (size_t i = 0; i < AQ_COUNT_OF(files); i++) {
    char *text;
    size_t size;
    AQ_TRY(aq_model_file_read(model->source, model->folder, files[i], &text, &size, err));
    const bool has_template = text != NULL && (i == 0 || strstr(text, "\"chat_template\"") != NULL);
    aq_free(text);
    if (!has_template) continue;
    return aq_notes_add(notes, err, "the model has a chat template, which is not applied: the prompt is used as it is");
  }
  return AQ_OK;
}

static aq_status encode_prompt(generation *g, aq_error *err) {
  const aq_generate_options *o = g->options;
  const size_t context = aq_decoder_context(g->decoder);
  AQ_TRY(aq_model_need_tokenizer(&g->decoder->model, err));
  AQ_TRY(aq_tokenizer_encode(g->decoder->model.tokenizer, o->prompt, strlen(o->prompt), 0, true, &g->ids, err));
  AQ_FAIL_IF(g->ids.count == 0, AQ_ERR_ARGUMENT, "the prompt has no token, and the model needs one to begin with");
  if (g->ids.count < context) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "the prompt has %zu tokens, and the decoder was opened for texts of %zu",
                g->ids.count, context);
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Shorten it, or set a larger `context`");
}

static aq_status begin_generation(generation *g, aq_error *err) {
  const aq_generate_options *o = g->options;
  const uint32_t vocabulary = aq_decoder_vocabulary(g->decoder);
  const double top_p = o->top_p > 0 || o->top_p < 0 ? o->top_p : 1;
  g->text = (aq_stop_texts){.stops = o->stops.texts, .stop_count = o->stops.count};
  AQ_TRY(aq_sampler_init(&g->sampler, o->temperature, top_p, o->seed, vocabulary, err));
  AQ_TRY(encode_prompt(g, err));
  AQ_TRY(aq_end_tokens_read(&g->decoder->model, &g->notes, &g->ends, err));
  AQ_TRY(note_chat_template(&g->decoder->model, &g->notes, err));
  AQ_TRY(aq_token_stream_open(g->decoder->model.tokenizer, true, &g->stream, err));
  g->logits = aq_realloc_array(NULL, vocabulary, sizeof *g->logits);
  return g->logits != NULL ? AQ_OK : aq_fail_memory(err, vocabulary * sizeof *g->logits);
}

static void tell_notes(const generation *g) {
  const aq_generate_options *o = g->options;
  if (o->note == NULL) return;
  for (size_t i = 0; i < aq_decoder_note_count(g->decoder); i++) o->note(o->note_ctx, aq_decoder_note(g->decoder, i));
  for (size_t i = 0; i < g->notes.count; i++) o->note(o->note_ctx, g->notes.items[i]);
}

/* ---- token by token ---- */

static aq_status write_text(const generation *g, const char *text, size_t size, aq_error *err) {
  if (size == 0 || g->options->write == NULL) return AQ_OK;
  return g->options->write(g->options->write_ctx, text, size, err);
}

static aq_status add_piece(generation *g, const char *piece, size_t length, aq_error *err) {
  const char *ready;
  size_t size;
  AQ_TRY(aq_stop_texts_add(&g->text, piece, length, &ready, &size, err));
  return write_text(g, ready, size, err);
}

static aq_status finish_text(generation *g, aq_error *err) {
  const char *piece, *ready;
  size_t length, size;
  AQ_TRY(aq_token_stream_end(g->stream, &piece, &length, err));
  AQ_TRY(add_piece(g, piece, length, err));
  aq_stop_texts_finish(&g->text, &ready, &size);
  return write_text(g, ready, size, err);
}

/* Draws a token and shows it; what ends the text is named in stopped_by. */
static aq_status draw_token(generation *g, int32_t *token, aq_error *err) {
  const char *piece;
  size_t length;
  *token = aq_sampler_next(&g->sampler, g->logits);
  if (aq_end_tokens_have(&g->ends, *token)) {
    g->stopped_by = "end of text";
    return AQ_OK;
  }
  g->tokens++;
  AQ_TRY(aq_token_stream_push(g->stream, *token, &piece, &length, err));
  AQ_TRY(add_piece(g, piece, length, err));
  if (g->text.stopped_by != NULL) g->stopped_by = "stop";
  return aq_progress_add(&g->progress, NULL, 0, 1, err);
}

static aq_status write_tokens(generation *g, aq_error *err) {
  const size_t most = g->options->max_tokens > 0 ? g->options->max_tokens : DEFAULT_TOKENS;
  const size_t context = aq_decoder_context(g->decoder);
  const double started = aq_clock();
  aq_progress_begin(&g->progress, &g->options->run, "generate", 0, most);
  AQ_TRY(aq_decoder_logits(g->decoder, 0, g->ids.ids, g->ids.count, 1, g->logits, err));
  const double prompted = aq_clock();
  g->prompt_seconds = prompted - started;
  for (;;) {
    int32_t token;
    AQ_TRY(draw_token(g, &token, err));
    if (g->stopped_by != NULL) break;
    const size_t held = g->ids.count + g->tokens;
    g->stopped_by = g->tokens == most ? "max_tokens" : held == context ? "context" : NULL;
    if (g->stopped_by != NULL) break;
    AQ_TRY(aq_decoder_logits(g->decoder, held - 1, &token, 1, 1, g->logits, err));
  }
  g->seconds = aq_clock() - prompted;
  return finish_text(g, err);
}

/* ---- the report ---- */

static aq_status fill_report(const generation *g, json_t *root, aq_error *err) {
  const char *text = g->text.text.size > 0 ? (const char *)g->text.text.data : "";
  AQ_TRY(aq_report_set(root, "model", aq_source_json(g->decoder->model.source), err));
  AQ_TRY(aq_report_set(root, "prompt_tokens", aq_json_count(g->ids.count), err));
  AQ_TRY(aq_report_set(root, "tokens", aq_json_count(g->tokens), err));
  AQ_TRY(aq_report_set(root, "text", json_stringn(text, g->text.text.size), err));
  AQ_TRY(aq_report_set(root, "stopped_by", json_string(g->stopped_by), err));
  AQ_TRY(aq_report_set(root, "prompt_seconds", aq_json_real(g->prompt_seconds), err));
  AQ_TRY(aq_report_set(root, "seconds", aq_json_real(g->seconds), err));
  AQ_TRY(aq_report_set(root, "tokens_per_second", aq_json_real((double)g->tokens / g->seconds), err));
  return aq_report_set(root, "notes", aq_notes_json(&g->notes), err);
}

static void reset_generation(generation *g) {
  aq_free(g->ids.ids);
  aq_token_stream_close(g->stream);
  aq_sampler_reset(&g->sampler);
  aq_buffer_reset(&g->text.text);
  aq_notes_reset(&g->notes);
  aq_free(g->logits);
}

static aq_status run_generation(generation *g, json_t *root, aq_error *err) {
  AQ_TRY(begin_generation(g, err));
  tell_notes(g);
  g->decoder->progress = &g->progress;
  const aq_status status = write_tokens(g, err);
  g->decoder->progress = NULL;
  if (status == AQ_ERR_INTERRUPTED) return aq_fail(err, status, "stopped on request"); /* the text so far was shown */
  return status == AQ_OK ? fill_report(g, root, err) : status;
}

aq_status aq_decoder_generate(aq_decoder *decoder, const aq_generate_options *options, aq_report **report,
                              aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_generate_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(check_options(&own, err));
  aq_report *made;
  AQ_TRY(aq_report_create("generate", &made, err));
  generation g = {.options = &own, .decoder = decoder};
  const aq_status status = run_generation(&g, made->root, err);
  reset_generation(&g);
  return aq_report_finish(status, made, report);
}

aq_status aq_generate_source(const aq_source *source, const aq_generate_options *options, aq_report **report,
                             aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_generate_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(check_options(&own, err));
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a model is needed");
  aq_decoder_options o;
  aq_decoder_options_init(&o);
  o.threads = own.run.threads;
  o.context = own.context;
  o.folder = own.folder;
  o.compute = own.compute;
  aq_decoder *decoder;
  AQ_TRY(aq_decoder_open_source(source, &o, &decoder, err));
  const aq_status status = aq_decoder_generate(decoder, &own, report, err);
  aq_decoder_close(decoder);
  return status;
}

aq_status aq_generate(const char *path, const aq_generate_options *options, aq_report **report, aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open(path, options, "hf", report, &source, err));
  const aq_status status = aq_generate_source(source, options, report, err);
  aq_source_close(source);
  return status;
}
