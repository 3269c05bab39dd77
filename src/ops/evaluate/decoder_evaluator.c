/* decoder_evaluator.c - next-token predictions of two language models, and how far they are apart.
 *
 * The reference is run once: what its head reads is kept of every position (a row of hidden width, where logits would
 * be a row of the vocabulary's), and only the head is run again beside each other model. Noise floor: the same figures
 * for the reference with its FP32 weights rounded to BF16, which is how most such models are published. A difference
 * of that size means nothing. */
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "io/source_rounded.h"
#include "model/run/decoder.h"
#include "ops/evaluate/evaluator_kind.h"
#include "ops/evaluate/predictions.h"
#include "ops/perplexity_json.h"
#include "report/outputs_words.h"
#include "report/report.h"
#include "report/source_json.h"

typedef struct judged_predictions {
  const aq_evaluator_options *options;
  aq_decoder *reference;
  aq_text_windows windows;
  float *states; /* of the reference, at every position */
  aq_text_loss loss;
  aq_divergence noise;
  bool has_noise;
} judged_predictions;

static void reset_judged(void *state) {
  judged_predictions *j = state;
  aq_decoder_close(j->reference);
  aq_text_windows_reset(&j->windows);
  aq_free(j->states);
}

/* ---- the reference ---- */

static aq_status allocate_states(judged_predictions *j, aq_error *err) {
  const size_t positions = j->windows.count * aq_text_windows_counted(&j->windows);
  const uint64_t max_memory = j->options->run->max_memory;
  uint64_t floats, bytes;
  size_t size = 0;
  const bool fits = aq_mul_ok(positions, j->reference->model.config.hidden, &floats) &&
                    aq_mul_ok(floats, sizeof *j->states, &bytes) && aq_to_size_ok(bytes, &size) &&
                    (max_memory == 0 || bytes <= max_memory);
  j->states = fits ? aq_malloc(size) : NULL;
  if (j->states != NULL) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_MEMORY, "the hidden states of %zu positions do not fit into memory", positions);
  return aq_error_hint(err, AQ_ERR_MEMORY, "Use fewer `windows`");
}

static aq_status run_reference(judged_predictions *j, aq_error *err) {
  const aq_prediction_job job = {
      .run = j->options->run, .windows = &j->windows, .model = j->reference, .states = j->states};
  aq_predictions found;
  const aq_status status = aq_predictions_make(&job, &found, err);
  if (status == AQ_OK) aq_text_loss_of(found.losses, found.count, &j->loss);
  aq_predictions_reset(&found);
  return status;
}

/* Runs a model on the windows and holds it against the reference. */
static aq_status compare_with(const judged_predictions *j, const aq_source *source, const char *folder,
                              aq_divergence *out, aq_error *err) {
  aq_decoder *other;
  aq_predictions found = {0};
  AQ_TRY(aq_prediction_open(source, j->options->run, folder, NULL, (uint32_t)j->windows.length, &other, err));
  const aq_prediction_job job = {.run = j->options->run,
                                 .windows = &j->windows,
                                 .model = other,
                                 .reference = j->reference,
                                 .reference_states = j->states};
  aq_status status = aq_prediction_check_pair(j->reference, other, err);
  if (status == AQ_OK) status = aq_predictions_make(&job, &found, err);
  if (status == AQ_OK) status = aq_divergence_of(found.tokens, found.count, out, err);
  aq_predictions_reset(&found);
  aq_decoder_close(other);
  return status;
}

static aq_status measure_noise(judged_predictions *j, const aq_source *reference, aq_error *err) {
  aq_source *rounded;
  j->has_noise = aq_source_has_fp32(reference);
  if (!j->has_noise) return AQ_OK;
  AQ_TRY(aq_source_round_bf16(reference, &rounded, err));
  const aq_status status = compare_with(j, rounded, j->options->folder, &j->noise, err);
  aq_source_close(rounded);
  return status;
}

static aq_status begin_judged(void *state, const aq_evaluator_options *options, const aq_source *reference,
                              aq_error *err) {
  judged_predictions *j = state;
  const aq_running_text_origin origin = {options->origin.texts_file, options->origin.texts};
  j->options = options;
  AQ_FAIL_IF(options->origin.labels_file != NULL, AQ_ERR_ARGUMENT,
             "labelled pairs are for sentence encoders, and this is a language model");
  AQ_TRY(aq_prediction_open(reference, options->run, options->folder, NULL, options->context, &j->reference, err));
  AQ_TRY(aq_prediction_windows(j->reference, &origin, options->context, options->windows, &j->windows, err));
  AQ_TRY(allocate_states(j, err));
  AQ_TRY(run_reference(j, err));
  return measure_noise(j, reference, err);
}

static json_t *limit_json(double limit) { return limit > 0 ? aq_json_real(limit) : json_null(); }

static aq_status describe_judged(const void *state, json_t *object, aq_error *err) {
  const judged_predictions *j = state;
  const char *from = aq_judge_texts_from(&j->options->origin);
  AQ_TRY(aq_report_set(object, "texts_from", aq_json_string(from), err));
  AQ_TRY(aq_report_set(object, "text", aq_text_windows_json(&j->windows, from), err));
  AQ_TRY(aq_report_set(object, "reference_perplexity", aq_text_loss_json(&j->loss), err));
  AQ_TRY(aq_report_set(object, "max_kl", limit_json(j->options->max_kl), err));
  AQ_TRY(aq_report_set(object, "max_ppl_increase", limit_json(j->options->max_ppl_increase), err));
  AQ_TRY(aq_report_set(object, "noise_floor", j->has_noise ? aq_divergence_json(&j->noise) : json_null(), err));
  return aq_report_set(object, "notes", aq_notes_json(&j->reference->model.notes), err);
}

/* ---- another model ---- */

static aq_status measure_judged(void *state, const aq_source *other, const char *folder, double weights_cosine,
                                json_t *object, aq_error *err) {
  const judged_predictions *j = state;
  aq_divergence d;
  AQ_TRY(compare_with(j, other, folder, &d, err));
  const double increase = 100 * (d.other.perplexity / d.reference.perplexity - 1);
  AQ_TRY(aq_report_set(object, "perplexity", aq_text_loss_json(&d.other), err));
  AQ_TRY(aq_report_set(object, "perplexity_increase_percent", aq_json_real(increase), err));
  AQ_TRY(aq_report_set(object, "divergence", aq_divergence_json(&d), err));
  return aq_report_set(object, "verdict", json_string(aq_outputs_verdict("decoder", weights_cosine, d.mean)), err);
}

const aq_evaluator_kind aq_decoder_evaluator = {.name = "decoder",
                                                .output = AQ_OUTPUT_LOGITS,
                                                .state_size = sizeof(judged_predictions),
                                                .begin = begin_judged,
                                                .describe = describe_judged,
                                                .measure = measure_judged,
                                                .reset = reset_judged};
