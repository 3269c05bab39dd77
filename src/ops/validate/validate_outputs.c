/* validate_outputs.c - the part of a validation that runs the model.
 *
 * It is done whenever the model can be run. When it cannot, the report has the reason; that is a failure only for a
 * caller who named texts, labels or a folder and so counts on it. */
#include <string.h>

#include "core/error.h"
#include "io/source.h"
#include "ops/evaluate/evaluator.h"
#include "ops/validate/validate.h"
#include "report/outputs_words.h"
#include "report/report.h"

aq_evaluator_options aq_validate_judging(const aq_validate_options *o) {
  return (aq_evaluator_options){.run = &o->run,
                                .origin = {o->texts_file, &o->texts, o->labels_file},
                                .folder = o->folder,
                                .context = o->context,
                                .windows = o->windows,
                                .max_kl = o->max_kl,
                                .max_ppl_increase = o->max_ppl_increase};
}

bool aq_validate_counts_on_outputs(const aq_validate_options *o) {
  const aq_evaluator_options judging = aq_validate_judging(o);
  return o->folder != NULL || aq_evaluator_is_wanted(&judging);
}

static aq_status say_why_not(aq_validation *v, const char *reason, aq_error *err) {
  json_t *outputs = json_object_get(v->root, "outputs");
  AQ_TRY(aq_report_set(outputs, "measured", json_false(), err));
  return aq_report_set(outputs, "reason", aq_json_string(reason), err);
}

/* The error as a clause, without advice, and without the name of the model, which the report has anyway. */
static aq_status say_why(aq_validation *v, const aq_error *cause, aq_error *err) {
  aq_error shown = *cause;
  char reason[sizeof shown.file + sizeof shown.tensor + sizeof shown.message];
  shown.hint[0] = '\0';
  if (v->source->path != NULL && strcmp(shown.file, v->source->path) == 0) shown.file[0] = '\0';
  (void)aq_error_format(&shown, reason, sizeof reason);
  return say_why_not(v, reason, err);
}

aq_status aq_validate_outputs_begin(aq_validation *v, aq_error *err) {
  const aq_validate_options *o = v->options;
  AQ_TRY(aq_report_set(v->root, "outputs", json_object(), err));
  if (o->no_outputs) return say_why_not(v, "they were turned off", err);
  v->judging = aq_validate_judging(o);
  aq_error cause;
  aq_error_clear(&cause);
  const aq_status status = aq_evaluator_create(&v->judging, v->source, &v->evaluator, &cause);
  if (status == AQ_OK) return aq_evaluator_describe(v->evaluator, json_object_get(v->root, "outputs"), err);
  if (!aq_validate_counts_on_outputs(o) && aq_evaluator_cannot_run(status)) return say_why(v, &cause, err);
  if (err != NULL) *err = cause;
  return status;
}

aq_status aq_validate_outputs_type(aq_validation *v, json_t *entry, const aq_source *table, aq_error *err) {
  if (!aq_outputs_measured(v->root)) return aq_report_set(entry, "outputs", json_null(), err);
  AQ_TRY(aq_report_set(entry, "outputs", json_object(), err));
  return aq_evaluator_measure(v->evaluator, table, aq_json_get_real(entry, "mean_cosine"),
                              json_object_get(entry, "outputs"), err);
}
