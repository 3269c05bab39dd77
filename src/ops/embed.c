/* embed.c - the operation "embed": texts in, vectors out, a chunk at a time. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/source.h"
#include "io/text_input.h"
#include "model/run/encoder.h"
#include "ops/operation.h"
#include "ops/vector_output.h"
#include "report/report.h"
#include "report/source_json.h"
#include "transform/output_check.h"

/* Texts of a chunk: enough to sort by length, few enough to hold. Bytes: a chunk ends when it has these. */
#define CHUNK_TEXTS ((size_t)512)
#define CHUNK_BYTES ((size_t)8 << 20)

typedef struct embedding {
  const aq_embed_options *options;
  aq_encoder *encoder;
  aq_text_input input;
  aq_vector_output output;
  aq_progress progress;
  float *vectors; /* of a chunk */
  aq_buffer bytes;
  size_t offsets[CHUNK_TEXTS], lengths[CHUNK_TEXTS];
  const char *texts[CHUNK_TEXTS];
  size_t count; /* texts of the chunk */
  const char *prompt;
  size_t prompt_size;
  size_t next_text; /* of the options' list */
} embedding;

/* The next text of the list, then of the input. */
static aq_status take_text(embedding *e, bool *more, aq_error *err) {
  const size_t i = e->count;
  *more = e->next_text < e->options->texts.count;
  e->offsets[i] = e->bytes.size;
  AQ_TRY(aq_buffer_append(&e->bytes, e->prompt, e->prompt_size, err));
  if (*more) {
    const aq_text_list *list = &e->options->texts;
    const char *text = list->texts[e->next_text];
    e->lengths[i] = list->lengths != NULL ? list->lengths[e->next_text] : strlen(text);
    e->next_text++;
    AQ_TRY(aq_buffer_append(&e->bytes, text, e->lengths[i], err));
    AQ_TRY(aq_buffer_append_byte(&e->bytes, 0, err));
  } else if (e->input.opened) {
    AQ_TRY(aq_text_input_next(&e->input, &e->bytes, &e->lengths[i], more, err));
  }
  e->lengths[i] += e->prompt_size;
  e->count += *more ? 1 : 0;
  return AQ_OK;
}

static aq_status take_chunk(embedding *e, aq_error *err) {
  bool more = true;
  e->count = e->bytes.size = 0;
  while (more && e->count < CHUNK_TEXTS && e->bytes.size < CHUNK_BYTES) AQ_TRY(take_text(e, &more, err));
  for (size_t i = 0; i < e->count; i++) e->texts[i] = (const char *)e->bytes.data + e->offsets[i];
  return AQ_OK;
}

static aq_status do_chunk(embedding *e, aq_error *err) {
  e->encoder->first_text = e->output.count;
  AQ_TRY(aq_encoder_encode_texts(e->encoder, e->texts, e->lengths, e->count, e->vectors, err));
  for (size_t i = 0; i < e->count; i++) {
    const float *vector = e->vectors + i * e->output.dimension;
    const char *text = e->texts[i] + e->prompt_size;
    AQ_TRY(aq_vector_output_add(&e->output, text, e->lengths[i] - e->prompt_size, vector, err));
  }
  return aq_progress_add(&e->progress, NULL, 0, e->bytes.size, err);
}

static aq_status open_all(embedding *e, const aq_source *source, aq_error *err) {
  const aq_embed_options *o = e->options;
  aq_encoder_options encoder;
  aq_encoder_options_init(&encoder);
  encoder.threads = o->run.threads;
  encoder.max_tokens = o->max_tokens;
  encoder.compute = o->compute;
  encoder.folder = o->folder;
  encoder.normalize = o->normalize;
  encoder.truncate_dim = o->truncate_dim;
  if (o->input != NULL) AQ_TRY(aq_text_input_open(&e->input, o->input, o->field, err));
  AQ_TRY(aq_encoder_open_source(source, &encoder, &e->encoder, err));
  AQ_TRY(aq_encoder_prompt(e->encoder, o->prompt_name, o->prompt, &e->prompt, err));
  e->prompt_size = strlen(e->prompt);
  const uint32_t dimension = aq_encoder_dimension(e->encoder);
  e->vectors = aq_calloc(CHUNK_TEXTS, dimension * sizeof *e->vectors);
  if (e->vectors == NULL) return aq_fail_memory(err, CHUNK_TEXTS * dimension * sizeof *e->vectors);
  e->output.write = o->write;
  e->output.write_ctx = o->write_ctx;
  return aq_vector_output_open(&e->output, o->output, o->force, dimension, err);
}

/* The notes of the source and of the encoder. */
static void tell_notes(const embedding *e, const aq_source *source) {
  const aq_embed_options *o = e->options;
  if (o->note == NULL) return;
  for (size_t i = 0; i < source->note_count; i++) o->note(o->note_ctx, source->notes[i]);
  for (size_t i = 0; i < aq_encoder_note_count(e->encoder); i++) o->note(o->note_ctx, aq_encoder_note(e->encoder, i));
}

static aq_status run_all(embedding *e, const aq_source *source, aq_error *err) {
  AQ_TRY(open_all(e, source, err));
  tell_notes(e, source);
  aq_progress_begin(&e->progress, &e->options->run, "embed", 0, 0);
  e->encoder->progress = &e->progress;
  do {
    AQ_TRY(take_chunk(e, err));
    if (e->count > 0) AQ_TRY(do_chunk(e, err));
  } while (e->count > 0);
  return AQ_OK;
}

static aq_status make_report(const embedding *e, const aq_source *source, double seconds, aq_report **report,
                             aq_error *err) {
  AQ_TRY(aq_report_create("embed", report, err));
  json_t *root = (*report)->root;
  const double rate = seconds > 0 ? (double)e->output.count / seconds : 0;
  AQ_TRY(aq_report_set(root, "source", aq_source_json(source), err));
  AQ_TRY(aq_report_set(root, "texts", aq_json_count(e->output.count), err));
  AQ_TRY(aq_report_set(root, "dimension", aq_json_count(e->output.dimension), err));
  AQ_TRY(aq_report_set(root, "compute", json_string(e->options->compute != NULL ? e->options->compute : "fp32"), err));
  AQ_TRY(aq_report_set(root, "output", aq_json_string(e->options->output), err));
  AQ_TRY(aq_report_set(root, "seconds", aq_json_real(seconds), err));
  AQ_TRY(aq_report_set(root, "prompt", aq_json_string(e->prompt), err));
  AQ_TRY(aq_report_set(root, "notes", aq_notes_json(&e->encoder->model.notes), err));
  return aq_report_set(root, "texts_per_second", aq_json_real(rate), err);
}

static aq_status check_options(const aq_embed_options *o, const aq_source *source, aq_error *err) {
  AQ_FAIL_IF(o->output == NULL && o->write == NULL, AQ_ERR_ARGUMENT, "neither an output nor a function to write to");
  AQ_FAIL_IF(o->field != NULL && o->input == NULL, AQ_ERR_ARGUMENT,
             "a field was named, but no input whose lines would have it");
  return o->output != NULL ? aq_check_output(source, o->output, err) : AQ_OK;
}

aq_status aq_embed_source(const aq_source *source, const aq_embed_options *options, aq_report **report, aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_embed_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&own.run, "run", err));
  AQ_TRY(AQ_RESERVED_CHECK(&own.texts, "texts", err));
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  AQ_TRY(check_options(&own, source, err));
  embedding *e = aq_calloc(1, sizeof *e);
  if (e == NULL) return aq_fail_memory(err, sizeof *e);
  const double started = aq_clock();
  aq_report *made = NULL;
  e->options = &own;
  aq_status status = run_all(e, source, err);
  if (status == AQ_OK && report != NULL) status = make_report(e, source, aq_clock() - started, &made, err);
  if (status == AQ_OK) status = aq_vector_output_commit(&e->output, err); /* last: what can fail leaves no file */
  aq_vector_output_reset(&e->output);
  aq_text_input_close(&e->input);
  aq_encoder_close(e->encoder);
  aq_buffer_reset(&e->bytes);
  aq_free(e->vectors);
  aq_free(e);
  return aq_report_finish(status, made, report);
}

aq_status aq_embed(const char *path, const aq_embed_options *options, aq_report **report, aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open(path, options, "hf", report, &source, err));
  const aq_status status = aq_embed_source(source, options, report, err);
  aq_source_close(source);
  return status;
}
