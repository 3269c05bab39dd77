/* validate.c - the whole validation of a model: convert, quantize to each type, read back, measure, judge, report.
 *
 * Tables are made in a folder of the run's own inside the output folder and removed again; those that are to stay are
 * moved out when all else is done. The reports are written even when criteria fail, with the reasons. */
#include "ops/validate/validate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "io/partial.h"
#include "io/source.h"
#include "ops/operation.h"
#include "report/report.h"
#include "report/source_json.h"
#include "transform/output_check.h"

static const char default_types[] = "int8,int4,int2";
static const char default_output_dir[] = "validation_results";

/* ---- tables ---- */

/* FOLDER/model.v1.parquet, FOLDER/model.int8.v2.parquet; NULL when out of memory. */
static char *table_path(const char *folder, aq_quant_type type) {
  if (type == AQ_KEPT) return aq_path_join(folder, "model.v1.parquet");
  char name[64];
  (void)snprintf(name, sizeof name, "model.%s.v2.parquet", aq_quant_type_name(type));
  return aq_path_join(folder, name);
}

static void remove_table(const aq_validation *v, aq_quant_type type) {
  char *path = table_path(v->work_folder, type);
  if (path != NULL) (void)remove(path);
  aq_free(path);
}

/* Removes the files of the run, except those that were moved out. */
static void remove_work(const aq_validation *v) {
  if (v->work_folder == NULL) return;
  remove_table(v, AQ_KEPT);
  for (size_t i = 0; i < v->list.count; i++) remove_table(v, v->list.types[i]);
  (void)rmdir(v->work_folder);
}

static aq_status move_table(const aq_validation *v, const char *folder, aq_quant_type type, aq_error *err) {
  char *from = table_path(v->work_folder, type), *to = table_path(folder, type);
  aq_status status = AQ_OK;
  if (from == NULL || to == NULL) {
    status = aq_fail_memory(err, 256);
  } else if (rename(from, to) != 0) {
    status = aq_fail_errno(err, errno, "move the table there");
    (void)aq_error_in_file(err, status, to);
  }
  aq_free(from);
  aq_free(to);
  return status;
}

/* A table that is kept must not replace the model itself. */
static aq_status check_targets(const aq_validation *v, const char *folder, aq_error *err) {
  if (!v->options->keep_tables) return AQ_OK;
  char *path = table_path(folder, AQ_KEPT);
  if (path == NULL) return aq_fail_memory(err, 256);
  const aq_status status = aq_check_output(v->source, path, err);
  aq_free(path);
  return status;
}

static aq_status keep_tables(const aq_validation *v, const char *folder, aq_error *err) {
  AQ_TRY(move_table(v, folder, AQ_KEPT, err));
  for (size_t i = 0; i < v->list.count; i++) AQ_TRY(move_table(v, folder, v->list.types[i], err));
  return AQ_OK;
}

/* ---- steps ---- */

static aq_status check_model(const aq_validation *v, aq_error *err) {
  AQ_FAIL_IF(v->source->tensor_count == 0, AQ_ERR_FORMAT, "the model holds no tensors");
  for (size_t i = 0; i < v->source->tensor_count; i++) {
    const aq_tensor_info *t = &v->source->tensors[i];
    if (t->quant_type == AQ_KEPT) continue;
    (void)aq_fail(err, AQ_ERR_REQUANTIZE, "is %s: a validation needs the original weights",
                  aq_quant_type_name(t->quant_type));
    (void)aq_error_hint(err, AQ_ERR_REQUANTIZE, "Name the model that was quantized; compare two files with 'compare'");
    (void)aq_error_in_tensor(err, AQ_ERR_REQUANTIZE, t->name);
    return aq_error_in_file(err, AQ_ERR_REQUANTIZE, v->source->path);
  }
  return AQ_OK;
}

static aq_status make_and_measure(aq_validation *v, aq_error *err) {
  char *path = table_path(v->work_folder, AQ_KEPT);
  if (path == NULL) return aq_fail_memory(err, 256);
  aq_status status = aq_validate_v1(v, path, err);
  aq_free(path);
  if (status == AQ_OK) status = aq_report_set(v->root, "types", json_array(), err);
  for (size_t i = 0; status == AQ_OK && i < v->list.count; i++) {
    path = table_path(v->work_folder, v->list.types[i]);
    status = path != NULL ? aq_validate_type(v, v->list.types[i], path, err) : aq_fail_memory(err, 256);
    aq_free(path);
    if (!v->options->keep_tables) remove_table(v, v->list.types[i]); /* the disk need not hold all at once */
  }
  return status;
}

static aq_status describe(aq_validation *v, aq_error *err) {
  AQ_TRY(aq_report_set(v->root, "model", aq_source_json(v->source), err));
  AQ_TRY(aq_report_set(v->root, "environment", aq_environment_json(aq_pool_threads(v->pool)), err));
  json_t *model = json_object_get(v->root, "model");
  AQ_TRY(aq_report_set(model, "named", aq_json_string(v->named), err));
  AQ_TRY(aq_report_set(model, "dtypes", json_object(), err));
  json_t *dtypes = json_object_get(model, "dtypes");
  for (size_t i = 0; i < v->source->tensor_count; i++) {
    const aq_tensor_info *t = &v->source->tensors[i];
    if (t->alias_of >= 0) continue;
    const char *name = aq_dtype_name(t->dtype);
    AQ_TRY(aq_report_set(dtypes, name, aq_json_count(aq_json_get_count(dtypes, name) + t->num_params), err));
  }
  return AQ_OK;
}

static aq_status write_form(const aq_report *report, aq_report_form form, const char *folder, const char *name,
                            aq_error *err) {
  char *text = NULL, *path = aq_path_join(folder, name);
  aq_status status = path != NULL ? aq_report_render(report, form, &text, err) : aq_fail_memory(err, 256);
  if (status == AQ_OK) status = aq_file_write_all(path, true, text, strlen(text), err);
  aq_free(text);
  aq_free(path);
  return status;
}

static aq_status run_all(aq_validation *v, const aq_report *report, const char *folder, aq_error *err) {
  AQ_TRY(aq_partial_refuse(v->source, err));
  AQ_TRY(check_model(v, err));
  AQ_TRY(check_targets(v, folder, err));
  AQ_TRY(aq_pool_create(v->options->run.threads, &v->pool, err));
  AQ_TRY(describe(v, err));
  AQ_TRY(aq_validate_outputs_begin(v, err));
  v->work_folder = aq_format("%s/.work-%ld", folder, (long)getpid());
  if (v->work_folder == NULL) return aq_fail_memory(err, strlen(folder) + 32);
  AQ_TRY(aq_folder_create(v->work_folder, err));
  AQ_TRY(make_and_measure(v, err));
  AQ_TRY(aq_validate_criteria(v->root, err));
  AQ_TRY(aq_report_set(v->root, "output_dir", aq_json_string(folder), err));
  AQ_TRY(aq_report_set(v->root, "tables_kept", json_boolean(v->options->keep_tables), err));
  if (v->options->keep_tables) AQ_TRY(keep_tables(v, folder, err));
  AQ_TRY(write_form(report, AQ_REPORT_JSON, folder, "validation.json", err));
  return write_form(report, AQ_REPORT_MARKDOWN, folder, "validation_summary.md", err);
}

/* AQ_ERR_THRESHOLD with the failed criteria named. */
static aq_status verdict(const json_t *root, aq_error *err) {
  const json_t *failed = json_object_get(json_object_get(root, "verdict"), "failed");
  if (json_array_size(failed) == 0) return AQ_OK;
  char names[400] = "";
  size_t used = 0, i;
  json_t *name;
  json_array_foreach(failed, i, name) {
    if (used >= sizeof names) break;
    used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", json_string_value(name));
  }
  return aq_fail(err, AQ_ERR_THRESHOLD, "%zu of %llu acceptance criteria failed: %s", json_array_size(failed),
                 (unsigned long long)aq_json_get_count(json_object_get(root, "verdict"), "criteria"), names);
}

static aq_status check_options(const aq_validate_options *o, aq_type_list *list, aq_error *err) {
  AQ_TRY(aq_type_list_parse(o->types != NULL ? o->types : default_types, "validated", list, err));
  AQ_FAIL_IF(o->no_outputs && aq_validate_counts_on_outputs(o), AQ_ERR_ARGUMENT,
             "texts, labels, windows, limits or a folder were named, and outputs were turned off");
  const aq_evaluator_options judging = aq_validate_judging(o);
  return aq_evaluator_check_limits(&judging, err);
}

/* `named`: how the caller calls the model. */
static aq_status validate(const aq_source *source, const char *named, const aq_validate_options *options,
                          aq_report **report, aq_error *err) {
  aq_validate_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&own.run, "run", err));
  aq_validation v = {.options = &own, .named = named};
  AQ_TRY(check_options(&own, &v.list, err));
  aq_report *made;
  AQ_TRY(aq_report_create("validate", &made, err));
  v.root = made->root;
  aq_status status = aq_source_overlay_tied(source, &v.source, err);
  if (status == AQ_OK) status = run_all(&v, made, own.output_dir != NULL ? own.output_dir : default_output_dir, err);
  remove_work(&v);
  if (status == AQ_OK) status = verdict(v.root, err);
  if ((status == AQ_OK || status == AQ_ERR_THRESHOLD) && report != NULL) {
    *report = made;
  } else {
    aq_report_free(made);
  }
  aq_evaluator_free(v.evaluator);
  aq_free(v.work_folder);
  aq_pool_free(v.pool);
  aq_source_close(v.source);
  return status;
}

aq_status aq_validate_source(const aq_source *source, const aq_validate_options *options, aq_report **report,
                             aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  return validate(source, source->path, options, report, err);
}

/* Not by way of the other form only because the report has the name that the caller used. */
aq_status aq_validate(const char *path, const aq_validate_options *options, aq_report **report, aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open(path, options, "auto", report, &source, err));
  const aq_status status = validate(source, path, options, report, err);
  aq_source_close(source);
  return status;
}
