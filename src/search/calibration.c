/* calibration.c - which kind of model it is, its parameters, and its statistics. */
#include "search/calibration.h"

#include <stdio.h>
#include <string.h>

#include "arrowquant_experimental.h"
#include "calib/self_texts.h"
#include "calib/tune/student.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "report/report.h"

/* Tried in this order. */
static const aq_calibration_kind *const kinds[] = {&aq_encoder_calibration, &aq_decoder_calibration};

bool aq_calibration_is_named(const aq_quantize_options *o) { return o->calib != NULL || o->calib_texts.texts != NULL; }

/* In a word: where the texts were is no business of a file. */
static const char *kind_of_texts(const aq_quantize_options *o) {
  if (o->calib_texts.texts != NULL) return "list";
  return aq_calibration_is_builtin(o) ? "built-in" : aq_calibration_is_self(o) ? "self" : "file";
}

/* ---- statistics ---- */

static aq_status obtain_statistics(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  if (o->search->stats_path != NULL) {
    c->statistics_from = o->search->stats_path;
    AQ_TRY(aq_stats_load(c->statistics_from, &c->model, c->scratch, &c->stats, err));
  } else {
    const double started = aq_clock();
    aq_progress progress;
    aq_progress_begin(&progress, &o->run, "calibrate", 0, 0);
    AQ_TRY(c->kind->gather(c, o, &progress, err));
    c->seconds = aq_clock() - started;
    c->stats.texts_from = kind_of_texts(o);
  }
  if (o->search->save_stats_path == NULL) return AQ_OK;
  return aq_stats_save(&c->stats, o->search->save_stats_path, o->table.force, err);
}

aq_status aq_calibration_make_factors(aq_calibration *c, aq_error *err) {
  return aq_fisher_factors_create(c->kind->factors, &c->stats, c->pool, &c->factors, &c->factor_count, err);
}

/* ---- the whole ---- */

/* Of the first kind that knows the model's family; when none does, the first kind says so. */
static aq_status open_model(aq_calibration *c, const aq_source *source, aq_error *err) {
  aq_status status = AQ_OK;
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    aq_error other;
    aq_error_clear(&other);
    aq_model_reset(&c->model);
    c->kind = kinds[i];
    const aq_status found = c->kind->open_model(source, NULL, &c->model, &other);
    if (i == 0 || c->model.config.arch != NULL) {
      status = found;
      *err = other;
    }
    if (status != AQ_ERR_UNSUPPORTED) break;
  }
  return status;
}

/* Targets that the outputs of the model do not have. */
static aq_status check_options(const aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  AQ_FAIL_IF(o->min_similarity > 0 && !c->kind->embeds, AQ_ERR_UNSUPPORTED,
             "'min_similarity' is for models that make embeddings, and this one is a %s",
             c->model.config.arch->model_type);
  AQ_FAIL_IF(o->max_kl > 0 && c->kind->embeds, AQ_ERR_UNSUPPORTED,
             "'max_kl' is for models that predict tokens, and this one, a %s, makes embeddings",
             c->model.config.arch->model_type);
  if (o->search->tune_seconds > 0 && c->kind->embeds && c->model.config.passes > 1) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "tuning does not know layers that share their weights, as those of %s do",
                  c->model.config.arch->model_type);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Leave out `tune_seconds`%s",
                         o->search->tune_from != NULL ? " and `tune_from`" : "");
  }
  if (!aq_calibration_is_self(o) || !c->kind->embeds) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT,
                "texts 'self' are those that a language model writes; this one, a %s, writes none",
                c->model.config.arch->model_type);
  return aq_error_hint(err, AQ_ERR_ARGUMENT,
                       "Use `calib=builtin` or a file of texts; a file of that name is `calib=./self`");
}

static uint64_t count_parameters(const aq_model *m) {
  uint64_t count = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) count += aq_weight_floats(&m->weights[i]);
  return count;
}

/* Of the matrices that threads read for themselves: one each, and at worst both ends of the model with them. */
static uint64_t passing_bytes(const aq_model *m, uint32_t threads) {
  uint64_t most = 0, ends = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    const uint64_t floats = w->kind != AQ_WEIGHT_VECTOR ? aq_weight_floats(w) : 0;
    if (w->layer == AQ_NO_LAYER) ends += floats;
    if (w->layer != AQ_NO_LAYER) most = AQ_MAX(most, floats);
  }
  return (threads * most + ends) * sizeof(float);
}

/* Beside the statistics, which know their own limit: what rounding, measuring and tuning hold at once. Rounding holds
 * no parameters but what threads read, measuring one part of the original and of what is rounded, tuning both as they
 * are.
 */
static uint64_t count_bytes(const aq_calibration *c, const aq_quantize_options *o) {
  const aq_model *m = &c->model;
  const uint64_t codes = count_parameters(m), measured = c->kind->measure_bytes(m);
  const uint32_t threads = aq_pool_threads(c->pool);
  const uint64_t rounding = aq_fisher_factors_bytes(m, threads) + passing_bytes(m, threads);
  const uint64_t measuring = 2 * aq_params_open_bytes(m) + measured;
  const uint64_t whole = 2 * codes * sizeof(float) + measured;
  const uint64_t tuning = o->search->tune_seconds > 0 ? whole + aq_student_bytes(m) : 0;
  return codes + AQ_MAX(AQ_MAX(rounding, measuring), tuning);
}

static aq_status check_memory(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  const uint64_t limit = o->run.max_memory, needed = count_bytes(c, o);
  c->memory_bytes = needed;
  if (limit == 0 || needed <= limit) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_MEMORY, "planning with calibration takes %llu bytes of memory, the limit is %llu",
                (unsigned long long)needed, (unsigned long long)limit);
  return aq_error_hint(err, AQ_ERR_MEMORY, "Use `max_memory=%lluMiB` or more, or fewer threads",
                       (unsigned long long)((needed >> 20) + 1));
}

/* Whether the options say nothing that needs the model to be run. */
static bool is_optional(const aq_quantize_options *o) {
  return !aq_calibration_is_named(o) && o->search->stats_path == NULL && o->search->save_stats_path == NULL &&
         !(o->min_similarity > 0) && !(o->max_kl > 0) && !(o->search->tune_seconds > 0);
}

/* Running a language model takes minutes to hours. */
static aq_status check_asked(const aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  const aq_arch *arch = c->model.config.arch;
  if (!c->kind->only_asked || arch == NULL || !is_optional(o)) return AQ_OK;
  aq_error_clear(err);
  return aq_fail(
      err, AQ_ERR_UNSUPPORTED,
      "a language model, of type %s, is run only when texts are named to calibrate it with: a file, 'builtin', "
      "or 'self', which it writes itself",
      arch->model_type);
}

static aq_status load_model(aq_calibration *c, const aq_source *source, const aq_quantize_options *o, aq_error *err) {
  aq_status status = open_model(c, source, err);
  const aq_status asked = check_asked(c, o, err);
  status = asked != AQ_OK ? asked : status;
  if (status == AQ_OK) status = check_options(c, o, err);
  if (status == AQ_OK) status = aq_model_need_tokenizer(&c->model, err);
  if (status == AQ_OK) status = aq_pool_create(o->run.threads, &c->pool, err);
  if (status == AQ_OK) status = check_memory(c, o, err);
  if (status == AQ_OK) status = aq_params_open(&c->model, c->pool, &c->original, err);
  return status == AQ_OK || source->path == NULL ? status : aq_error_in_file(err, status, source->path);
}

static aq_status calibrate(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  const char *from = kind_of_texts(o);
  c->texts_from = strcmp(from, "file") == 0 ? o->calib : from;
  AQ_TRY(aq_scratch_create(c->output, &c->scratch, err));
  AQ_TRY(c->kind->load_texts(c, o, err));
  AQ_TRY(obtain_statistics(c, o, err));
  aq_params_release(&c->original);
  return AQ_OK;
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

/* What is left for a model that cannot be run: a plan by its tensors, without what needs a run. */
static aq_status hint_at_tensors(const aq_quantize_options *o, aq_status status, aq_error *err) {
  const struct {
    bool given;
    const char *member;
  } runs[] = {{o->search->stats_path != NULL, "`stats_path`"},
              {o->search->save_stats_path != NULL, "`save_stats_path`"},
              {o->search->tune_seconds > 0, "`tune_seconds`"},
              {o->search->tune_from != NULL, "`tune_from`"}};
  const bool has_size = o->target_size > 0 || o->target_bpw > 0;
  const bool has_target = has_size || o->min_similarity > 0 || o->max_kl > 0 || o->search->tune_from != NULL;
  char without[128] = "";
  for (size_t i = 0; i < AQ_COUNT_OF(runs); i++) {
    const size_t used = strlen(without);
    if (!runs[i].given) continue;
    (void)snprintf(without + used, sizeof without - used, "%s%s", used == 0 ? ", without " : " and ", runs[i].member);
  }
  if (!has_target) return aq_error_hint(err, status, "Choose another `method`%s", without);
  return aq_error_hint(err, status, "%sgo by the tensors (`calib=none`)%s",
                       has_size ? "Let the plan " : "Name a size (`target_size`, `target_bpw`) and ", without);
}

aq_status aq_calibration_open(const aq_source *source, const aq_quantize_options *o, const char *output,
                              aq_calibration **out, char **why_not, aq_error *err) {
  *out = NULL;
  *why_not = NULL;
  if (o->calib != NULL && strcmp(o->calib, "none") == 0) return AQ_OK;
  aq_calibration *c = aq_calloc(1, sizeof *c);
  if (c == NULL) return aq_fail_memory(err, sizeof *c);
  c->output = output;
  aq_error cause;
  aq_error_clear(&cause);
  aq_status status = load_model(c, source, o, &cause);
  if (is_optional(o) && (status == AQ_ERR_NOT_FOUND || status == AQ_ERR_UNSUPPORTED)) {
    aq_calibration_free(c);
    return describe_cause(source, &cause, why_not, err);
  }
  if (status == AQ_ERR_UNSUPPORTED) (void)hint_at_tensors(o, status, &cause);
  if (status != AQ_OK && err != NULL) *err = cause;
  if (status == AQ_OK) status = calibrate(c, o, err);
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
  aq_free(c->written.beginning);
  aq_token_texts_reset(&c->fit);
  aq_token_texts_reset(&c->held.texts);
  aq_token_texts_reset(&c->choose.texts);
  aq_free(c->held.reference);
  aq_free(c->choose.reference);
  aq_params_reset(&c->original);
  aq_scratch_free(c->scratch);
  aq_pool_free(c->pool);
  aq_model_reset(&c->model);
  aq_free(c);
}

aq_status aq_calibration_similarity(const aq_calibration *c, const aq_params *params, const aq_evaluation_set *on,
                                    double *similarity, aq_error *err) {
  const aq_status status = c->kind->measure(c, params, on, similarity, err);
  aq_params_release(&c->original);
  aq_params_release(params);
  return status;
}

json_t *aq_calibration_json(const aq_calibration *c) {
  const char *fitted = c->statistics_from != NULL ? c->stats.texts_from : c->texts_from;
  json_t *json =
      json_pack("{s:o, s:o, s:I, s:I, s:o, s:I, s:f, s:I}", "texts_from", aq_json_string(fitted), "statistics_from",
                aq_json_string(c->statistics_from), "texts", (json_int_t)c->stats.texts, "tokens",
                (json_int_t)c->stats.tokens, "held_out_from", aq_json_string(c->texts_from), "held_out_texts",
                (json_int_t)c->held.texts.count, "seconds", c->seconds, "memory_bytes", (json_int_t)c->memory_bytes);
  const aq_written_texts *w = &c->written;
  if (json == NULL || w->windows == 0) return json;
  json_t *written =
      json_pack("{s:I, s:I, s:i, s:s, s:o}", "windows", (json_int_t)w->windows, "tokens", (json_int_t)w->tokens, "seed",
                AQ_SELF_TEXTS_SEED, "hash", w->hash, "beginning", aq_json_string(w->beginning));
  if (json_object_set_new(json, "written", written) == 0) return json;
  json_decref(json);
  return NULL;
}
