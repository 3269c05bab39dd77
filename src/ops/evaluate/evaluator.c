/* evaluator.c - embeddings of the texts by two models, and how far they are apart.
 *
 * Both models run in FP32, the quantized one on its dequantized values: the difference is what quantizing the weights
 * did, and nothing else. */
#include "ops/evaluate/evaluator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/pool.h"
#include "core/progress.h"
#include "io/model_files.h"
#include "io/source.h"
#include "measure/builtin_texts.h"
#include "measure/metrics.h"
#include "measure/outputs.h"
#include "measure/rank.h"
#include "model/run/encoder.h"
#include "ops/evaluate/evaluation_texts.h"
#include "report/outputs_words.h"
#include "report/report.h"
#include "report/source_json.h"

/* Bytes of a text that a report quotes. */
enum { QUOTED = 120 };

struct aq_evaluator {
  const aq_evaluator_options *options;
  aq_evaluation_texts texts;
  aq_pool *pool;
  char *reference_folder; /* where the reference's files are, or NULL when they are in its table */
  float *reference, *other;
  double *cosines; /* of each plain text */
  double *before;  /* similarity of each pair, by the reference */
  uint32_t dimension;
  json_t *notes;  /* of the reference's encoder */
  double seconds; /* of the reference */
};

static size_t text_count(const aq_evaluator *j) { return j->texts.plain + 2 * j->texts.pairs; }

void aq_evaluator_free(aq_evaluator *evaluator) {
  if (evaluator == NULL) return;
  aq_evaluation_texts_reset(&evaluator->texts);
  aq_pool_free(evaluator->pool);
  json_decref(evaluator->notes);
  aq_free(evaluator->reference_folder);
  aq_free(evaluator->reference);
  aq_free(evaluator->other);
  aq_free(evaluator->cosines);
  aq_free(evaluator->before);
  aq_free(evaluator);
}

aq_status aq_evaluator_create(const aq_evaluator_options *options, aq_evaluator **out, aq_error *err) {
  *out = NULL;
  aq_evaluator *j = aq_calloc(1, sizeof *j);
  if (j == NULL) return aq_fail_memory(err, sizeof *j);
  j->options = options;
  aq_status status = aq_evaluation_texts_load(&options->origin, &j->texts, err);
  if (status == AQ_OK) status = aq_pool_create(options->run->threads, &j->pool, err);
  if (status != AQ_OK) {
    aq_evaluator_free(j);
    return status;
  }
  *out = j;
  return AQ_OK;
}

bool aq_evaluator_cannot_run(aq_status status) {
  return status == AQ_ERR_NOT_FOUND || status == AQ_ERR_UNSUPPORTED || status == AQ_ERR_FORMAT ||
         status == AQ_ERR_ARGUMENT;
}

/* ---- encoding ---- */

static aq_status encode_texts(const aq_evaluator *j, aq_encoder *encoder, float *out, aq_error *err) {
  aq_progress progress;
  aq_progress_begin(&progress, j->options->run, "embed", 0, 0);
  return aq_evaluation_texts_encode(encoder, j->texts.texts, j->texts.lengths, text_count(j), &progress, true, out,
                                    err);
}

static aq_status open_encoder(const aq_evaluator *j, const aq_source *source, const char *folder, aq_encoder **out,
                              aq_error *err) {
  aq_encoder_options options;
  aq_encoder_options_init(&options);
  options.threads = j->options->run->threads;
  options.folder = folder;
  return aq_encoder_open_source(source, &options, out, err);
}

/* Texts x dimension. */
static aq_status make_room(const aq_evaluator *j, float **out, aq_error *err) {
  uint64_t numbers, bytes;
  size_t size = 0;
  const bool fits = aq_mul_ok(text_count(j), j->dimension, &numbers) && aq_mul_ok(numbers, sizeof **out, &bytes) &&
                    aq_to_size_ok(bytes, &size);
  *out = fits ? aq_malloc(size) : NULL;
  return *out != NULL ? AQ_OK : aq_fail_memory(err, size);
}

/* The folder of the reference, when its files are there. */
static aq_status find_files(aq_evaluator *j, const aq_source *reference, aq_error *err) {
  if (j->options->folder != NULL || reference->path == NULL) return AQ_OK;
  char *text = NULL, *folder;
  size_t size;
  AQ_TRY(aq_model_folder(reference, &folder, err));
  const aq_status status = aq_model_file_read(reference, folder, "config.json", &text, &size, err);
  if (text != NULL) {
    j->reference_folder = folder;
  } else {
    aq_free(folder);
  }
  aq_free(text);
  return status;
}

aq_status aq_evaluator_set_reference(aq_evaluator *evaluator, const aq_source *reference, aq_error *err) {
  const double started = aq_clock();
  const aq_evaluation_texts *t = &evaluator->texts;
  aq_encoder *encoder = NULL;
  AQ_TRY(open_encoder(evaluator, reference, evaluator->options->folder, &encoder, err));
  evaluator->dimension = aq_encoder_dimension(encoder);
  evaluator->notes = aq_notes_json(&encoder->model.notes);
  aq_status status = make_room(evaluator, &evaluator->reference, err);
  if (status == AQ_OK) status = make_room(evaluator, &evaluator->other, err);
  if (status == AQ_OK) status = encode_texts(evaluator, encoder, evaluator->reference, err);
  aq_encoder_close(encoder);
  AQ_TRY(status);
  evaluator->cosines = aq_calloc(t->plain, sizeof *evaluator->cosines);
  evaluator->before = aq_calloc(t->pairs, sizeof *evaluator->before);
  if (evaluator->cosines == NULL || evaluator->before == NULL) return aq_fail_memory(err, t->plain * sizeof(double));
  aq_output_pairs(evaluator->reference + t->plain * evaluator->dimension, t->pairs, evaluator->dimension,
                  evaluator->before);
  evaluator->seconds = aq_clock() - started;
  return find_files(evaluator, reference, err);
}

aq_status aq_evaluator_describe(const aq_evaluator *evaluator, json_t *object, aq_error *err) {
  const aq_evaluator_options *o = evaluator->options;
  AQ_TRY(aq_report_set(object, "measured", json_true(), err));
  AQ_TRY(aq_report_set(object, "texts", aq_json_count(evaluator->texts.plain), err));
  AQ_TRY(aq_report_set(object, "texts_from", aq_json_string(aq_judge_texts_from(&o->origin)), err));
  AQ_TRY(aq_report_set(object, "label_pairs", aq_json_count(evaluator->texts.pairs), err));
  AQ_TRY(aq_report_set(object, "labels_from", aq_json_string(o->origin.labels_file), err));
  AQ_TRY(aq_report_set(object, "dimension", aq_json_count(evaluator->dimension), err));
  AQ_TRY(aq_report_set(object, "notes", json_incref(evaluator->notes), err));
  return aq_report_set(object, "reference_seconds", aq_json_real(evaluator->seconds), err);
}

/* ---- figures ---- */

/* The beginning of a text, up to a whole character, line ends as blanks. */
static json_t *quote(const char *text, size_t length) {
  char out[QUOTED + 4];
  size_t n = AQ_MIN(length, (size_t)QUOTED);
  while (n > 0 && n < length && ((unsigned char)text[n] & 0xC0U) == 0x80U) n--;
  for (size_t i = 0; i < n; i++) out[i] = text[i] == '\n' ? ' ' : text[i];
  (void)snprintf(out + n, sizeof out - n, "%s", n < length ? "..." : "");
  return aq_json_string(out);
}

/* Mean and minimum cosine of each kind of built-in texts. */
static aq_status set_kinds(const aq_evaluator *j, json_t *object, aq_error *err) {
  AQ_TRY(aq_report_set(object, "kinds", json_array(), err));
  json_t *kinds = json_object_get(object, "kinds");
  for (size_t first = 0, next; j->texts.builtin && first < j->texts.plain; first = next) {
    const char *kind = aq_builtin_texts[first].kind;
    double sum = 0, minimum = 1;
    for (next = first; next < j->texts.plain && strcmp(aq_builtin_texts[next].kind, kind) == 0; next++) {
      sum += j->cosines[next];
      minimum = fmin(minimum, j->cosines[next]);
    }
    AQ_TRY(aq_report_append(kinds, json_object(), err));
    json_t *entry = json_array_get(kinds, json_array_size(kinds) - 1);
    AQ_TRY(aq_report_set(entry, "kind", json_string(kind), err));
    AQ_TRY(aq_report_set(entry, "texts", aq_json_count(next - first), err));
    AQ_TRY(aq_report_set(entry, "mean_cosine", aq_json_real(fmin(sum / (double)(next - first), 1.0)), err));
    AQ_TRY(aq_report_set(entry, "min_cosine", aq_json_real(minimum), err));
  }
  return AQ_OK;
}

static aq_status set_labels(const aq_evaluator *j, json_t *object, aq_error *err) {
  const aq_evaluation_texts *t = &j->texts;
  AQ_TRY(aq_report_set(object, "labels", json_null(), err));
  if (t->pairs == 0) return AQ_OK;
  double *after = aq_calloc(t->pairs, sizeof *after), was = NAN, is = NAN;
  if (after == NULL) return aq_fail_memory(err, t->pairs * sizeof *after);
  aq_output_pairs(j->other + t->plain * j->dimension, t->pairs, j->dimension, after);
  aq_status status = aq_spearman(j->before, t->labels, t->pairs, &was, err);
  if (status == AQ_OK) status = aq_spearman(after, t->labels, t->pairs, &is, err);
  aq_free(after);
  AQ_TRY(status);
  AQ_TRY(aq_report_set(object, "labels", json_object(), err));
  json_t *labels = json_object_get(object, "labels");
  AQ_TRY(aq_report_set(labels, "reference_spearman", aq_json_real(was), err));
  return aq_report_set(labels, "spearman", aq_json_real(is), err);
}

static aq_status set_figures(const aq_evaluator *j, const aq_output_figures *f, double weights_cosine, json_t *object,
                             aq_error *err) {
  AQ_TRY(aq_report_set(object, "mean_cosine", aq_json_real(f->mean), err));
  AQ_TRY(aq_report_set(object, "p1_cosine", aq_json_real(f->p1), err));
  AQ_TRY(aq_report_set(object, "min_cosine", aq_json_real(f->min), err));
  AQ_TRY(aq_report_set(object, "worst_text", quote(j->texts.texts[f->worst], j->texts.lengths[f->worst]), err));
  AQ_TRY(aq_report_set(object, "paired_texts", aq_json_count(f->sampled), err));
  AQ_TRY(aq_report_set(object, "neighbours", aq_json_count(f->neighbours), err));
  AQ_TRY(aq_report_set(object, "neighbour_overlap", aq_json_real(f->overlap), err));
  AQ_TRY(aq_report_set(object, "similarity_spearman", aq_json_real(f->spearman), err));
  AQ_TRY(set_kinds(j, object, err));
  AQ_TRY(set_labels(j, object, err));
  return aq_report_set(object, "verdict", json_string(aq_outputs_verdict(weights_cosine, f->mean)), err);
}

/* What config.json and the tokenizer of the other source are read from. */
static aq_status files_of(const aq_evaluator *j, const aq_source *other, const char **folder, aq_error *err) {
  char *text;
  size_t size;
  *folder = j->options->folder;
  if (*folder != NULL) return AQ_OK;
  AQ_TRY(aq_model_file_read(other, NULL, "config.json", &text, &size, err));
  if (text == NULL) *folder = j->reference_folder;
  aq_free(text);
  return AQ_OK;
}

aq_status aq_evaluator_measure(aq_evaluator *evaluator, const aq_source *other, double weights_cosine, json_t *object,
                               aq_error *err) {
  const double started = aq_clock();
  const char *folder;
  aq_encoder *encoder = NULL;
  aq_output_figures figures;
  AQ_TRY(files_of(evaluator, other, &folder, err));
  AQ_TRY(open_encoder(evaluator, other, folder, &encoder, err));
  aq_status status = AQ_OK;
  if (aq_encoder_dimension(encoder) != evaluator->dimension) {
    status = aq_fail(err, AQ_ERR_FORMAT, "its embeddings have %u numbers, those of the reference %u",
                     aq_encoder_dimension(encoder), evaluator->dimension);
    (void)aq_error_in_file(err, status, other->path);
  }
  if (status == AQ_OK) status = encode_texts(evaluator, encoder, evaluator->other, err);
  aq_encoder_close(encoder);
  AQ_TRY(status);
  AQ_TRY(aq_output_compare(evaluator->reference, evaluator->other, evaluator->texts.plain, evaluator->dimension,
                           evaluator->pool, evaluator->cosines, &figures, err));
  AQ_TRY(set_figures(evaluator, &figures, weights_cosine, object, err));
  return aq_report_set(object, "seconds", aq_json_real(aq_clock() - started), err);
}
