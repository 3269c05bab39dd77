/* export.c - every tensor of a source into a file or folder of another format: as plain values, or with its codes where
 * the format has codes.
 *
 * A kept tensor whose type does not change is copied byte for byte, NaN payloads included. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/formats.h"
#include "io/model_files.h"
#include "io/partial.h"
#include "io/source.h"
#include "io/source_part.h"
#include "model/graph/encoder_graph.h"
#include "ops/export_folder.h"
#include "ops/export_report.h"
#include "ops/float_dtype.h"
#include "ops/operation.h"
#include "quant/quantized_layer.h"
#include "tensor/dtype.h"
#include "transform/output_check.h"
#include "transform/transform.h"

typedef struct export_job {
  const aq_export_options *options;
  const aq_file_format *format;
  const char *output;
  aq_dtype dtype;           /* of the values; AQ_DTYPE_INVALID: their own */
  aq_source *source;        /* an overlay of its own */
  const aq_source *stored;  /* as the format stores it: the same, or made by the layout */
  aq_export_folder *folder; /* NULL: a single file is written */
  aq_plan plan;
  uint64_t file_bytes;
} export_job;

static bool has_graph(const export_job *job) {
  return job->format->layout != NULL && job->format->layout->open_graph != NULL;
}

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

/* Marks the tensors whose bytes are written as they are: layers that another tool quantized, and what the format stores
 * for itself. */
static aq_status find_unchanged(const export_job *job, bool *unchanged, aq_error *err) {
  const aq_source *stored = job->stored;
  aq_quantized_layers layers;
  if (job->format->layout != NULL) {
    for (size_t i = 0; i < stored->tensor_count; i++) {
      unchanged[i] = job->format->layout->describe(stored, i).kind != AQ_STORED_PASSED;
    }
    return AQ_OK;
  }
  AQ_TRY(aq_quantized_layers_find(stored->tensors, stored->tensor_count, &layers, err));
  for (size_t i = 0; i < stored->tensor_count; i++) unchanged[i] = layers.members != NULL && layers.members[i];
  aq_quantized_layers_reset(&layers);
  return AQ_OK;
}

/* No entry is tied: aliases become tensors again. */
static aq_status make_plan(export_job *job, aq_error *err) {
  const size_t count = job->stored->tensor_count;
  job->plan.entries = aq_calloc(count + 1, sizeof *job->plan.entries);
  bool *unchanged = aq_calloc(count + 1, sizeof *unchanged);
  aq_status status = job->plan.entries != NULL && unchanged != NULL
                         ? find_unchanged(job, unchanged, err)
                         : aq_fail_memory(err, count * sizeof *job->plan.entries);
  for (size_t i = 0; i < count && status == AQ_OK; i++) {
    job->plan.count = i + 1;
    status =
        plan_entry(&job->stored->tensors[i], unchanged[i] ? AQ_DTYPE_INVALID : job->dtype, &job->plan.entries[i], err);
  }
  aq_free(unchanged);
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

/* plan: for the tensors of `stored`, and sink: of the format, or of the files of modules. Adds the bytes of the file to
 * those of the job. */
static aq_status write_weights(export_job *job, const aq_source *stored, const aq_plan *plan, const char *path,
                               const aq_sink_type *sink, aq_error *err) {
  uint64_t bytes = 0;
  const aq_table_options table = {.force = job->options->force};
  const aq_transform transform = {.stage = "export",
                                  .source = stored,
                                  .plan = plan,
                                  .sink = sink,
                                  .output = path,
                                  .table = &table,
                                  .run = &job->options->run,
                                  .put_metadata = put_metadata,
                                  .metadata_ctx = job};
  const aq_status status = aq_transform_run(&transform, &bytes, err);
  job->file_bytes += bytes;
  return status;
}

/* Of a module: its weights are values in a file of their own, which has no graph. */
static aq_status find_module_sink(const export_job *job, const aq_sink_type **out, aq_error *err) {
  const aq_file_format *format = job->format;
  if (has_graph(job)) AQ_TRY(aq_formats_find_export("safetensors", &format, err));
  *out = format->write;
  return AQ_OK;
}

/* One file of several; its entries are those of the whole plan. */
static aq_status write_part(export_job *job, const aq_export_part *part, const aq_sink_type *sink, aq_error *err) {
  const size_t count = part->source->tensor_count;
  aq_plan plan = {aq_calloc(count + 1, sizeof *plan.entries), count, NULL};
  if (plan.entries == NULL) return aq_fail_memory(err, count * sizeof *plan.entries);
  for (size_t i = 0; i < count; i++) plan.entries[i] = job->plan.entries[aq_source_part_origin(part->source, i)];
  const aq_status status = write_weights(job, part->source, &plan, part->path, sink, err);
  aq_free(plan.entries);
  return status;
}

/* Of a single file a layout knows more than its tensors. */
static aq_status write_parts(export_job *job, const aq_export_parts *parts, aq_error *err) {
  const aq_sink_type *of_model = job->format->write, *of_modules;
  if (parts->count == 1) return write_weights(job, job->stored, &job->plan, parts->parts[0].path, of_model, err);
  AQ_TRY(find_module_sink(job, &of_modules, err));
  for (size_t i = 0; i < parts->count; i++) {
    AQ_TRY(write_part(job, &parts->parts[i], i == 0 ? of_model : of_modules, err));
  }
  return AQ_OK;
}

static aq_status write_folder(export_job *job, aq_error *err) {
  const aq_export_parts *parts = NULL;
  aq_status status = aq_export_folder_begin(job->folder, &parts, err);
  if (status == AQ_OK) status = write_parts(job, parts, err);
  if (status == AQ_OK) {
    status = aq_export_folder_commit(job->folder, &job->file_bytes, err);
  } else {
    aq_export_folder_abort(job->folder);
  }
  job->folder = NULL;
  return status;
}

/* ---- the whole ---- */

static aq_status fail_name(const export_job *job, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "has not the suffix of the format %s", job->format->name);
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Choose a name that ends in %s", job->format->suffix[0]);
  return aq_error_in_file(err, AQ_ERR_ARGUMENT, job->output);
}

/* A name with the suffix of the format is that of one file, every other one that of a folder, where the
 * format has any. */
static bool is_one_file(const export_job *job) { return aq_format_has_suffix(job->format, job->output); }

/* A second file that the sink may write is an output, too. */
static aq_status check_beside(const export_job *job, aq_error *err) {
  if (job->format->layout == NULL || job->format->layout->beside_ending == NULL) return AQ_OK;
  char *beside = aq_format("%s%s", job->output, job->format->layout->beside_ending);
  if (beside == NULL) return aq_fail_memory(err, strlen(job->output));
  const aq_status status = aq_check_output(job->source, beside, err);
  aq_free(beside);
  return status;
}

static aq_status prepare_output(export_job *job, aq_error *err) {
  AQ_TRY(aq_check_output(job->source, job->output, err));
  AQ_TRY(check_beside(job, err));
  AQ_TRY(aq_formats_check_output(job->format, job->output, err));
  if (is_one_file(job)) return AQ_OK;
  if (job->format->layout != NULL && job->format->layout->configure == NULL) return fail_name(job, err);
  return aq_export_folder_prepare(job->source, job->stored, job->output, job->options->force, job->dtype,
                                  job->format->layout, &job->folder, err);
}

/* Tensors that the format has no place for are named, as far as they are not tied to one that is there. */
static aq_status note_left_out(export_job *job, aq_error *err) {
  const aq_source *source = job->source;
  size_t next = 0, count = 0, first = 0;
  for (size_t i = 0; i < source->tensor_count; i++) {
    const size_t before = next;
    while (next < job->stored->tensor_count && job->format->layout->describe(job->stored, next).origin == i) next++;
    if (next > before || source->tensors[i].alias_of >= 0) continue;
    if (count++ == 0) first = i;
  }
  if (count == 0) return AQ_OK;
  return aq_source_add_note(job->source, err,
                            "%zu tensors ('%.150s', ...) are not part of the model in %s files, and "
                            "are left out",
                            count, source->names[first], job->format->name);
}

/* The tensors of modules behind the model, which are in files of a folder and in no graph of an encoder. */
static aq_status find_beside(export_job *job, bool *beside, aq_error *err) {
  aq_module_list modules;
  if (is_one_file(job)) return AQ_OK;
  AQ_TRY(aq_model_modules_read(job->source, NULL, &modules, err));
  for (size_t i = 0; i < job->source->tensor_count; i++) {
    beside[i] = aq_export_is_of_module(&modules, job->source->tensors[i].name);
  }
  aq_module_list_reset(&modules);
  return AQ_OK;
}

static aq_status open_graph(export_job *job, aq_source **own, aq_error *err) {
  const aq_export_layout *layout = job->format->layout;
  bool *beside = aq_calloc(job->source->tensor_count + 1, sizeof *beside);
  aq_status status = beside != NULL ? find_beside(job, beside, err) : aq_fail_memory(err, job->source->tensor_count);
  if (status == AQ_OK) {
    status = layout->open_graph(job->source, job->dtype, aq_encoder_graph_make, beside, own, err);
  }
  aq_free(beside);
  return status;
}

static aq_status store_tensors(export_job *job, aq_source **own, aq_error *err) {
  job->stored = job->source;
  const aq_export_layout *layout = job->format->layout;
  /* A graph knows its weights by any names. */
  if (!is_one_file(job) && !has_graph(job)) AQ_TRY(aq_export_names_unwrap(job->source, err));
  if (layout == NULL) return AQ_OK;
  AQ_TRY(has_graph(job) ? open_graph(job, own, err) : layout->open(job->source, job->dtype, own, err));
  job->stored = *own;
  if (job->dtype == AQ_DTYPE_INVALID) job->dtype = layout->dtype;
  for (size_t i = 0; i < (*own)->note_count; i++) {
    AQ_TRY(aq_source_add_note(job->source, err, "%s", (*own)->notes[i]));
  }
  return note_left_out(job, err);
}

static aq_status run_export(export_job *job, aq_report **report, aq_error *err) {
  const double started = aq_clock();
  aq_source *own = NULL;
  aq_status status = store_tensors(job, &own, err);
  if (status == AQ_OK) status = prepare_output(job, err);
  if (status == AQ_OK) status = make_plan(job, err);
  if (status == AQ_OK) {
    status = job->folder != NULL ? write_folder(job, err)
                                 : write_weights(job, job->stored, &job->plan, job->output, job->format->write, err);
  }
  const aq_export_facts facts = {.source = job->source,
                                 .stored = job->stored,
                                 .plan = &job->plan,
                                 .format = job->format,
                                 .output = job->output,
                                 .file_bytes = job->file_bytes,
                                 .seconds = aq_clock() - started};
  if (status == AQ_OK) status = aq_export_report(&facts, report, err);
  aq_export_folder_abort(job->folder);
  aq_plan_reset(&job->plan);
  aq_source_close(own);
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
  export_job job = {.options = &o, .output = output};
  AQ_TRY(aq_float_dtype_parse(o.dtype, "original", &job.dtype, err));
  AQ_TRY(aq_partial_refuse(source, err));
  AQ_TRY(aq_formats_find_export(o.format != NULL ? o.format : "safetensors", &job.format, err));
  AQ_TRY(aq_source_overlay(source, NULL, &job.source, err));
  const aq_status status = run_export(&job, report, err);
  aq_source_close(job.source);
  return status;
}

/* An option that would have no effect. */
static aq_status check_codes(const aq_export_options *options, aq_error *err) {
  aq_export_options o;
  const aq_file_format *format;
  AQ_TRY(aq_options_read(&o, sizeof o, options, err));
  if (!o.keep_codes) return AQ_OK;
  AQ_TRY(aq_formats_find_export(o.format != NULL ? o.format : "safetensors", &format, err));
  if (format->layout != NULL) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "%s files hold values, and there is no place for codes in them", format->name);
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Leave out `keep_codes`, or name a `format` that has codes");
}

aq_status aq_export(const char *path, const char *output, const aq_export_options *options, aq_report **report,
                    aq_error *err) {
  aq_source *source;
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  AQ_TRY(check_codes(options, err));
  AQ_TRY(aq_operation_open_codes(path, options, AQ_NAMES_OF(options, aq_export_options),
                                 AQ_CODES_OF(options, aq_export_options), report, &source, err));
  const aq_status status = aq_export_source(source, output, options, report, err);
  aq_source_close(source);
  return status;
}
