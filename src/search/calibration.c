/* calibration.c - texts and statistics of an encoder. */
#include "search/calibration.h"

#include <string.h>

#include "arrowquant_experimental.h"
#include "calib/corpus/corpus.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "io/source.h"
#include "measure/outputs.h"
#include "measure/tuning_texts.h"
#include "report/report.h"

#define BUILTIN_TEXTS ((size_t)8000)
#define FILE_TEXTS ((size_t)20000) /* at most */
#define STATS_TEXTS ((size_t)2500) /* that statistics are taken from */
#define STATS_TOKENS 96            /* of a text */
#define FIT_TOKENS 160
#define HELD_SHARE ((size_t)20) /* one text of so many is held out, */
#define HELD_MOST ((size_t)300) /* and so many at most */
#define TEXTS_LEAST ((size_t)40)

static bool has_word(const char *text, const char *word) { return text != NULL && strcmp(text, word) == 0; }

/* ---- texts ---- */

bool aq_calibration_is_named(const aq_quantize_options *o) { return o->calib != NULL || o->calib_texts.texts != NULL; }

static aq_status fail_few_texts(size_t count, const char *file, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "has %zu texts; calibration needs %zu, and some thousands are better", count,
                TEXTS_LEAST);
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Give a file with a text per line, or `calib=builtin`");
  return aq_error_in_file(err, AQ_ERR_ARGUMENT, file);
}

static aq_status load_corpus(aq_calibration *c, const aq_quantize_options *o, aq_corpus *corpus, aq_error *err) {
  const bool list = o->calib_texts.texts != NULL;
  const bool builtin = !list && (o->calib == NULL || has_word(o->calib, "builtin"));
  c->texts_from = list ? "list" : builtin ? "built-in" : o->calib;
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
  aq_status status = load_corpus(c, o, &corpus, err);
  const size_t held = AQ_MIN(corpus.count / HELD_SHARE, HELD_MOST);
  if (status == AQ_OK) {
    status = aq_token_texts_make(&c->model, &corpus, 0, corpus.count - held, FIT_TOKENS, &c->fit, err);
  }
  if (status == AQ_OK) {
    status = aq_token_texts_make(&c->model, &corpus, corpus.count - held, held, 0, &c->held.texts, err);
  }
  aq_corpus_reset(&corpus);
  AQ_TRY(status);
  return load_choosing_texts(c, err);
}

/* ---- statistics ---- */

static aq_status gather_statistics(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  const double started = aq_clock();
  const size_t texts = AQ_MIN(c->fit.count, STATS_TEXTS);
  const aq_stats_options stats = {.max_tokens = STATS_TOKENS, .max_memory = o->run.max_memory};
  aq_progress progress;
  aq_progress_begin(&progress, &o->run, "calibrate", 0, 0);
  AQ_TRY(aq_stats_gather(&c->original, c->fit.ids, c->fit.lengths, texts, &stats, c->pool, &progress, &c->stats, err));
  AQ_TRY(aq_stats_count_words(&c->stats, c->fit.ids, c->fit.lengths, c->fit.count, err));
  c->seconds = aq_clock() - started;
  return AQ_OK;
}

static aq_status obtain_statistics(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  if (o->search->stats_path != NULL) {
    AQ_TRY(aq_stats_load(o->search->stats_path, &c->model, &c->stats, err));
  } else {
    AQ_TRY(gather_statistics(c, o, err));
  }
  if (o->search->save_stats_path == NULL) return AQ_OK;
  return aq_stats_save(&c->stats, o->search->save_stats_path, o->table.force, err);
}

aq_status aq_calibration_make_factors(aq_calibration *c, aq_error *err) {
  return aq_fisher_factors_create(&c->original, &c->stats, c->pool, &c->factors, &c->factor_count, err);
}

/* ---- the whole ---- */

static aq_status open_model(aq_calibration *c, const aq_source *source, const aq_quantize_options *o, aq_error *err) {
  aq_status status = aq_model_open(source, NULL, &c->model, err);
  if (status == AQ_OK) status = aq_model_need_tokenizer(&c->model, err);
  if (status == AQ_OK) status = aq_pool_create(o->run.threads, &c->pool, err);
  if (status == AQ_OK) status = aq_params_load(&c->model, c->pool, &c->original, err);
  return status == AQ_OK || source->path == NULL ? status : aq_error_in_file(err, status, source->path);
}

/* Beside the statistics, which know their own limit: what rounding holds at once. Parameters of the original and of
 * what is rounded, its codes, and the factors. */
static aq_status check_memory(const aq_calibration *c, uint64_t limit, aq_error *err) {
  const uint64_t codes = c->original.count, params = codes * sizeof(float);
  const uint64_t needed = 2 * params + codes + aq_fisher_factors_bytes(&c->model, aq_pool_threads(c->pool));
  if (limit == 0 || needed <= limit) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_MEMORY, "planning with calibration takes %llu bytes of memory, the limit is %llu",
                (unsigned long long)needed, (unsigned long long)limit);
  return aq_error_hint(err, AQ_ERR_MEMORY, "Use `max_memory=%lluMiB` or more, or fewer threads",
                       (unsigned long long)((needed >> 20) + 1));
}

static aq_status calibrate_encoder(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  AQ_TRY(check_memory(c, o->run.max_memory, err));
  AQ_TRY(load_texts(c, o, err));
  AQ_TRY(embed_reference(c, &c->held, err));
  AQ_TRY(embed_reference(c, &c->choose, err));
  return obtain_statistics(c, o, err);
}

/* Whether the options say nothing that needs the model to be run. */
static bool is_optional(const aq_quantize_options *o) {
  return !aq_calibration_is_named(o) && o->search->stats_path == NULL && o->search->save_stats_path == NULL &&
         !(o->min_similarity > 0) && !(o->search->tune_seconds > 0);
}

/* The reason of a model that cannot be run, without what to do about it and where the caller knows it to be. */
static aq_status describe_cause(const aq_source *source, const aq_error *cause, char **why_not, aq_error *err) {
  aq_error shown = *cause;
  char reason[sizeof shown.file + sizeof shown.tensor + sizeof shown.message];
  shown.hint[0] = '\0';
  if (source->path != NULL && strcmp(shown.file, source->path) == 0) shown.file[0] = '\0';
  (void)aq_error_format(&shown, reason, sizeof reason);
  *why_not = aq_strdup(reason);
  return *why_not != NULL ? AQ_OK : aq_fail_memory(err, sizeof reason);
}

aq_status aq_calibration_open(const aq_source *source, const aq_quantize_options *o, aq_calibration **out,
                              char **why_not, aq_error *err) {
  *out = NULL;
  *why_not = NULL;
  if (has_word(o->calib, "none")) return AQ_OK;
  aq_calibration *c = aq_calloc(1, sizeof *c);
  if (c == NULL) return aq_fail_memory(err, sizeof *c);
  aq_error cause;
  aq_error_clear(&cause);
  aq_status status = open_model(c, source, o, &cause);
  if (is_optional(o) && (status == AQ_ERR_NOT_FOUND || status == AQ_ERR_UNSUPPORTED)) {
    aq_calibration_free(c);
    return describe_cause(source, &cause, why_not, err);
  }
  if (status == AQ_ERR_UNSUPPORTED) {
    (void)aq_error_hint(&cause, status,
                        "Name a size (`target_size`, `target_bpw`) and go by the tensors (`calib=none`)");
  }
  if (status != AQ_OK && err != NULL) *err = cause;
  if (status == AQ_OK) status = calibrate_encoder(c, o, err);
  if (status != AQ_OK) {
    aq_calibration_free(c);
    return status;
  }
  *out = c;
  return AQ_OK;
}

void aq_calibration_free(aq_calibration *c) {
  if (c == NULL) return;
  aq_fisher_factors_free(c->factors, c->factor_count);
  aq_stats_reset(&c->stats);
  aq_token_texts_reset(&c->fit);
  aq_token_texts_reset(&c->held.texts);
  aq_token_texts_reset(&c->choose.texts);
  aq_free(c->held.reference);
  aq_free(c->choose.reference);
  aq_params_reset(&c->original);
  aq_pool_free(c->pool);
  aq_model_reset(&c->model);
  aq_free(c);
}

aq_status aq_calibration_similarity(const aq_calibration *c, const aq_params *params, const aq_evaluation_set *on,
                                    double *mean, aq_error *err) {
  const size_t texts = on->texts.count, hidden = c->original.model->config.hidden;
  float *other = aq_realloc_array(NULL, AQ_MAX(texts, 1) * hidden, sizeof *other);
  double *cosines = aq_calloc(AQ_MAX(texts, 1), sizeof *cosines);
  aq_output_figures figures = {0};
  aq_status status = other != NULL && cosines != NULL ? AQ_OK : aq_fail_memory(err, texts * hidden * sizeof *other);
  if (status == AQ_OK) status = aq_params_embed(params, &on->texts, c->pool, other, err);
  if (status == AQ_OK) {
    status = aq_output_compare(on->reference, other, texts, hidden, c->pool, cosines, &figures, err);
  }
  *mean = figures.mean;
  aq_free(other);
  aq_free(cosines);
  return status;
}

json_t *aq_calibration_json(const aq_calibration *c) {
  return json_pack("{s:o, s:I, s:I, s:I, s:f}", "texts_from", aq_json_string(c->texts_from), "texts",
                   (json_int_t)c->stats.texts, "tokens", (json_int_t)c->stats.tokens, "held_out_texts",
                   (json_int_t)c->held.texts.count, "seconds", c->seconds);
}
