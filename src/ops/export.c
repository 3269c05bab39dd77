/* export.c - every tensor of a source, as plain values, into a file of another format.
 *
 * A kept tensor whose type does not change is copied byte for byte, NaN payloads included. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/formats.h"
#include "io/partial.h"
#include "io/source.h"
#include "ops/float_dtype.h"
#include "ops/operation.h"
#include "quant/quantized_layer.h"
#include "report/report.h"
#include "report/source_json.h"
#include "tensor/dtype.h"
#include "transform/output_check.h"
#include "transform/transform.h"

typedef struct export_job {
  const aq_export_options *options;
  const aq_file_format *format;
  const aq_source *source;
  aq_plan plan;
  uint64_t file_bytes;
} export_job;

/* ---- what is written ---- */

static bool has_values_of(aq_dtype dtype) {
  return dtype == AQ_F64 || dtype == AQ_F32 || dtype == AQ_F16 || dtype == AQ_BF16;
}

static aq_status plan_entry(const aq_tensor_info *t, aq_dtype wanted, aq_plan_entry *e, aq_error *err) {
  *e = (aq_plan_entry){.quant_axis = -1, .dtype = t->dtype};
  if (wanted != AQ_DTYPE_INVALID && (t->quant_type != AQ_KEPT || aq_dtype_is_float(t->dtype))) e->dtype = wanted;
  e->action = t->quant_type == AQ_KEPT && e->dtype == t->dtype ? AQ_KEEP : AQ_CONVERT;
  e->name = aq_strdup(t->name);
  e->rule = aq_strdup("export");
  if (e->name == NULL || e->rule == NULL) return aq_fail_memory(err, 256);
  if (e->action == AQ_KEEP || has_values_of(e->dtype)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "its values cannot be written as %s", aq_dtype_name(e->dtype));
  (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Choose a type with `dtype`");
  return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, t->name);
}

/* Layers that another tool quantized go through as they are. No entry is tied: aliases become tensors again. */
static aq_status make_plan(export_job *job, aq_dtype wanted, aq_error *err) {
  const size_t count = job->source->tensor_count;
  job->plan.entries = aq_calloc(count, sizeof *job->plan.entries);
  if (job->plan.entries == NULL && count > 0) return aq_fail_memory(err, count * sizeof *job->plan.entries);
  aq_quantized_layers layers;
  AQ_TRY(aq_quantized_layers_find(job->source->tensors, count, &layers, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; i < count && status == AQ_OK; i++) {
    const bool as_it_is = layers.members != NULL && layers.members[i];
    job->plan.count = i + 1;
    status = plan_entry(&job->source->tensors[i], as_it_is ? AQ_DTYPE_INVALID : wanted, &job->plan.entries[i], err);
  }
  aq_quantized_layers_reset(&layers);
  return status;
}

/* ---- the file ---- */

/* Metadata of the table itself says nothing about plain values. */
static bool is_carried(const char *key) {
  return strncmp(key, "arrowquant", strlen("arrowquant")) != 0 && strncmp(key, "ARROW:", strlen("ARROW:")) != 0;
}

/* The source's own metadata, and a note. */
static aq_status put_metadata(void *ctx, aq_sink *sink, aq_error *err) {
  const aq_source *source = ((const export_job *)ctx)->source;
  for (size_t i = 0; i < source->metadata_count; i++) {
    const char *key = aq_source_metadata_key(source, i);
    if (is_carried(key)) AQ_TRY(aq_sink_metadata(sink, key, aq_source_metadata_value(source, i), err));
  }
  char *note = aq_format("exported by arrowquant %s from %s", aq_version(), source->format);
  if (note == NULL) return aq_fail_memory(err, 64);
  const aq_status status = aq_sink_metadata(sink, "arrowquant", note, err);
  aq_free(note);
  return status;
}

static aq_status write_file(export_job *job, const char *output, aq_error *err) {
  const aq_table_options table = {.force = job->options->force};
  const aq_transform transform = {.stage = "export",
                                  .source = job->source,
                                  .plan = &job->plan,
                                  .sink = job->format->write,
                                  .output = output,
                                  .table = &table,
                                  .run = &job->options->run,
                                  .put_metadata = put_metadata,
                                  .metadata_ctx = job};
  return aq_transform_run(&transform, &job->file_bytes, err);
}

/* ---- the report ---- */

static aq_status add_tensor(const export_job *job, json_t *tensors, size_t index, aq_error *err) {
  const aq_tensor_info *from = &job->source->tensors[index];
  const aq_plan_entry *e = &job->plan.entries[index];
  const bool kept = e->action == AQ_KEEP;
  aq_tensor_info to = *from;
  to.quant_type = AQ_KEPT;
  to.dtype = e->dtype;
  AQ_TRY(aq_report_append(tensors, aq_tensor_json(from), err));
  json_t *object = json_array_get(tensors, index);
  const char *action = from->quant_type != AQ_KEPT ? "dequantized" : kept ? "kept" : "converted";
  AQ_TRY(aq_report_set(object, "action", json_string(action), err));
  char type[AQ_STORED_AS_SIZE];
  AQ_TRY(aq_report_set(object, "type", json_string(aq_stored_as(&to, type, sizeof type)), err));
  AQ_TRY(aq_report_set(object, "bytes_before", aq_json_count(from->alias_of >= 0 ? 0 : from->stored_bytes), err));
  return aq_report_set(object, "bytes_after", aq_json_count(to.num_params * aq_dtype_bits(to.dtype) / 8), err);
}

static aq_status fill_report(const export_job *job, const char *output, double seconds, json_t *root, aq_error *err) {
  AQ_TRY(aq_report_set(root, "source", aq_source_json(job->source), err));
  AQ_TRY(aq_report_set(root, "output", json_object(), err));
  json_t *file = json_object_get(root, "output");
  AQ_TRY(aq_report_set(file, "path", aq_json_string(output), err));
  AQ_TRY(aq_report_set(file, "format", json_string(job->format->name), err));
  AQ_TRY(aq_report_set(file, "file_bytes", aq_json_count(job->file_bytes), err));
  AQ_TRY(aq_report_set(root, "seconds", aq_json_real(seconds), err));
  AQ_TRY(aq_report_set(root, "totals", json_object(), err));
  json_t *totals = json_object_get(root, "totals");
  uint64_t params = 0;
  for (size_t i = 0; i < job->source->tensor_count; i++) params += job->source->tensors[i].num_params;
  AQ_TRY(aq_report_set(totals, "tensors", aq_json_count(job->source->tensor_count), err));
  AQ_TRY(aq_report_set(totals, "params", aq_json_count(params), err));
  AQ_TRY(aq_report_set(root, "tensors", json_array(), err));
  json_t *tensors = json_object_get(root, "tensors");
  for (size_t i = 0; i < job->source->tensor_count; i++) AQ_TRY(add_tensor(job, tensors, i, err));
  return AQ_OK;
}

static aq_status make_report(const export_job *job, const char *output, double seconds, aq_report **report,
                             aq_error *err) {
  if (report == NULL) return AQ_OK;
  aq_report *made;
  AQ_TRY(aq_report_create("export", &made, err));
  const aq_status status = fill_report(job, output, seconds, made->root, err);
  if (status == AQ_OK) {
    *report = made;
  } else {
    aq_report_free(made);
  }
  return status;
}

static aq_status write_export(const aq_source *source, const char *output, const aq_export_options *o,
                              aq_report **report, aq_error *err) {
  const double started = aq_clock();
  aq_dtype wanted;
  AQ_TRY(aq_float_dtype_parse(o->dtype, "original", &wanted, err));
  AQ_TRY(aq_check_output(source, output, err));
  AQ_TRY(aq_partial_refuse(source, err));
  export_job job = {.options = o, .source = source};
  AQ_TRY(aq_formats_find_export(o->format != NULL ? o->format : "safetensors", &job.format, err));
  AQ_TRY(aq_formats_check_output(job.format, output, err));
  aq_status status = make_plan(&job, wanted, err);
  if (status == AQ_OK) status = write_file(&job, output, err);
  if (status == AQ_OK) status = make_report(&job, output, aq_clock() - started, report, err);
  aq_plan_reset(&job.plan);
  return status;
}

aq_status aq_export_source(const aq_source *source, const char *output, const aq_export_options *options,
                           aq_report **report, aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_export_options o;
  AQ_TRY(aq_options_read(&o, sizeof o, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&o.run, "run", err));
  AQ_FAIL_IF(source == NULL || output == NULL, AQ_ERR_ARGUMENT, "a source and an output are needed");
  return write_export(source, output, &o, report, err);
}

aq_status aq_export(const char *path, const char *output, const aq_export_options *options, aq_report **report,
                    aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open(path, options, AQ_NAMES_OF(options, aq_export_options), report, &source, err));
  const aq_status status = aq_export_source(source, output, options, report, err);
  aq_source_close(source);
  return status;
}
