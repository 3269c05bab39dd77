/* calibrate_encoder.c - calibration of models that make embeddings: texts as they are, Fisher statistics of the
 * embedding, cosines. */
#include <string.h>

#include "calib/corpus/corpus.h"
#include "calib/text_states.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "measure/outputs.h"
#include "measure/tuning_texts.h"
#include "report/report.h"
#include "search/calibration.h"

#define BUILTIN_TEXTS ((size_t)8000)
#define FILE_TEXTS ((size_t)20000) /* at most */
#define STATS_TEXTS ((size_t)2500) /* that statistics are taken from */
#define STATS_TOKENS 96            /* of a text */
#define FIT_TOKENS 160
#define HELD_SHARE ((size_t)20) /* one text of so many is held out, */
#define HELD_MOST ((size_t)300) /* and so many at most */
#define TEXTS_LEAST ((size_t)40)

/* ---- texts ---- */

static aq_status fail_few_texts(size_t count, const char *file, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "has %zu texts; calibration needs %zu, and some thousands are better", count,
                TEXTS_LEAST);
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Give a file with a text per line, or `calib=builtin`");
  return aq_error_in_file(err, AQ_ERR_ARGUMENT, file);
}

static aq_status load_corpus(const aq_quantize_options *o, aq_corpus *corpus, aq_error *err) {
  const bool list = o->calib_texts.texts != NULL;
  const bool builtin = !list && aq_calibration_is_builtin(o);
  if (builtin) return aq_corpus_builtin(BUILTIN_TEXTS, corpus, err);
  aq_status status = list ? aq_corpus_take(&o->calib_texts, FILE_TEXTS, corpus, err)
                          : aq_corpus_load(o->calib, FILE_TEXTS, corpus, err);
  if (status == AQ_OK && corpus->count < TEXTS_LEAST) status = fail_few_texts(corpus->count, o->calib, err);
  return status == AQ_OK || !list ? status : aq_error_in_file(err, status, "calib_texts");
}

static aq_status embed_reference(const aq_calibration *c, aq_evaluation_set *judged, aq_error *err) {
  const size_t room = AQ_MAX(judged->texts.count, 1) * c->original.model->config.hidden;
  judged->reference = aq_realloc_array(NULL, room, sizeof *judged->reference);
  if (judged->reference == NULL) return aq_fail_memory(err, room * sizeof *judged->reference);
  return aq_params_embed(&c->original, &judged->texts, c->pool, judged->reference, err);
}

static aq_status load_choosing_texts(aq_calibration *c, aq_error *err) {
  size_t *lengths = aq_calloc(aq_tuning_text_count, sizeof *lengths);
  if (lengths == NULL) return aq_fail_memory(err, aq_tuning_text_count * sizeof *lengths);
  for (size_t i = 0; i < aq_tuning_text_count; i++) lengths[i] = strlen(aq_tuning_texts[i]);
  aq_corpus own = {.lengths = lengths, .count = aq_tuning_text_count};
  own.texts = aq_calloc(aq_tuning_text_count, sizeof *own.texts);
  aq_status status = own.texts != NULL ? AQ_OK : aq_fail_memory(err, aq_tuning_text_count * sizeof *own.texts);
  if (status == AQ_OK) {
    memcpy(own.texts, aq_tuning_texts, aq_tuning_text_count * sizeof *own.texts);
    status = aq_token_texts_make(&c->model, &own, 0, own.count, 0, &c->choose.texts, err);
  }
  aq_free(own.texts);
  aq_free(lengths);
  return status;
}

static aq_status load_texts(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  aq_corpus corpus = {0};
  aq_status status = load_corpus(o, &corpus, err);
  const size_t held = AQ_MIN(corpus.count / HELD_SHARE, HELD_MOST);
  if (status == AQ_OK) {
    status = aq_token_texts_make(&c->model, &corpus, 0, corpus.count - held, FIT_TOKENS, &c->fit, err);
  }
  if (status == AQ_OK) {
    status = aq_token_texts_make(&c->model, &corpus, corpus.count - held, held, 0, &c->held.texts, err);
  }
  aq_corpus_reset(&corpus);
  AQ_TRY(status);
  AQ_TRY(load_choosing_texts(c, err));
  AQ_TRY(embed_reference(c, &c->held, err));
  return embed_reference(c, &c->choose, err);
}

/* ---- statistics ---- */

static aq_status gather_statistics(aq_calibration *c, const aq_quantize_options *o, aq_progress *progress,
                                   aq_error *err) {
  const size_t texts = AQ_MIN(c->fit.count, STATS_TEXTS);
  const aq_stats_options stats = {
      .max_tokens = STATS_TOKENS, .max_memory = o->run.max_memory, .scratch = c->scratch, .beside = c->output};
  AQ_TRY(aq_stats_gather(&c->original, c->fit.ids, c->fit.lengths, texts, &stats, c->pool, progress, &c->stats, err));
  return aq_stats_count_words(&c->stats, c->fit.ids, c->fit.lengths, c->fit.count, err);
}

/* ---- outputs ---- */

aq_status aq_calibration_compare(const aq_calibration *c, const aq_evaluation_set *on, const float *embeddings,
                                 double *mean, aq_error *err) {
  const size_t texts = on->texts.count;
  aq_output_figures figures = {0};
  double *cosines = aq_calloc(AQ_MAX(texts, 1), sizeof *cosines);
  if (cosines == NULL) return aq_fail_memory(err, texts * sizeof *cosines);
  const aq_status status =
      aq_output_compare(on->reference, embeddings, texts, c->model.config.hidden, c->pool, cosines, &figures, err);
  *mean = figures.mean;
  aq_free(cosines);
  return status;
}

static aq_status measure_cosines(const aq_calibration *c, const aq_params *params, const aq_evaluation_set *on,
                                 double *mean, aq_error *err) {
  const size_t room = AQ_MAX(on->texts.count, 1) * c->model.config.hidden;
  float *embeddings = aq_realloc_array(NULL, room, sizeof *embeddings);
  if (embeddings == NULL) return aq_fail_memory(err, room * sizeof *embeddings);
  aq_status status = aq_params_embed(params, &on->texts, c->pool, embeddings, err);
  if (status == AQ_OK) status = aq_calibration_compare(c, on, embeddings, mean, err);
  aq_free(embeddings);
  return status;
}

/* Bias correction holds the states of as many texts in both networks, and more than a measurement. */
static uint64_t measure_bytes(const aq_model *m) {
  return 2 * (uint64_t)AQ_EMBED_TOKENS * m->config.hidden * sizeof(float);
}

static aq_status report_cosines(json_t *report, double before, double held, double others, aq_error *err) {
  AQ_TRY(aq_report_set(report, "similarity_before_repair", aq_json_real(before), err));
  AQ_TRY(aq_report_set(report, "similarity", aq_json_real(held), err));
  return aq_report_set(report, "similarity_on_other_texts", aq_json_real(others), err);
}

const aq_calibration_kind aq_encoder_calibration = {.open_model = aq_model_open,
                                                    .load_texts = load_texts,
                                                    .gather = gather_statistics,
                                                    .factors = &aq_encoder_factors,
                                                    .measure_bytes = measure_bytes,
                                                    .measure = measure_cosines,
                                                    .report = report_cosines,
                                                    .tuning = {500, 1, 0, true},
                                                    .adjusts = true,
                                                    .tries_roundings = true,
                                                    .embeds = true};
