/* perplexity.c - the operation "perplexity": how well a language model predicts a text, and beside a reference how far
 * its predictions are from that one's. */
#include "arrowquant_experimental.h"
#include "core/error.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/source.h"
#include "model/run/decoder.h"
#include "ops/evaluate/predictions.h"
#include "ops/operation.h"
#include "ops/perplexity_json.h"
#include "report/report.h"
#include "report/source_json.h"

typedef struct study {
  const aq_perplexity_options *options;
  aq_decoder *model, *reference; /* reference NULL: there is none */
  aq_text_windows windows;
  aq_predictions predictions;
  double seconds;
  json_t *root;
} study;

static aq_status set_decoder(json_t *root, const char *key, const aq_decoder *decoder, aq_error *err) {
  AQ_TRY(aq_report_set(root, key, aq_source_json(decoder->model.source), err));
  return aq_report_set(json_object_get(root, key), "runtime_notes", aq_notes_json(&decoder->model.notes), err);
}

static aq_status set_figures(const study *s, aq_error *err) {
  if (s->reference != NULL) {
    aq_divergence d;
    AQ_TRY(aq_divergence_of(s->predictions.tokens, s->predictions.count, &d, err));
    AQ_TRY(aq_report_set(s->root, "perplexity", aq_text_loss_json(&d.other), err));
    AQ_TRY(aq_report_set(s->root, "reference_perplexity", aq_text_loss_json(&d.reference), err));
    return aq_report_set(s->root, "divergence", aq_divergence_json(&d), err);
  }
  aq_text_loss p;
  aq_text_loss_of(s->predictions.losses, s->predictions.count, &p);
  return aq_report_set(s->root, "perplexity", aq_text_loss_json(&p), err);
}

static aq_status fill_report(const study *s, aq_error *err) {
  const char *file = s->options->texts_file;
  const char *from = file != NULL ? file : s->options->texts.texts != NULL ? "list" : "built-in";
  const char *compute = s->options->compute;
  AQ_TRY(aq_report_set(s->root, "compute", json_string(compute != NULL ? compute : "fp32"), err));
  AQ_TRY(set_decoder(s->root, "model", s->model, err));
  if (s->reference != NULL) AQ_TRY(set_decoder(s->root, "reference", s->reference, err));
  AQ_TRY(aq_report_set(s->root, "texts", aq_text_windows_json(&s->windows, from), err));
  AQ_TRY(set_figures(s, err));
  AQ_TRY(aq_report_set(s->root, "seconds", aq_json_real(s->seconds), err));
  const double tokens = (double)(s->windows.count * s->windows.length);
  return aq_report_set(s->root, "tokens_per_second", aq_json_real(tokens / s->seconds), err);
}

static aq_status open_reference(study *s, aq_error *err) {
  const aq_perplexity_options *o = s->options;
  aq_source *source;
  if (o->against == NULL) return AQ_OK;
  AQ_TRY(aq_open_for_run(o->against, &o->run, "hf", &source, err));
  aq_status status = aq_prediction_open(source, &o->run, o->folder, NULL, o->context, &s->reference, err);
  aq_source_close(source); /* the decoder holds it */
  if (status == AQ_OK) status = aq_prediction_check_pair(s->reference, s->model, err);
  if (status == AQ_ERR_NO_MATCH) (void)aq_error_hint(err, status, "Name the model that was quantized as `against`");
  return status;
}

static aq_status run_study(study *s, aq_error *err) {
  const aq_perplexity_options *o = s->options;
  const aq_running_text_origin origin = {o->texts_file, &o->texts};
  AQ_TRY(open_reference(s, err));
  AQ_TRY(aq_prediction_windows(s->model, &origin, o->context, o->windows, &s->windows, err));
  const double started = aq_clock();
  const aq_prediction_job job = {.run = &o->run, .windows = &s->windows, .model = s->model, .reference = s->reference};
  AQ_TRY(aq_predictions_make(&job, &s->predictions, err));
  s->seconds = aq_clock() - started;
  return fill_report(s, err);
}

aq_status aq_decoder_perplexity(aq_decoder *decoder, const aq_perplexity_options *options, aq_report **report,
                                aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_perplexity_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&own.run, "run", err));
  aq_report *made;
  AQ_TRY(aq_report_create("perplexity", &made, err));
  study s = {.options = &own, .model = decoder, .root = made->root};
  const aq_status status = run_study(&s, err);
  aq_decoder_close(s.reference);
  aq_text_windows_reset(&s.windows);
  aq_predictions_reset(&s.predictions);
  return aq_report_finish(status, made, report);
}

aq_status aq_perplexity_source(const aq_source *model, const aq_perplexity_options *options, aq_report **report,
                               aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_perplexity_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&own.run, "run", err));
  AQ_FAIL_IF(model == NULL, AQ_ERR_ARGUMENT, "a model is needed");
  aq_decoder *decoder;
  AQ_TRY(aq_prediction_open(model, &own.run, own.folder, own.compute, own.context, &decoder, err));
  const aq_status status = aq_decoder_perplexity(decoder, &own, report, err);
  aq_decoder_close(decoder);
  return status;
}

aq_status aq_perplexity(const char *path, const aq_perplexity_options *options, aq_report **report, aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open(path, options, "hf", report, &source, err));
  const aq_status status = aq_perplexity_source(source, options, report, err);
  aq_source_close(source);
  return status;
}
