/* compare_outputs.c - outputs of two models side by side, and the limits that they have to keep. */
#include "ops/compare_outputs.h"

#include "core/compiler.h"
#include "core/error.h"
#include "ops/evaluate/evaluator.h"
#include "report/report.h"

static aq_evaluator_options options_of(const aq_compare_options *o) {
  return (aq_evaluator_options){.run = &o->run,
                                .origin = {o->texts_file, &o->texts, o->labels_file},
                                .folder = o->folder,
                                .context = o->context,
                                .windows = o->windows,
                                .max_kl = o->max_kl,
                                .max_ppl_increase = o->max_ppl_increase};
}

aq_status aq_compare_outputs_check(const aq_compare_options *options, aq_error *err) {
  const aq_evaluator_options own = options_of(options);
  return aq_evaluator_check_limits(&own, err);
}

bool aq_compare_outputs_wanted(const aq_compare_options *options) {
  const aq_evaluator_options own = options_of(options);
  return options->outputs || aq_evaluator_is_wanted(&own);
}

aq_status aq_compare_outputs(const aq_compare_options *options, const aq_source *reference, const aq_source *other,
                             double weights_cosine, bool has_same_tensors, json_t *root, aq_error *err) {
  const aq_evaluator_options own = options_of(options);
  if (!aq_compare_outputs_wanted(options)) return aq_report_set(root, "outputs", json_null(), err);
  AQ_TRY(aq_report_set(root, "outputs", json_object(), err));
  json_t *outputs = json_object_get(root, "outputs");
  if (!has_same_tensors) {
    AQ_TRY(aq_report_set(outputs, "measured", json_false(), err));
    return aq_report_set(outputs, "reason", json_string("the tensors are not those of the reference"), err);
  }
  aq_evaluator *evaluator;
  AQ_TRY(aq_evaluator_create(&own, reference, &evaluator, err));
  aq_status status = aq_evaluator_describe(evaluator, outputs, err);
  if (status == AQ_OK) status = aq_evaluator_measure(evaluator, other, weights_cosine, outputs, err);
  aq_evaluator_free(evaluator);
  return status;
}

/* ---- limits ---- */

static const aq_output_limit limits[] = {
    {"max_kl", "mean KL divergence", " nats per token", {"divergence", "mean"}},
    {"max_ppl_increase", "increase of the perplexity", " %", {"perplexity_increase_percent", NULL}},
};

static double figure_of(const json_t *outputs, const aq_output_limit *limit) {
  const char *const *path = limit->path;
  return path[1] != NULL ? aq_json_get_real(aq_json_get(outputs, path[0]), path[1])
                         : aq_json_get_real(outputs, path[0]);
}

const aq_output_limit *aq_outputs_over_limit(const json_t *root) {
  const json_t *outputs = aq_json_get(root, "outputs");
  for (size_t i = 0; i < AQ_COUNT_OF(limits); i++) {
    const json_t *limit = aq_json_get(outputs, limits[i].key);
    if (json_is_number(limit) && !(figure_of(outputs, &limits[i]) <= json_number_value(limit))) return &limits[i];
  }
  return NULL;
}

aq_status aq_compare_outputs_verdict(const json_t *root, aq_error *err) {
  const json_t *outputs = aq_json_get(root, "outputs");
  const aq_output_limit *limit = aq_outputs_over_limit(root);
  char found[AQ_WORD_SIZE], wanted[AQ_WORD_SIZE];
  if (limit == NULL) return AQ_OK;
  (void)aq_text_fixed(figure_of(outputs, limit), 6, found, sizeof found);
  (void)aq_text_fixed(aq_json_get_real(outputs, limit->key), 6, wanted, sizeof wanted);
  return aq_fail(err, AQ_ERR_THRESHOLD, "%s %s%s is above %s", limit->what, found, limit->unit, wanted);
}
