/* sensitivity.c - the operation "sensitivity": what quantizing one tensor alone does to the outputs of an encoder.
 *
 * The encoder is opened once. For each tensor and type its values are quantized, dequantized and put in place of those
 * that the encoder has, the texts are run, and its own values are put back: the figures are those that a file with only
 * this tensor quantized would give. */
#include <string.h>

#include "arrowquant_experimental.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/source.h"
#include "measure/outputs.h"
#include "measure/tuning_texts.h"
#include "model/distance_weights.h"
#include "model/run/encoder.h"
#include "model/run/weight_override.h"
#include "ops/evaluate/evaluation_texts.h"
#include "ops/operation.h"
#include "ops/type_list.h"
#include "report/report.h"
#include "report/source_json.h"
#include "transform/output_check.h"
#include "transform/round_trip.h"

static const char default_types[] = "int8,int4,int3,int2";

typedef struct study {
  const aq_sensitivity_options *options;
  aq_type_list list;
  aq_plan plans[AQ_TYPE_LIST_MAX]; /* of all tensors, one per type */
  aq_source *source;
  aq_encoder *encoder;
  aq_round_trip *trip;
  aq_evaluation_texts own; /* the caller's texts */
  const char *const *texts;
  const size_t *lengths; /* NULL: the texts end with a zero */
  size_t text_count;
  float *values;            /* of one tensor: as many as the largest has */
  float *reference, *other; /* texts x dimension */
  double *cosines;          /* one a text */
  aq_progress progress;
  aq_outfile *output; /* NULL without one; opened at the start, so that an existing file is an error at once */
  json_t *root;
} study;

/* ---- beginning ---- */

static aq_status take_texts(study *s, aq_error *err) {
  s->texts = aq_tuning_texts;
  s->text_count = aq_tuning_text_count;
  const aq_judge_origin origin = {s->options->texts_file, &s->options->texts, NULL};
  if (origin.texts_file == NULL && origin.texts->texts == NULL) return AQ_OK;
  AQ_TRY(aq_evaluation_texts_load(&origin, &s->own, err));
  s->texts = s->own.texts;
  s->lengths = s->own.lengths;
  s->text_count = s->own.plain;
  return AQ_OK;
}

static aq_status refuse_quantized(const study *s, aq_error *err) {
  for (size_t i = 0; i < s->source->tensor_count; i++) {
    const aq_tensor_info *t = &s->source->tensors[i];
    if (t->quant_type == AQ_KEPT) continue;
    (void)aq_fail(err, AQ_ERR_REQUANTIZE, "is %s: sensitivity is that of the original weights",
                  aq_quant_type_name(t->quant_type));
    (void)aq_error_hint(err, AQ_ERR_REQUANTIZE, "Name the model that was quantized");
    (void)aq_error_in_tensor(err, AQ_ERR_REQUANTIZE, t->name);
    return aq_error_in_file(err, AQ_ERR_REQUANTIZE, s->source->path);
  }
  return AQ_OK;
}

static aq_status make_plans(study *s, aq_error *err) {
  for (size_t k = 0; k < s->list.count; k++) {
    aq_quantize_options options;
    aq_quantize_options_init(&options);
    options.type = aq_quant_type_name(s->list.types[k]);
    AQ_TRY(aq_plan_make(s->source->tensors, s->source->tensor_count, &options, &s->plans[k], err));
  }
  return AQ_OK;
}

/* Tensors that are quantized by default are so at every type. */
static bool is_candidate(const study *s, size_t tensor) {
  return s->plans[0].entries[tensor].action == AQ_QUANTIZE && s->source->tensors[tensor].alias_of < 0;
}

static aq_status open_model(study *s, const aq_source *model, aq_error *err) {
  const aq_sensitivity_options *o = s->options;
  AQ_TRY(aq_source_overlay_tied(model, &s->source, err));
  if (o->output != NULL) AQ_TRY(aq_check_output(s->source, o->output, err));
  AQ_TRY(refuse_quantized(s, err));
  AQ_TRY(make_plans(s, err));
  aq_encoder_options encoder;
  aq_encoder_options_init(&encoder);
  encoder.threads = o->run.threads;
  encoder.folder = o->folder;
  AQ_TRY(aq_encoder_open_source(s->source, &encoder, &s->encoder, err));
  AQ_TRY(aq_round_trip_create(s->encoder->pool, &s->trip, err));
  return o->output != NULL ? aq_outfile_create(o->output, o->force, &s->output, err) : AQ_OK;
}

static aq_status allocate(study *s, aq_error *err) {
  uint64_t most = 0, bytes;
  size_t size = 0;
  for (size_t i = 0; i < s->source->tensor_count; i++) {
    if (is_candidate(s, i)) most = AQ_MAX(most, s->source->tensors[i].num_params);
  }
  const bool fits = aq_mul_ok(most, sizeof *s->values, &bytes) && aq_to_size_ok(bytes, &size);
  const uint64_t limit = s->options->run.max_memory;
  AQ_FAIL_IF(fits && limit != 0 && size > limit, AQ_ERR_MEMORY,
             "the largest tensor takes %zu bytes as FP32, more than the memory limit of %llu", size,
             (unsigned long long)limit);
  const size_t row = aq_encoder_dimension(s->encoder) * sizeof(float);
  s->values = fits ? aq_malloc(size) : NULL;
  s->reference = aq_calloc(s->text_count, row);
  s->other = aq_calloc(s->text_count, row);
  s->cosines = aq_calloc(s->text_count, sizeof *s->cosines);
  const bool all = s->values != NULL && s->reference != NULL && s->other != NULL && s->cosines != NULL;
  return all ? AQ_OK : aq_fail_memory(err, AQ_MAX(size, s->text_count * row));
}

/* ---- one tensor, one type ---- */

static aq_status encode_texts(study *s, float *out, aq_error *err) {
  return aq_evaluation_texts_encode(s->encoder, s->texts, s->lengths, s->text_count, &s->progress, false, out, err);
}

/* Puts s->values in place of the tensor's, or its own values back, wherever the encoder uses it or one tied to it. */
static aq_status put_everywhere(study *s, size_t tensor, bool restore, bool *used, aq_error *err) {
  aq_encoder *e = s->encoder;
  *used = false;
  for (size_t i = 0; i < s->source->tensor_count; i++) {
    const aq_tensor_info *t = &s->source->tensors[i];
    aq_weight_override at;
    if (i != tensor && t->alias_of != (int32_t)tensor) continue;
    if (!aq_weight_override_find(&e->model, &e->weights, i, &at)) continue;
    (restore ? aq_weight_override_restore : aq_weight_override_set)(&at, s->values);
    AQ_TRY(aq_distance_weights_make(&e->model, &e->weights, at.weight, e->pool, err));
    *used = true;
  }
  return AQ_OK;
}

/* The loss with the tensor's values replaced by s->values; 0 when the encoder does not use the tensor. */
static aq_status measure(study *s, size_t tensor, bool *used, double *loss, aq_error *err) {
  *loss = 0;
  AQ_TRY(put_everywhere(s, tensor, false, used, err));
  if (!*used) return AQ_OK;
  aq_output_figures figures;
  AQ_TRY(encode_texts(s, s->other, err));
  AQ_TRY(aq_output_compare(s->reference, s->other, s->text_count, aq_encoder_dimension(s->encoder), s->encoder->pool,
                           s->cosines, &figures, err));
  *loss = 1 - figures.mean;
  return AQ_OK;
}

static aq_status try_type(study *s, size_t tensor, size_t type, json_t *types, bool *used, aq_error *err) {
  const aq_tensor_info *t = &s->source->tensors[tensor];
  const aq_plan_entry *entry = &s->plans[type].entries[tensor];
  const char *name = aq_quant_type_name(s->list.types[type]);
  uint64_t stored;
  double loss;
  char scheme[64];
  const aq_status status = aq_round_trip_run(s->trip, s->source, tensor, entry, s->values, &stored, err);
  if (status == AQ_ERR_NONFINITE) return aq_error_hint(err, status, "Check the model");
  AQ_TRY(status);
  AQ_TRY(measure(s, tensor, used, &loss, err));
  AQ_TRY(aq_report_set(types, name, json_object(), err));
  json_t *figures = json_object_get(types, name);
  AQ_TRY(aq_report_set(figures, "scheme", json_string(aq_plan_entry_text(entry, scheme, sizeof scheme)), err));
  AQ_TRY(aq_report_set(figures, "loss", aq_json_real(loss), err));
  return aq_report_set(figures, "bits_per_weight", aq_json_real(aq_bits_per_weight(stored, t->num_params)), err);
}

static aq_status try_tensor(study *s, size_t tensor, aq_error *err) {
  const aq_tensor_info *t = &s->source->tensors[tensor];
  json_t *tensors = json_object_get(s->root, "tensors");
  bool used = false;
  AQ_TRY(aq_report_append(tensors, json_object(), err));
  json_t *entry = json_array_get(tensors, json_array_size(tensors) - 1);
  AQ_TRY(aq_report_set(entry, "name", aq_json_string(t->name), err));
  AQ_TRY(aq_report_set(entry, "shape", aq_shape_json(t), err));
  AQ_TRY(aq_report_set(entry, "params", aq_json_count(t->num_params), err));
  AQ_TRY(aq_report_set(entry, "used", json_false(), err));
  AQ_TRY(aq_report_set(entry, "types", json_object(), err));
  json_t *types = json_object_get(entry, "types");
  for (size_t k = 0; k < s->list.count; k++) AQ_TRY(try_type(s, tensor, k, types, &used, err));
  if (used) {
    AQ_TRY(aq_source_read_f32(s->source, tensor, 0, t->num_params, s->values, err));
    AQ_TRY(put_everywhere(s, tensor, true, &used, err));
  }
  AQ_TRY(aq_report_set(entry, "used", json_boolean(used), err));
  return aq_progress_add(&s->progress, t->name, 1, t->data_bytes, err);
}

/* ---- all of them ---- */

static aq_status describe(study *s, aq_error *err) {
  const aq_judge_origin origin = {s->options->texts_file, &s->options->texts, NULL};
  AQ_TRY(aq_report_set(s->root, "model", aq_source_json(s->source), err));
  AQ_TRY(aq_report_set(s->root, "notes", aq_notes_json(&s->encoder->model.notes), err));
  AQ_TRY(aq_report_set(s->root, "texts", json_object(), err));
  json_t *texts = json_object_get(s->root, "texts");
  AQ_TRY(aq_report_set(texts, "count", aq_json_count(s->text_count), err));
  AQ_TRY(aq_report_set(texts, "source", aq_json_string(aq_judge_texts_from(&origin)), err));
  AQ_TRY(aq_report_set(s->root, "dimension", aq_json_count(aq_encoder_dimension(s->encoder)), err));
  AQ_TRY(aq_report_set(s->root, "types", json_array(), err));
  json_t *types = json_object_get(s->root, "types");
  for (size_t k = 0; k < s->list.count; k++) {
    AQ_TRY(aq_report_append(types, json_string(aq_quant_type_name(s->list.types[k])), err));
  }
  return aq_report_set(s->root, "tensors", json_array(), err);
}

static aq_status try_all(study *s, aq_error *err) {
  uint64_t count = 0, bytes = 0;
  for (size_t i = 0; i < s->source->tensor_count; i++) {
    if (!is_candidate(s, i)) continue;
    count++;
    bytes += s->source->tensors[i].data_bytes;
  }
  aq_progress_begin(&s->progress, &s->options->run, "sensitivity", count, bytes);
  AQ_TRY(encode_texts(s, s->reference, err));
  for (size_t i = 0; i < s->source->tensor_count; i++) {
    if (is_candidate(s, i)) AQ_TRY(try_tensor(s, i, err));
  }
  return AQ_OK;
}

static aq_status write_output(study *s, const aq_report *report, aq_error *err) {
  char *text = NULL;
  if (s->output == NULL) return AQ_OK;
  AQ_TRY(aq_report_render(report, AQ_REPORT_JSON, &text, err));
  aq_status status = aq_outfile_write(s->output, text, strlen(text), err);
  aq_free(text);
  if (status == AQ_OK) {
    status = aq_outfile_commit(s->output, err);
    s->output = NULL; /* gone either way */
  }
  return status;
}

static aq_status run_all(study *s, const aq_source *model, const aq_report *report, aq_error *err) {
  const double started = aq_clock();
  AQ_TRY(aq_type_list_parse(s->options->types != NULL ? s->options->types : default_types, "tried", &s->list, err));
  AQ_TRY(take_texts(s, err));
  AQ_TRY(open_model(s, model, err));
  AQ_TRY(allocate(s, err));
  AQ_TRY(describe(s, err));
  AQ_TRY(try_all(s, err));
  AQ_TRY(aq_report_set(s->root, "output", aq_json_string(s->options->output), err));
  AQ_TRY(aq_report_set(s->root, "seconds", aq_json_real(aq_clock() - started), err));
  return write_output(s, report, err);
}

static void reset(study *s) {
  aq_outfile_abort(s->output);
  aq_round_trip_free(s->trip); /* before the encoder, whose pool it uses */
  aq_encoder_close(s->encoder);
  for (size_t k = 0; k < AQ_TYPE_LIST_MAX; k++) aq_plan_reset(&s->plans[k]);
  aq_source_close(s->source);
  aq_evaluation_texts_reset(&s->own);
  aq_free(s->values);
  aq_free(s->reference);
  aq_free(s->other);
  aq_free(s->cosines);
}

aq_status aq_sensitivity_source(const aq_source *source, const aq_sensitivity_options *options, aq_report **report,
                                aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_sensitivity_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&own.run, "run", err));
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  aq_report *made;
  AQ_TRY(aq_report_create("sensitivity", &made, err));
  study s = {.options = &own, .root = made->root};
  const aq_status status = run_all(&s, source, made, err);
  reset(&s);
  return aq_report_finish(status, made, report);
}

aq_status aq_sensitivity(const char *path, const aq_sensitivity_options *options, aq_report **report, aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open(path, options, "hf", report, &source, err));
  const aq_status status = aq_sensitivity_source(source, options, report, err);
  aq_source_close(source);
  return status;
}
