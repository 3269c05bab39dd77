/* calibrate_decoder.c - calibration of language models: windows of a running text, Fisher statistics of the next token,
 * and the divergence from the original's predictions.
 *
 * A similarity is 1 - KL: the loss 1 - similarity is then the mean divergence in nats per token, at positions that the
 * operation "perplexity" counts as well. */
#include <string.h>

#include "arrowquant_experimental.h"
#include "calib/corpus/corpus.h"
#include "calib/fisher/decoder_stats.h"
#include "calib/self_texts.h"
#include "calib/text_windows.h"
#include "calib/window_divergence.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "measure/tuning_texts.h"
#include "report/report.h"
#include "search/calibration.h"

#define BUILTIN_TEXTS ((size_t)8000)
#define WINDOW ((size_t)512)
#define STATS_WINDOWS ((size_t)64) /* that statistics are taken from */
#define HELD_WINDOWS ((size_t)8)   /* at most, and one of HELD_SHARE */
#define HELD_SHARE ((size_t)8)
#define WINDOWS_LEAST ((size_t)8)
#define SHOWN_TOKENS ((size_t)24) /* of texts that the model wrote */

/* ---- texts ---- */

static aq_status fail_few_windows(const aq_text_windows *w, const char *file, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT,
                "the texts have %zu tokens, %zu windows of %zu; calibration needs %zu, and %zu are better", w->tokens,
                w->count, w->length, WINDOWS_LEAST, STATS_WINDOWS + HELD_WINDOWS);
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Give a file with more text, or `calib=builtin`");
  return aq_error_in_file(err, AQ_ERR_ARGUMENT, file);
}

static aq_status cut_texts(const aq_calibration *c, const aq_running_text_origin *origin, aq_text_windows *out,
                           aq_error *err) {
  const size_t length = AQ_MIN(WINDOW, (size_t)c->model.config.max_tokens);
  AQ_TRY(aq_text_windows_make(origin, c->model.tokenizer, length, 0, out, err));
  return aq_text_windows_check(out, c->model.config.vocabulary, err);
}

static aq_status cut_corpus(aq_calibration *c, const aq_quantize_options *o, aq_text_windows *out, aq_error *err) {
  const bool list = o->calib_texts.texts != NULL, builtin = !list && aq_calibration_is_builtin(o);
  aq_corpus corpus = {0};
  if (builtin) AQ_TRY(aq_corpus_builtin(BUILTIN_TEXTS, &corpus, err));
  const aq_text_list own = {.texts = corpus.texts, .lengths = corpus.lengths, .count = corpus.count};
  const aq_running_text_origin origin = {list || builtin ? NULL : o->calib, list ? &o->calib_texts : &own};
  aq_status status = cut_texts(c, &origin, out, err);
  aq_corpus_reset(&corpus);
  if (status == AQ_OK && out->count < WINDOWS_LEAST) status = fail_few_windows(out, o->calib, err);
  return status;
}

static aq_status allocate_texts(size_t count, aq_token_texts *out, aq_error *err) {
  out->ids = aq_calloc(count, sizeof *out->ids);
  out->lengths = aq_calloc(count, sizeof *out->lengths);
  return out->ids != NULL && out->lengths != NULL ? AQ_OK : aq_fail_memory(err, count * sizeof *out->ids);
}

static void add_window(const aq_text_windows *w, size_t i, aq_token_texts *to) {
  to->ids[to->count] = w->ids + i * w->length;
  to->lengths[to->count++] = (uint32_t)w->length;
}

/* The last of each `stride` windows is held out, up to `held` of them. `fit` has the memory of both. */
static aq_status divide_windows(aq_calibration *c, aq_text_windows *w, size_t held, size_t stride, aq_error *err) {
  AQ_TRY(allocate_texts(w->count, &c->fit, err));
  AQ_TRY(allocate_texts(held, &c->held.texts, err));
  for (size_t i = 0; i < w->count; i++) {
    const bool out = i % stride == stride - 1 && c->held.texts.count < held;
    add_window(w, i, out ? &c->held.texts : &c->fit);
  }
  c->fit.memory = w->ids;
  w->ids = NULL;
  return AQ_OK;
}

/* ---- texts of its own ---- */

/* How they begin, for people to look at: a few words of the first. */
static aq_status describe_windows(aq_calibration *c, const aq_text_windows *w, aq_error *err) {
  char *text;
  size_t length;
  AQ_TRY(aq_tokenizer_decode(c->model.tokenizer, w->ids, AQ_MIN(w->length, SHOWN_TOKENS), true, &text, &length, err));
  const size_t blank = strspn(text, "\r\n "), shown = strcspn(text + blank, "\r\n");
  memmove(text, text + blank, shown);
  text[shown] = '\0';
  c->written = (aq_written_texts){.windows = w->count, .tokens = w->tokens, .beginning = text};
  memcpy(c->written.hash, w->hash, sizeof w->hash);
  return AQ_OK;
}

/* The first are held out. When statistics are read and nothing is tuned, those are all that is needed. */
static aq_status write_windows(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  const uint64_t params = c->original.count * sizeof(float), limit = o->run.max_memory;
  const bool few = o->search->stats_path != NULL && !(o->search->tune_seconds > 0);
  const aq_self_texts wanted = {.count = few ? HELD_WINDOWS : HELD_WINDOWS + STATS_WINDOWS,
                                .length = AQ_MIN(WINDOW, (size_t)c->model.config.max_tokens),
                                .threads = aq_pool_threads(c->pool),
                                .max_memory = limit > 0 ? limit - AQ_MIN(params, limit - 1) : 0};
  aq_text_windows w = {0};
  aq_progress progress;
  aq_progress_begin(&progress, &o->run, "write texts", wanted.count, wanted.count * wanted.length);
  aq_status status = aq_self_texts_write(&c->model, &wanted, &progress, &w, err);
  if (status == AQ_OK) status = describe_windows(c, &w, err);
  if (status == AQ_OK) status = divide_windows(c, &w, HELD_WINDOWS, 1, err);
  aq_text_windows_reset(&w);
  return status;
}

/* ---- texts for choosing ---- */

static aq_status load_choosing_texts(aq_calibration *c, aq_error *err) {
  const aq_text_list list = {.texts = aq_tuning_texts, .count = aq_tuning_text_count};
  aq_text_windows w = {0};
  aq_status status = cut_texts(c, &(aq_running_text_origin){NULL, &list}, &w, err);
  if (status == AQ_OK) status = allocate_texts(w.count, &c->choose.texts, err);
  for (size_t i = 0; status == AQ_OK && i < w.count; i++) add_window(&w, i, &c->choose.texts);
  if (status == AQ_OK) {
    c->choose.texts.memory = w.ids;
    w.ids = NULL;
  }
  aq_text_windows_reset(&w);
  return status;
}

/* ---- outputs ---- */

static aq_status measure_divergence(const aq_calibration *c, const aq_params *params, const aq_evaluation_set *on,
                                    double *similarity, aq_error *err) {
  const aq_window_set windows = {(const int32_t *const *)on->texts.ids, on->texts.lengths, on->texts.count,
                                 on->reference};
  double divergence;
  AQ_TRY(aq_window_divergence(&c->original, &windows, params, c->pool, NULL, &divergence, err));
  *similarity = 1 - divergence;
  return AQ_OK;
}

/* The windows' states in the original and in what is measured, and a window with the matrices of a layer in panels. */
static uint64_t measure_bytes(const aq_model *m) {
  enum { WIDE_ROWS = 6 }; /* as wide as gate and up, that a token has in a layer, about */
  const uint64_t window = WIDE_ROWS * (uint64_t)WINDOW * 2 * m->decoder.layers[0].inner * sizeof(float);
  return aq_window_divergence_bytes(m, 2 * HELD_WINDOWS * WINDOW) + window + aq_params_layer_bytes(m);
}

static aq_status keep_states(const aq_calibration *c, aq_evaluation_set *set, aq_error *err) {
  const size_t hidden = c->model.config.hidden;
  size_t tokens = 0;
  for (size_t i = 0; i < set->texts.count; i++) tokens += set->texts.lengths[i];
  set->reference = aq_realloc_array(NULL, AQ_MAX(tokens, 1) * hidden, sizeof *set->reference);
  if (set->reference == NULL) return aq_fail_memory(err, tokens * hidden * sizeof *set->reference);
  return aq_window_states(&c->original, (const int32_t *const *)set->texts.ids, set->texts.lengths, set->texts.count,
                          c->pool, set->reference, err);
}

/* ---- the kind ---- */

/* Of those of a file, evenly spaced ones are held out. */
static aq_status load_windows(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  aq_text_windows w = {0};
  aq_status status = cut_corpus(c, o, &w, err);
  if (status == AQ_OK) {
    const size_t held = AQ_MIN(HELD_WINDOWS, w.count / HELD_SHARE);
    status = divide_windows(c, &w, held, w.count / held, err);
  }
  aq_text_windows_reset(&w);
  return status;
}

static aq_status load_texts(aq_calibration *c, const aq_quantize_options *o, aq_error *err) {
  AQ_TRY(aq_calibration_is_self(o) ? write_windows(c, o, err) : load_windows(c, o, err));
  AQ_TRY(load_choosing_texts(c, err));
  AQ_TRY(keep_states(c, &c->held, err));
  return keep_states(c, &c->choose, err);
}

/* Evenly spaced windows of those that are not held out. */
static aq_status gather_statistics(aq_calibration *c, const aq_quantize_options *o, aq_progress *progress,
                                   aq_error *err) {
  const size_t count = AQ_MIN(c->fit.count, STATS_WINDOWS);
  const aq_stats_options stats = {
      .max_tokens = (uint32_t)WINDOW, .max_memory = o->run.max_memory, .scratch = c->scratch, .beside = c->output};
  const int32_t **ids = aq_calloc(count, sizeof *ids);
  if (ids == NULL) return aq_fail_memory(err, count * sizeof *ids);
  for (size_t i = 0; i < count; i++) ids[i] = c->fit.ids[i * c->fit.count / count];
  const aq_status status =
      aq_decoder_stats_gather(&c->original, ids, c->fit.lengths, count, &stats, c->pool, progress, &c->stats, err);
  aq_free(ids);
  AQ_TRY(status);
  return aq_stats_count_words(&c->stats, c->fit.ids, c->fit.lengths, c->fit.count, err);
}

/* Nothing is adjusted: what was before is what is. */
static aq_status report_divergence(json_t *report, double before, double held, double others, aq_error *err) {
  (void)before;
  AQ_TRY(aq_report_set(report, "divergence", aq_json_real(1 - held), err));
  return aq_report_set(report, "divergence_on_other_texts", aq_json_real(1 - others), err);
}

const aq_calibration_kind aq_decoder_calibration = {.open_model = aq_model_open_decoder,
                                                    .load_texts = load_texts,
                                                    .gather = gather_statistics,
                                                    .factors = &aq_decoder_factors,
                                                    .measure = measure_divergence,
                                                    .measure_bytes = measure_bytes,
                                                    .report = report_divergence,
                                                    .tuning = {256, 2, 60, false},
                                                    .only_asked = true};
