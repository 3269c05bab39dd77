/* encoder_evaluator.c - embeddings of the texts by two models, and how far they are apart.
 *
 * Both models run in FP32, the quantized one on its dequantized values: the difference is what quantizing the weights
 * did, and nothing else. */
#include <math.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/pool.h"
#include "core/progress.h"
#include "io/source.h"
#include "measure/builtin_texts.h"
#include "measure/metrics.h"
#include "measure/outputs.h"
#include "measure/rank.h"
#include "model/run/encoder.h"
#include "ops/evaluate/evaluation_texts.h"
#include "ops/evaluate/evaluator_kind.h"
#include "report/outputs_words.h"
#include "report/report.h"
#include "report/source_json.h"

/* Bytes of a text that a report quotes. */
enum { QUOTED = 120 };

typedef struct embeddings {
  const aq_evaluator_options *options;
  aq_evaluation_texts texts;
  aq_pool *pool;
  float *reference, *other;
  double *cosines; /* of each plain text */
  double *before;  /* similarity of each pair, by the reference */
  uint32_t dimension;
  json_t *notes; /* of the reference's encoder */
} embeddings;

static size_t text_count(const embeddings *e) { return e->texts.plain + 2 * e->texts.pairs; }

static void reset_embeddings(void *state) {
  embeddings *e = state;
  aq_evaluation_texts_reset(&e->texts);
  aq_pool_free(e->pool);
  json_decref(e->notes);
  aq_free(e->reference);
  aq_free(e->other);
  aq_free(e->cosines);
  aq_free(e->before);
}

/* ---- encoding ---- */

static aq_status encode_texts(const embeddings *e, aq_encoder *encoder, float *out, aq_error *err) {
  aq_progress progress;
  aq_progress_begin(&progress, e->options->run, "embed", 0, 0);
  return aq_evaluation_texts_encode(encoder, e->texts.texts, e->texts.lengths, text_count(e), &progress, true, out,
                                    err);
}

static aq_status open_encoder(const embeddings *e, const aq_source *source, const char *folder, aq_encoder **out,
                              aq_error *err) {
  aq_encoder_options options;
  aq_encoder_options_init(&options);
  options.threads = e->options->run->threads;
  options.folder = folder;
  return aq_encoder_open_source(source, &options, out, err);
}

/* Texts x dimension. */
static aq_status make_room(const embeddings *e, float **out, aq_error *err) {
  uint64_t numbers, bytes;
  size_t size = 0;
  const bool fits = aq_mul_ok(text_count(e), e->dimension, &numbers) && aq_mul_ok(numbers, sizeof **out, &bytes) &&
                    aq_to_size_ok(bytes, &size);
  *out = fits ? aq_malloc(size) : NULL;
  return *out != NULL ? AQ_OK : aq_fail_memory(err, size);
}

static aq_status embed_reference(embeddings *e, const aq_source *reference, aq_error *err) {
  aq_encoder *encoder = NULL;
  AQ_TRY(open_encoder(e, reference, e->options->folder, &encoder, err));
  e->dimension = aq_encoder_dimension(encoder);
  e->notes = aq_notes_json(&encoder->model.notes);
  aq_status status = make_room(e, &e->reference, err);
  if (status == AQ_OK) status = make_room(e, &e->other, err);
  if (status == AQ_OK) status = encode_texts(e, encoder, e->reference, err);
  aq_encoder_close(encoder);
  return status;
}

static aq_status begin_embeddings(void *state, const aq_evaluator_options *options, const aq_source *reference,
                                  aq_error *err) {
  embeddings *e = state;
  e->options = options;
  AQ_FAIL_IF(options->context > 0 || options->windows > 0 || options->max_kl > 0 || options->max_ppl_increase > 0,
             AQ_ERR_ARGUMENT,
             "windows of tokens, max_kl and max_ppl_increase are for language models, and this is a sentence encoder");
  AQ_TRY(aq_evaluation_texts_load(&options->origin, &e->texts, err));
  AQ_TRY(aq_pool_create(options->run->threads, &e->pool, err));
  AQ_TRY(embed_reference(e, reference, err));
  e->cosines = aq_calloc(e->texts.plain, sizeof *e->cosines);
  e->before = aq_calloc(e->texts.pairs, sizeof *e->before);
  if (e->cosines == NULL || e->before == NULL) return aq_fail_memory(err, e->texts.plain * sizeof(double));
  aq_output_pairs(e->reference + e->texts.plain * e->dimension, e->texts.pairs, e->dimension, e->before);
  return AQ_OK;
}

static aq_status describe_embeddings(const void *state, json_t *object, aq_error *err) {
  const embeddings *e = state;
  const aq_evaluator_options *o = e->options;
  AQ_TRY(aq_report_set(object, "texts", aq_json_count(e->texts.plain), err));
  AQ_TRY(aq_report_set(object, "texts_from", aq_json_string(aq_judge_texts_from(&o->origin)), err));
  AQ_TRY(aq_report_set(object, "label_pairs", aq_json_count(e->texts.pairs), err));
  AQ_TRY(aq_report_set(object, "labels_from", aq_json_string(o->origin.labels_file), err));
  AQ_TRY(aq_report_set(object, "dimension", aq_json_count(e->dimension), err));
  return aq_report_set(object, "notes", json_incref(e->notes), err);
}

/* ---- figures ---- */

static json_t *quote(const char *text, size_t length) {
  char out[QUOTED + AQ_QUOTE_END];
  aq_evaluation_quote(text, length, QUOTED, "\n", out);
  return aq_json_string(out);
}

/* Mean and minimum cosine of each kind of built-in texts. */
static aq_status set_kinds(const embeddings *e, json_t *object, aq_error *err) {
  AQ_TRY(aq_report_set(object, "kinds", json_array(), err));
  json_t *kinds = json_object_get(object, "kinds");
  for (size_t first = 0, next; e->texts.builtin && first < e->texts.plain; first = next) {
    const char *kind = aq_builtin_texts[first].kind;
    double sum = 0, minimum = 1;
    for (next = first; next < e->texts.plain && strcmp(aq_builtin_texts[next].kind, kind) == 0; next++) {
      sum += e->cosines[next];
      minimum = fmin(minimum, e->cosines[next]);
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

static aq_status set_labels(const embeddings *e, json_t *object, aq_error *err) {
  const aq_evaluation_texts *t = &e->texts;
  AQ_TRY(aq_report_set(object, "labels", json_null(), err));
  if (t->pairs == 0) return AQ_OK;
  double *after = aq_calloc(t->pairs, sizeof *after), was = NAN, is = NAN;
  if (after == NULL) return aq_fail_memory(err, t->pairs * sizeof *after);
  aq_output_pairs(e->other + t->plain * e->dimension, t->pairs, e->dimension, after);
  aq_status status = aq_spearman(e->before, t->labels, t->pairs, &was, err);
  if (status == AQ_OK) status = aq_spearman(after, t->labels, t->pairs, &is, err);
  aq_free(after);
  AQ_TRY(status);
  AQ_TRY(aq_report_set(object, "labels", json_object(), err));
  json_t *labels = json_object_get(object, "labels");
  AQ_TRY(aq_report_set(labels, "reference_spearman", aq_json_real(was), err));
  return aq_report_set(labels, "spearman", aq_json_real(is), err);
}

static aq_status set_figures(const embeddings *e, const aq_output_figures *f, double weights_cosine, json_t *object,
                             aq_error *err) {
  AQ_TRY(aq_report_set(object, "mean_cosine", aq_json_real(f->mean), err));
  AQ_TRY(aq_report_set(object, "p1_cosine", aq_json_real(f->p1), err));
  AQ_TRY(aq_report_set(object, "min_cosine", aq_json_real(f->min), err));
  AQ_TRY(aq_report_set(object, "worst_text", quote(e->texts.texts[f->worst], e->texts.lengths[f->worst]), err));
  AQ_TRY(aq_report_set(object, "paired_texts", aq_json_count(f->sampled), err));
  AQ_TRY(aq_report_set(object, "neighbours", aq_json_count(f->neighbours), err));
  AQ_TRY(aq_report_set(object, "neighbour_overlap", aq_json_real(f->overlap), err));
  AQ_TRY(aq_report_set(object, "similarity_spearman", aq_json_real(f->spearman), err));
  AQ_TRY(set_kinds(e, object, err));
  AQ_TRY(set_labels(e, object, err));
  return aq_report_set(object, "verdict", json_string(aq_outputs_verdict("encoder", weights_cosine, f->mean)), err);
}

static aq_status measure_embeddings(void *state, const aq_source *other, const char *folder, double weights_cosine,
                                    json_t *object, aq_error *err) {
  embeddings *e = state;
  aq_encoder *encoder = NULL;
  aq_output_figures figures;
  AQ_TRY(open_encoder(e, other, folder, &encoder, err));
  aq_status status = AQ_OK;
  if (aq_encoder_dimension(encoder) != e->dimension) {
    status = aq_fail(err, AQ_ERR_FORMAT, "its embeddings have %u numbers, those of the reference %u",
                     aq_encoder_dimension(encoder), e->dimension);
    (void)aq_error_in_file(err, status, other->path);
  }
  if (status == AQ_OK) status = encode_texts(e, encoder, e->other, err);
  aq_encoder_close(encoder);
  AQ_TRY(status);
  AQ_TRY(aq_output_compare(e->reference, e->other, e->texts.plain, e->dimension, e->pool, e->cosines, &figures, err));
  return set_figures(e, &figures, weights_cosine, object, err);
}

const aq_evaluator_kind aq_encoder_evaluator = {.name = "encoder",
                                                .output = AQ_OUTPUT_EMBEDDINGS,
                                                .state_size = sizeof(embeddings),
                                                .begin = begin_embeddings,
                                                .describe = describe_embeddings,
                                                .measure = measure_embeddings,
                                                .reset = reset_embeddings};
