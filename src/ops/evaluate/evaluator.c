/* evaluator.c - the kind of a model's evaluator, and what all kinds share: where configurations are, and times. */
#include "ops/evaluate/evaluator.h"

#include <math.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "io/model_files.h"
#include "io/source.h"
#include "model/facts.h"
#include "ops/evaluate/evaluator_kind.h"
#include "report/report.h"

static const aq_evaluator_kind *const kinds[] = {&aq_encoder_evaluator, &aq_decoder_evaluator, &aq_scorer_evaluator};

struct aq_evaluator {
  const aq_evaluator_kind *kind;
  const aq_evaluator_options *options;
  char *reference_folder; /* where the reference's files are, or NULL when they are in its table */
  double seconds;         /* of the reference */
  void *state;
};

void aq_evaluator_free(aq_evaluator *evaluator) {
  if (evaluator == NULL) return;
  if (evaluator->state != NULL) evaluator->kind->reset(evaluator->state);
  aq_free(evaluator->state);
  aq_free(evaluator->reference_folder);
  aq_free(evaluator);
}

bool aq_evaluator_is_wanted(const aq_evaluator_options *o) {
  const bool has_texts = o->origin.texts != NULL && o->origin.texts->texts != NULL;
  return o->origin.texts_file != NULL || has_texts || o->origin.labels_file != NULL || o->context > 0 ||
         o->windows > 0 || o->max_kl > 0 || o->max_ppl_increase > 0;
}

aq_status aq_evaluator_check_limits(const aq_evaluator_options *o, aq_error *err) {
  AQ_FAIL_IF(!(o->max_kl >= 0) || isinf(o->max_kl), AQ_ERR_ARGUMENT, "max_kl is a number of nats per token, 0 or more");
  AQ_FAIL_IF(!(o->max_ppl_increase >= 0) || isinf(o->max_ppl_increase), AQ_ERR_ARGUMENT,
             "max_ppl_increase is a number of percent, 0 or more");
  return AQ_OK;
}

bool aq_evaluator_cannot_run(aq_status status) {
  return status == AQ_ERR_NOT_FOUND || status == AQ_ERR_UNSUPPORTED || status == AQ_ERR_FORMAT ||
         status == AQ_ERR_ARGUMENT;
}

/* The folder of the reference, when its files are there. */
static aq_status find_files(aq_evaluator *e, const aq_source *reference, aq_error *err) {
  if (e->options->folder != NULL || reference->path == NULL) return AQ_OK;
  char *text = NULL, *folder;
  size_t size;
  AQ_TRY(aq_model_folder(reference, &folder, err));
  const aq_status status = aq_model_file_read(reference, folder, "config.json", &text, &size, err);
  if (text != NULL) {
    e->reference_folder = folder;
  } else {
    aq_free(folder);
  }
  aq_free(text);
  return status;
}

static aq_status find_kind(aq_evaluator *e, const aq_source *reference, aq_error *err) {
  aq_model_output output;
  AQ_TRY(aq_model_output_read(reference, e->options->folder, &output, err));
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    if (kinds[i]->output == output) e->kind = kinds[i];
  }
  e->state = aq_calloc(1, e->kind->state_size);
  return e->state != NULL ? AQ_OK : aq_fail_memory(err, e->kind->state_size);
}

aq_status aq_evaluator_create(const aq_evaluator_options *options, const aq_source *reference, aq_evaluator **out,
                              aq_error *err) {
  const double started = aq_clock();
  *out = NULL;
  aq_evaluator *e = aq_calloc(1, sizeof *e);
  if (e == NULL) return aq_fail_memory(err, sizeof *e);
  e->options = options;
  aq_status status = find_kind(e, reference, err);
  if (status == AQ_OK) status = e->kind->begin(e->state, options, reference, err);
  e->seconds = aq_clock() - started;
  if (status == AQ_OK) status = find_files(e, reference, err);
  if (status != AQ_OK) {
    aq_evaluator_free(e);
    return status;
  }
  *out = e;
  return AQ_OK;
}

aq_status aq_evaluator_describe(const aq_evaluator *evaluator, json_t *object, aq_error *err) {
  AQ_TRY(aq_report_set(object, "measured", json_true(), err));
  AQ_TRY(aq_report_set(object, "model_kind", json_string(evaluator->kind->name), err));
  AQ_TRY(evaluator->kind->describe(evaluator->state, object, err));
  return aq_report_set(object, "reference_seconds", aq_json_real(evaluator->seconds), err);
}

/* What config.json and the tokenizer of the other source are read from. */
static aq_status files_of(const aq_evaluator *e, const aq_source *other, const char **folder, aq_error *err) {
  char *text;
  size_t size;
  *folder = e->options->folder;
  if (*folder != NULL) return AQ_OK;
  AQ_TRY(aq_model_file_read(other, NULL, "config.json", &text, &size, err));
  if (text == NULL) *folder = e->reference_folder;
  aq_free(text);
  return AQ_OK;
}

aq_status aq_evaluator_measure(aq_evaluator *evaluator, const aq_source *other, double weights_cosine, json_t *object,
                               aq_error *err) {
  const double started = aq_clock();
  const char *folder;
  AQ_TRY(files_of(evaluator, other, &folder, err));
  AQ_TRY(evaluator->kind->measure(evaluator->state, other, folder, weights_cosine, object, err));
  return aq_report_set(object, "seconds", aq_json_real(aq_clock() - started), err);
}
