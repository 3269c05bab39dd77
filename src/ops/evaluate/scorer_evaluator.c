/* scorer_evaluator.c - scores of pairs of texts by two models with heads, and how far they are apart.
 *
 * Both models run in FP32, the quantized one on its dequantized values. Scores are those that a caller sees: behind the
 * activation. */
#include <math.h>
#include <stdio.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "io/source.h"
#include "measure/score_agreement.h"
#include "model/run/scorer.h"
#include "ops/evaluate/evaluation_pairs.h"
#include "ops/evaluate/evaluator_kind.h"
#include "report/outputs_words.h"
#include "report/report.h"
#include "report/source_json.h"

/* Pairs between two questions whether to go on. */
#define PIECE_PAIRS ((size_t)256)
/* Bytes of each text of a pair that a report quotes. */
enum { QUOTED = 80 };

typedef struct pair_scores {
  const aq_evaluator_options *options;
  aq_evaluation_texts texts;
  aq_evaluation_pairs pairs;
  float *reference, *other; /* pairs x labels */
  uint32_t labels;
  json_t *notes, *activation; /* of the reference */
} pair_scores;

static void reset_scores(void *state) {
  pair_scores *s = state;
  aq_evaluation_pairs_reset(&s->pairs);
  aq_evaluation_texts_reset(&s->texts);
  json_decref(s->notes);
  json_decref(s->activation);
  aq_free(s->reference);
  aq_free(s->other);
}

/* ---- scoring ---- */

static aq_status open_scorer(const pair_scores *s, const aq_source *source, const char *folder, aq_scorer **out,
                             aq_error *err) {
  aq_scorer_options options;
  aq_scorer_options_init(&options);
  options.threads = s->options->run->threads;
  options.folder = folder;
  return aq_scorer_open_source(source, &options, out, err);
}

static aq_status score_pairs(const pair_scores *s, aq_scorer *scorer, float *out, aq_error *err) {
  aq_progress progress;
  aq_progress_begin(&progress, s->options->run, "score", 0, 0);
  aq_status status = AQ_OK;
  scorer->encoder->progress = &progress;
  for (size_t first = 0, n; first < s->pairs.count && status == AQ_OK; first += n) {
    uint64_t bytes = 0;
    n = AQ_MIN(s->pairs.count - first, PIECE_PAIRS);
    scorer->encoder->first_text = first;
    status = aq_scorer_score(scorer, s->pairs.texts + 2 * first, s->pairs.lengths + 2 * first, n, false,
                             out + first * s->labels, err);
    for (size_t i = 2 * first; i < 2 * (first + n); i++) bytes += s->pairs.lengths[i];
    if (status == AQ_OK) status = aq_progress_add(&progress, NULL, 0, bytes, err);
  }
  scorer->encoder->progress = NULL;
  return status;
}

/* Pairs x labels. */
static aq_status make_room(const pair_scores *s, float **out, aq_error *err) {
  uint64_t numbers, bytes;
  size_t size = 0;
  const bool fits = aq_mul_ok(s->pairs.count, s->labels, &numbers) && aq_mul_ok(numbers, sizeof **out, &bytes) &&
                    aq_to_size_ok(bytes, &size);
  *out = fits ? aq_malloc(size) : NULL;
  return *out != NULL ? AQ_OK : aq_fail_memory(err, size);
}

static aq_status score_reference(pair_scores *s, const aq_source *reference, aq_error *err) {
  aq_scorer *scorer = NULL;
  AQ_TRY(open_scorer(s, reference, s->options->folder, &scorer, err));
  s->labels = aq_scorer_labels(scorer);
  s->notes = aq_notes_json(&scorer->encoder->model.notes);
  s->activation = json_string(aq_scorer_activation(scorer));
  aq_status status = make_room(s, &s->reference, err);
  if (status == AQ_OK) status = make_room(s, &s->other, err);
  if (status == AQ_OK) status = score_pairs(s, scorer, s->reference, err);
  aq_scorer_close(scorer);
  return status;
}

static aq_status begin_scores(void *state, const aq_evaluator_options *options, const aq_source *reference,
                              aq_error *err) {
  pair_scores *s = state;
  s->options = options;
  AQ_FAIL_IF(options->context > 0 || options->windows > 0 || options->max_kl > 0 || options->max_ppl_increase > 0,
             AQ_ERR_ARGUMENT,
             "windows of tokens, max_kl and max_ppl_increase are for language models, and this is a cross-encoder");
  AQ_FAIL_IF(options->origin.labels_file != NULL, AQ_ERR_ARGUMENT,
             "labels are compared with similarities of embeddings, and this is a cross-encoder, which has scores");
  AQ_TRY(aq_evaluation_texts_load(&options->origin, &s->texts, err));
  AQ_TRY(aq_evaluation_pairs_make(&s->texts, &s->pairs, err));
  return score_reference(s, reference, err);
}

static aq_status describe_scores(const void *state, json_t *object, aq_error *err) {
  const pair_scores *s = state;
  AQ_TRY(aq_report_set(object, "pairs", aq_json_count(s->pairs.count), err));
  AQ_TRY(aq_report_set(object, "queries", aq_json_count(s->pairs.query_count), err));
  AQ_TRY(aq_report_set(object, "texts_from", aq_json_string(aq_judge_texts_from(&s->options->origin)), err));
  AQ_TRY(aq_report_set(object, "labels", aq_json_count(s->labels), err));
  AQ_TRY(aq_report_set(object, "activation", json_incref(s->activation), err));
  return aq_report_set(object, "notes", json_incref(s->notes), err);
}

/* ---- figures ---- */

/* The beginnings of both texts of a pair. */
static json_t *quote_pair(const pair_scores *s, size_t pair) {
  char out[2][QUOTED + AQ_QUOTE_END], both[2 * QUOTED + 16];
  for (size_t k = 0; k < 2; k++) {
    aq_evaluation_quote(s->pairs.texts[2 * pair + k], s->pairs.lengths[2 * pair + k], QUOTED, "\n\t", out[k]);
  }
  (void)snprintf(both, sizeof both, "%s | %s", out[0], out[1]);
  return aq_json_string(both);
}

static aq_status set_figures(const pair_scores *s, const aq_score_figures *f, double weights_cosine, json_t *object,
                             aq_error *err) {
  AQ_TRY(aq_report_set(object, "score_spearman", aq_json_real(f->spearman), err));
  AQ_TRY(aq_report_set(object, "order_agreement", aq_json_real(f->order), err));
  AQ_TRY(aq_report_set(object, "ordered", aq_json_count(f->ordered), err));
  AQ_TRY(aq_report_set(object, "max_difference", aq_json_real(f->max_difference), err));
  AQ_TRY(aq_report_set(object, "mean_difference", aq_json_real(f->mean_difference), err));
  AQ_TRY(aq_report_set(object, "label_agreement", aq_json_real(f->label_agreement), err));
  AQ_TRY(aq_report_set(object, "worst_pair", quote_pair(s, f->worst), err));
  return aq_report_set(object, "verdict", json_string(aq_outputs_verdict("scorer", weights_cosine, f->spearman)), err);
}

static aq_status measure_scores(void *state, const aq_source *other, const char *folder, double weights_cosine,
                                json_t *object, aq_error *err) {
  pair_scores *s = state;
  aq_scorer *scorer = NULL;
  aq_score_figures figures;
  AQ_TRY(open_scorer(s, other, folder, &scorer, err));
  aq_status status = AQ_OK;
  if (aq_scorer_labels(scorer) != s->labels) {
    status = aq_fail(err, AQ_ERR_FORMAT, "it has %u labels, and the reference %u", aq_scorer_labels(scorer), s->labels);
    (void)aq_error_in_file(err, status, other->path);
  }
  if (status == AQ_OK) status = score_pairs(s, scorer, s->other, err);
  aq_scorer_close(scorer);
  AQ_TRY(status);
  AQ_TRY(aq_score_compare(s->reference, s->other, s->pairs.queries, s->pairs.count, s->labels, &figures, err));
  return set_figures(s, &figures, weights_cosine, object, err);
}

const aq_evaluator_kind aq_scorer_evaluator = {.name = "scorer",
                                               .output = AQ_OUTPUT_SCORES,
                                               .state_size = sizeof(pair_scores),
                                               .begin = begin_scores,
                                               .describe = describe_scores,
                                               .measure = measure_scores,
                                               .reset = reset_scores};
