/* score.c - the operation "score": pairs of texts in, scores out, a chunk at a time. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/pair_input.h"
#include "io/source.h"
#include "model/run/scorer.h"
#include "ops/operation.h"
#include "ops/score_output.h"
#include "report/report.h"
#include "report/source_json.h"

/* Pairs of a chunk: enough to sort by length, few enough to hold. Bytes: a chunk ends when it has these. */
#define CHUNK_PAIRS ((size_t)512)
#define CHUNK_BYTES ((size_t)8 << 20)

typedef struct scoring {
  const aq_score_options *options;
  aq_scorer *scorer;
  aq_text_input texts; /* with a query */
  aq_pair_input pairs; /* else */
  aq_score_output output;
  aq_progress progress;
  float *scores; /* of a chunk */
  aq_buffer bytes;
  size_t offsets[CHUNK_PAIRS * 2], lengths[CHUNK_PAIRS * 2];
  const char *halves[CHUNK_PAIRS * 2];
  size_t count, next_text; /* pairs of the chunk; of the options' list */
} scoring;

/* ---- reading ---- */

/* The next text of the list, then of the input, beside the query. */
static aq_status take_text(scoring *s, size_t *length, bool *more, aq_error *err) {
  const aq_text_list *list = &s->options->texts;
  *more = s->next_text < list->count;
  if (!*more) return s->texts.opened ? aq_text_input_next(&s->texts, &s->bytes, length, more, err) : AQ_OK;
  const char *text = list->texts[s->next_text];
  *length = list->lengths != NULL ? list->lengths[s->next_text] : strlen(text);
  s->next_text++;
  AQ_TRY(aq_buffer_append(&s->bytes, text, *length, err));
  return aq_buffer_append_byte(&s->bytes, 0, err);
}

static aq_status take_pair(scoring *s, bool *more, aq_error *err) {
  const size_t at = 2 * s->count;
  const bool has_query = s->options->query != NULL;
  s->offsets[at] = s->bytes.size;
  if (has_query) {
    AQ_TRY(take_text(s, &s->lengths[at + 1], more, err));
  } else {
    AQ_TRY(aq_pair_input_next(&s->pairs, &s->bytes, &s->lengths[at], more, err));
  }
  s->offsets[at + 1] = s->offsets[at] + (has_query ? 0 : s->lengths[at] + 1);
  s->count += *more ? 1 : 0;
  return AQ_OK;
}

static aq_status take_chunk(scoring *s, aq_error *err) {
  const char *query = s->options->query;
  bool more = true;
  s->count = s->bytes.size = 0;
  while (more && s->count < CHUNK_PAIRS && s->bytes.size < CHUNK_BYTES) AQ_TRY(take_pair(s, &more, err));
  for (size_t i = 0; i < 2 * s->count; i++) s->halves[i] = (const char *)s->bytes.data + s->offsets[i];
  for (size_t i = 0; i < s->count && query != NULL; i++) {
    s->halves[2 * i] = query;
    s->lengths[2 * i] = strlen(query);
  }
  return AQ_OK;
}

/* ---- scoring ---- */

static aq_status score_chunk(scoring *s, aq_error *err) {
  s->scorer->encoder->first_text = s->output.count;
  AQ_TRY(aq_scorer_score(s->scorer, s->halves, s->lengths, s->count, s->options->raw, s->scores, err));
  for (size_t i = 0; i < s->count; i++) {
    AQ_TRY(aq_score_output_add(&s->output, s->scores + i * s->output.labels, err));
  }
  return aq_progress_add(&s->progress, NULL, 0, s->bytes.size, err);
}

static aq_status open_input(scoring *s, aq_error *err) {
  const aq_score_options *o = s->options;
  if (o->input == NULL) return AQ_OK;
  if (o->query == NULL) return aq_pair_input_open(&s->pairs, o->input, o->jsonl, err);
  return aq_text_input_open(&s->texts, o->input, o->jsonl ? "text" : NULL, err);
}

static aq_status open_all(scoring *s, const aq_source *source, aq_error *err) {
  const aq_score_options *o = s->options;
  aq_scorer_options scorer;
  aq_scorer_options_init(&scorer);
  scorer.threads = o->run.threads;
  scorer.max_tokens = o->max_tokens;
  scorer.compute = o->compute;
  scorer.folder = o->folder;
  AQ_TRY(open_input(s, err));
  AQ_TRY(aq_scorer_open_source(source, &scorer, &s->scorer, err));
  const uint32_t labels = aq_scorer_labels(s->scorer);
  s->scores = aq_calloc(CHUNK_PAIRS, labels * sizeof *s->scores);
  if (s->scores == NULL) return aq_fail_memory(err, CHUNK_PAIRS * labels * sizeof *s->scores);
  s->output = (aq_score_output){.labels = labels, .write = o->write, .write_ctx = o->write_ctx};
  return AQ_OK;
}

/* The notes of the source and of the scorer. */
static void tell_notes(const scoring *s, const aq_source *source) {
  const aq_score_options *o = s->options;
  if (o->note == NULL) return;
  for (size_t i = 0; i < source->note_count; i++) o->note(o->note_ctx, source->notes[i]);
  for (size_t i = 0; i < aq_scorer_note_count(s->scorer); i++) o->note(o->note_ctx, aq_scorer_note(s->scorer, i));
}

static aq_status run_all(scoring *s, const aq_source *source, aq_error *err) {
  AQ_TRY(open_all(s, source, err));
  tell_notes(s, source);
  aq_progress_begin(&s->progress, &s->options->run, "score", 0, 0);
  s->scorer->encoder->progress = &s->progress;
  do {
    AQ_TRY(take_chunk(s, err));
    if (s->count > 0) AQ_TRY(score_chunk(s, err));
  } while (s->count > 0);
  return AQ_OK;
}

/* ---- the operation ---- */

static json_t *label_names(const aq_scorer *scorer) {
  json_t *names = json_array();
  for (uint32_t i = 0; names != NULL && i < aq_scorer_labels(scorer); i++) {
    if (json_array_append_new(names, aq_json_string(aq_scorer_label(scorer, i))) == 0) continue;
    json_decref(names);
    names = NULL;
  }
  return names;
}

static aq_status make_report(scoring *s, const aq_source *source, double seconds, aq_report **report, aq_error *err) {
  const aq_score_options *o = s->options;
  AQ_TRY(aq_report_create("score", report, err));
  json_t *root = (*report)->root;
  const double rate = seconds > 0 ? (double)s->output.count / seconds : 0;
  AQ_TRY(aq_report_set(root, "source", aq_source_json(source), err));
  AQ_TRY(aq_report_set(root, "pairs", aq_json_count(s->output.count), err));
  AQ_TRY(aq_report_set(root, "labels", label_names(s->scorer), err));
  AQ_TRY(aq_report_set(root, "activation", json_string(o->raw ? "identity" : aq_scorer_activation(s->scorer)), err));
  AQ_TRY(aq_report_set(root, "compute", json_string(o->compute != NULL ? o->compute : "fp32"), err));
  AQ_TRY(aq_report_set(root, "query", aq_json_string(o->query), err));
  AQ_TRY(aq_report_set(root, "seconds", aq_json_real(seconds), err));
  AQ_TRY(aq_report_set(root, "notes", aq_notes_json(&s->scorer->encoder->model.notes), err));
  AQ_TRY(aq_report_set(root, "pairs_per_second", aq_json_real(rate), err));
  if (o->write != NULL) return AQ_OK;
  return aq_report_set(root, "scores", aq_score_output_take(&s->output), err);
}

static aq_status check_options(const aq_score_options *o, aq_error *err) {
  AQ_TRY(AQ_RESERVED_CHECK(&o->run, "run", err));
  AQ_TRY(AQ_RESERVED_CHECK(&o->texts, "texts", err));
  AQ_FAIL_IF(o->query == NULL && o->texts.count > 0, AQ_ERR_ARGUMENT, "texts were given, but no `query` beside them");
  AQ_FAIL_IF(o->input == NULL && o->texts.count == 0, AQ_ERR_ARGUMENT, "there is neither an `input` nor a text");
  return AQ_OK;
}

aq_status aq_score_source(const aq_source *source, const aq_score_options *options, aq_report **report, aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_score_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  AQ_TRY(check_options(&own, err));
  scoring *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  const double started = aq_clock();
  aq_report *made = NULL;
  s->options = &own;
  aq_status status = run_all(s, source, err);
  if (status == AQ_OK && report != NULL) status = make_report(s, source, aq_clock() - started, &made, err);
  aq_score_output_reset(&s->output);
  aq_text_input_close(&s->texts);
  aq_pair_input_close(&s->pairs);
  aq_scorer_close(s->scorer);
  aq_buffer_reset(&s->bytes);
  aq_free(s->scores);
  aq_free(s);
  return aq_report_finish(status, made, report);
}

aq_status aq_score(const char *path, const aq_score_options *options, aq_report **report, aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open(path, options, "hf", report, &source, err));
  const aq_status status = aq_score_source(source, options, report, err);
  aq_source_close(source);
  return status;
}
