/* scorer_open.c - a scorer from a source: the encoder with its head, and the names of the labels. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "core/options.h"
#include "io/model_files.h"
#include "io/source.h"
#include "model/run/scorer.h"

/* As transformers calls a label that id2label does not name. */
static char *name_label(const json_t *names, uint32_t i) {
  char number[16];
  (void)snprintf(number, sizeof number, "%u", i);
  const char *name = json_string_value(json_object_get(names, number));
  return name != NULL ? aq_strdup(name) : aq_format("LABEL_%u", i);
}

static aq_status name_labels(aq_scorer *s, const json_t *root, aq_error *err) {
  const uint32_t count = aq_scorer_labels(s);
  s->labels = aq_calloc(count, sizeof *s->labels);
  if (s->labels == NULL) return aq_fail_memory(err, count * sizeof *s->labels);
  for (uint32_t i = 0; i < count; i++) {
    s->labels[i] = name_label(json_object_get(root, "id2label"), i);
    if (s->labels[i] == NULL) return aq_fail_memory(err, sizeof "LABEL_65535");
  }
  return AQ_OK;
}

static aq_status read_labels(aq_scorer *s, aq_error *err) {
  char *text;
  size_t size;
  json_t *root = NULL;
  AQ_TRY(aq_model_file_read(s->encoder->model.source, s->encoder->model.folder, "config.json", &text, &size, err));
  aq_status status = text != NULL ? aq_json_parse_python(text, size, &root, err) : AQ_OK;
  aq_free(text);
  if (status == AQ_OK) status = name_labels(s, root, err);
  json_decref(root);
  return status;
}

static aq_status open_parts(aq_scorer *s, const aq_source *source, const aq_scorer_options *options, aq_error *err) {
  aq_encoder_options encoder;
  aq_encoder_options_init(&encoder);
  encoder.threads = options->threads;
  encoder.max_tokens = options->max_tokens;
  encoder.compute = options->compute;
  encoder.folder = options->folder;
  AQ_TRY(aq_encoder_open_kind(source, &encoder, true, &s->encoder, err));
  return read_labels(s, err);
}

aq_status aq_scorer_open_source(const aq_source *source, const aq_scorer_options *options, aq_scorer **out,
                                aq_error *err) {
  aq_scorer_options own;
  aq_error_clear(err);
  *out = NULL;
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  aq_scorer *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  const aq_status status = open_parts(s, source, &own, err);
  if (status == AQ_OK) {
    *out = s;
  } else {
    aq_scorer_close(s);
  }
  return status;
}

aq_status aq_scorer_open(const char *path, const aq_scorer_options *options, aq_scorer **out, aq_error *err) {
  aq_source *source = NULL;
  *out = NULL;
  AQ_TRY(aq_open_for_run(path, NULL, "hf", &source, err));
  const aq_status status = aq_scorer_open_source(source, options, out, err);
  aq_source_close(source);
  return status;
}

void aq_scorer_close(aq_scorer *scorer) {
  if (scorer == NULL) return;
  for (uint32_t i = 0; scorer->labels != NULL && i < aq_scorer_labels(scorer); i++) aq_free(scorer->labels[i]);
  aq_free(scorer->labels);
  aq_encoder_close(scorer->encoder);
  aq_free(scorer);
}

uint32_t aq_scorer_labels(const aq_scorer *scorer) { return aq_encoder_dimension(scorer->encoder); }
uint32_t aq_scorer_max_tokens(const aq_scorer *scorer) { return aq_encoder_max_tokens(scorer->encoder); }
size_t aq_scorer_note_count(const aq_scorer *scorer) { return aq_encoder_note_count(scorer->encoder); }
const char *aq_scorer_note(const aq_scorer *scorer, size_t i) { return aq_encoder_note(scorer->encoder, i); }

const char *aq_scorer_label(const aq_scorer *scorer, uint32_t i) {
  return i < aq_scorer_labels(scorer) ? scorer->labels[i] : NULL;
}

const char *aq_scorer_activation(const aq_scorer *scorer) {
  const aq_activation *activation = scorer->encoder->model.config.score_activation;
  return activation != NULL ? activation->name : "identity";
}
