/* validate_measure.c - making one table of a validation, checking and measuring it. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/progress.h"
#include "io/model_files.h"
#include "io/source.h"
#include "ops/decode_all.h"
#include "ops/validate/validate.h"
#include "report/report.h"
#include "report/source_json.h"

/* ---- loading ---- */

static aq_status load_tensor(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  (void)worker;
  const aq_source *table = ctx;
  aq_tensor tensor;
  if (table->tensors[item].alias_of >= 0) return AQ_OK;
  AQ_TRY(aq_source_load(table, (size_t)item, &tensor, err));
  aq_tensor_release(&tensor);
  return AQ_OK;
}

aq_status aq_load_timed(const aq_validation *v, const char *path, aq_source **table, double *seconds, aq_error *err) {
  const double started = aq_clock();
  AQ_TRY(aq_open_for_run(path, &v->options->run, NULL, table, err));
  aq_status status = aq_pool_run(v->pool, (*table)->tensor_count, load_tensor, *table, err);
  if (status == AQ_OK) status = aq_decode_all(*table, v->pool, &v->options->run, "load", NULL, NULL, err);
  *seconds = aq_clock() - started;
  if (status != AQ_OK) {
    aq_source_close(*table);
    *table = NULL;
  }
  return status;
}

/* ---- sizes ---- */

typedef struct table_sizes {
  uint64_t file, counted; /* the file, and without the model's own files */
  uint64_t payload, params, quantized_payload, quantized_params;
  size_t quantized, tensors;
} table_sizes;

static table_sizes sizes_of(const aq_source *table) {
  table_sizes s = {.file = table->file_bytes, .counted = aq_counted_bytes(table), .tensors = table->tensor_count};
  for (size_t i = 0; i < table->tensor_count; i++) {
    const aq_tensor_info *t = &table->tensors[i];
    if (t->alias_of >= 0) continue;
    s.payload += t->stored_bytes;
    s.params += t->num_params;
    if (t->quant_type == AQ_KEPT) continue;
    s.quantized++;
    s.quantized_payload += t->stored_bytes;
    s.quantized_params += t->num_params;
  }
  return s;
}

static double ratio(double a, double b) { return b > 0 ? a / b : NAN; }

/* Ratios of a size to the V1 table's, and to 4 and 2 bytes per parameter. */
static aq_status set_ratios(json_t *entry, const char *const keys[3], uint64_t bytes, uint64_t v1_bytes,
                            uint64_t params, aq_error *err) {
  const double size = (double)bytes;
  AQ_TRY(aq_report_set(entry, keys[0], aq_json_real(ratio((double)v1_bytes, size)), err));
  AQ_TRY(aq_report_set(entry, keys[1], aq_json_real(ratio(4.0 * (double)params, size)), err));
  return aq_report_set(entry, keys[2], aq_json_real(ratio(2.0 * (double)params, size)), err);
}

static aq_status set_sizes(const aq_validation *v, json_t *entry, const table_sizes *s, uint64_t v1_counted,
                           uint64_t v1_payload, aq_error *err) {
  static const char *const file_keys[3] = {"ratio_to_v1", "ratio_to_fp32", "ratio_to_fp16"};
  static const char *const payload_keys[3] = {"payload_ratio_to_v1", "payload_ratio_to_fp32", "payload_ratio_to_fp16"};
  AQ_TRY(aq_report_set(entry, "file_bytes", aq_json_count(s->file), err));
  AQ_TRY(aq_report_set(entry, "model_files_bytes", aq_json_count(s->file - s->counted), err));
  AQ_TRY(aq_report_set(entry, "counted_bytes", aq_json_count(s->counted), err));
  const double source = (double)v->source->file_bytes;
  AQ_TRY(aq_report_set(entry, "file_ratio", aq_json_real(ratio(source, (double)s->file)), err));
  AQ_TRY(aq_report_set(entry, "payload_bytes", aq_json_count(s->payload), err));
  AQ_TRY(set_ratios(entry, file_keys, s->counted, v1_counted, s->params, err));
  return set_ratios(entry, payload_keys, s->payload, v1_payload, s->params, err);
}

/* ---- V1 ---- */

/* What compression is measured against: the V1 table of an FP32 model. The table of a model that is smaller than that
 * already would make every type look bad, so it counts as if it were FP32. Smaller are half floats, and what another
 * tool has quantized: its values are few, which compresses them. Weights of FP32 take more than 3 of their 4 bytes. */
static aq_status add_baseline(aq_validation *v, const table_sizes *s, aq_error *err) {
  const bool is_fp32 = s->counted / 3 >= s->params;
  AQ_TRY(aq_report_set(v->root, "baseline", json_object(), err));
  json_t *baseline = json_object_get(v->root, "baseline");
  AQ_TRY(aq_report_set(baseline, "what",
                       json_string(is_fp32 ? "the V1 table without model files"
                                           : "4 bytes per parameter, the model being smaller than FP32"),
                       err));
  return aq_report_set(baseline, "bytes", aq_json_count(is_fp32 ? s->counted : 4 * s->params), err);
}

static aq_status fill_v1(aq_validation *v, json_t *entry, const char *path, const aq_source *table, aq_error *err) {
  const table_sizes s = sizes_of(table);
  AQ_TRY(set_sizes(v, entry, &s, s.counted, s.payload, err));
  AQ_TRY(add_baseline(v, &s, err));
  AQ_TRY(aq_report_set(entry, "checks", json_array(), err));
  json_t *checks = json_object_get(entry, "checks");
  AQ_TRY(aq_check_table(path, table, 1, v->source, checks, err));
  return aq_check_equal_bytes(table, v->source, checks, err);
}

aq_status aq_validate_v1(aq_validation *v, const char *path, aq_error *err) {
  AQ_TRY(aq_report_set(v->root, "v1", json_object(), err));
  json_t *entry = json_object_get(v->root, "v1");
  aq_convert_options options;
  aq_convert_options_init(&options);
  options.run = v->options->run;
  options.table.force = true;
  options.keep_unsupported = v->options->keep_unsupported;
  const double started = aq_clock();
  AQ_TRY(aq_convert_source(v->source, path, &options, NULL, err));
  AQ_TRY(aq_report_set(entry, "convert_seconds", aq_json_real(aq_clock() - started), err));
  aq_source *table;
  double seconds;
  AQ_TRY(aq_load_timed(v, path, &table, &seconds, err));
  aq_status status = aq_report_set(entry, "load_seconds", aq_json_real(seconds), err);
  if (status == AQ_OK) status = fill_v1(v, entry, path, table, err);
  aq_source_close(table);
  return status;
}

/* ---- V2 ---- */

/* From the report of the quantizer: how the weights were quantized, and what was kept and why. */
static aq_status take_plan(json_t *entry, const json_t *report, aq_error *err) {
  AQ_TRY(aq_report_set(entry, "scheme", json_null(), err));
  AQ_TRY(aq_report_set(entry, "kept", json_array(), err));
  json_t *kept = json_object_get(entry, "kept");
  size_t i;
  json_t *t;
  json_array_foreach(json_object_get(report, "tensors"), i, t) {
    const char *action = aq_json_get_string(t, "action");
    if (strcmp(action, "quantized") == 0 && json_is_null(json_object_get(entry, "scheme"))) {
      AQ_TRY(aq_report_set(entry, "scheme", json_string(aq_json_get_string(t, "type")), err));
    }
    if (strcmp(action, "kept") != 0 && strcmp(action, "converted") != 0) continue;
    AQ_TRY(aq_report_append(kept, json_object(), err));
    json_t *row = json_array_get(kept, json_array_size(kept) - 1);
    AQ_TRY(aq_report_set(row, "name", aq_json_string(aq_json_get_string(t, "name")), err));
    AQ_TRY(aq_report_set(row, "params", aq_json_count(aq_json_get_count(t, "params")), err));
    AQ_TRY(aq_report_set(row, "rule", aq_json_string(aq_json_get_string(t, "rule")), err));
  }
  return aq_report_set(entry, "warnings", json_deep_copy(json_object_get(report, "warnings")), err);
}

/* In place of the hints of quantize, whose options are not those of a validation. */
static aq_status say_what_helps(aq_status status, aq_error *err) {
  static const struct {
    aq_status status;
    const char *hint;
  } words[] = {{AQ_ERR_NONFINITE, "Check the model; quantize can keep such tensors as they are"},
               {AQ_ERR_REQUANTIZE, "Validate the original model"},
               {AQ_ERR_UNSUPPORTED, "Validate the original model"}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (words[i].status == status) return aq_error_hint(err, status, "%s", words[i].hint);
  }
  return status;
}

static aq_status quantize(aq_validation *v, json_t *entry, const char *type, const char *path, aq_error *err) {
  aq_quantize_options options;
  aq_quantize_options_init(&options);
  options.run = v->options->run;
  options.table.force = true;
  options.type = type;
  options.keep_unsupported = v->options->keep_unsupported;
  aq_report *report;
  const double started = aq_clock();
  aq_status status = aq_quantize_source(v->source, path, &options, &report, err);
  if (status != AQ_OK) return say_what_helps(status, err);
  status = aq_report_set(entry, "quantize_seconds", aq_json_real(aq_clock() - started), err);
  if (status == AQ_OK) status = take_plan(entry, report->root, err);
  aq_report_free(report);
  return status;
}

/* The figures for criteria and readers, and the whole comparison below "weights". */
static aq_status take_comparison(json_t *entry, json_t *comparison, aq_error *err) {
  const json_t *cosine = aq_json_get(aq_json_get(comparison, "cosine"), "quantized");
  const json_t *totals = aq_json_get(comparison, "quantized_totals");
  const double mean = aq_json_get_real(cosine, "mean");
  AQ_TRY(aq_report_set(entry, "mean_cosine", aq_json_real(mean), err));
  AQ_TRY(aq_report_set(entry, "min_cosine", aq_json_real(aq_json_get_real(cosine, "min")), err));
  AQ_TRY(aq_report_set(entry, "p5_cosine", aq_json_real(aq_json_get_real(cosine, "p5")), err));
  AQ_TRY(aq_report_set(entry, "loss_percent", aq_json_real((1.0 - mean) * 100.0), err));
  AQ_TRY(aq_report_set(entry, "snr_db", aq_json_real(aq_json_get_real(totals, "snr_db")), err));
  AQ_TRY(aq_report_set(entry, "max_abs_error", aq_json_real(aq_json_get_real(totals, "max_abs_error")), err));
  static const char *const parts[] = {
      "cosine", "totals", "quantized_totals", "worst", "tensors", "compared_as_bytes", "bytes_differ"};
  AQ_TRY(aq_report_set(entry, "weights", json_object(), err));
  json_t *weights = json_object_get(entry, "weights");
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    AQ_TRY(aq_report_set(weights, parts[i], json_incref(json_object_get(comparison, parts[i])), err));
  }
  return AQ_OK;
}

static aq_status compare(aq_validation *v, json_t *entry, const aq_source *table, aq_error *err) {
  aq_compare_options options;
  aq_compare_options_init(&options);
  options.run = v->options->run;
  aq_report *report = NULL;
  aq_status status = aq_compare_sources(v->source, table, &options, &report, err);
  /* With tensors missing there is a report all the same, and a criterion that fails. */
  if (status == AQ_ERR_FORMAT && report != NULL) status = AQ_OK;
  if (status == AQ_OK) status = take_comparison(entry, report->root, err);
  aq_report_free(report);
  return status;
}

static aq_status fill_type(aq_validation *v, json_t *entry, const char *path, const aq_source *table, aq_error *err) {
  const json_t *v1 = aq_json_get(v->root, "v1"), *baseline = aq_json_get(v->root, "baseline");
  const table_sizes s = sizes_of(table);
  AQ_TRY(set_sizes(v, entry, &s, aq_json_get_count(v1, "counted_bytes"), aq_json_get_count(v1, "payload_bytes"), err));
  AQ_TRY(aq_report_set(entry, "compression_ratio",
                       aq_json_real(ratio((double)aq_json_get_count(baseline, "bytes"), (double)s.counted)), err));
  AQ_TRY(aq_report_set(entry, "bits_per_weight",
                       aq_json_real(aq_bits_per_weight(s.quantized_payload, s.quantized_params)), err));
  AQ_TRY(aq_report_set(entry, "quantized_tensors", aq_json_count(s.quantized), err));
  AQ_TRY(aq_report_set(entry, "quantized_params", aq_json_count(s.quantized_params), err));
  AQ_TRY(aq_report_set(entry, "quantized_percent",
                       aq_json_real(100.0 * ratio((double)s.quantized_params, (double)s.params)), err));
  AQ_TRY(aq_report_set(entry, "checks", json_array(), err));
  json_t *checks = json_object_get(entry, "checks");
  AQ_TRY(aq_check_table(path, table, 2, v->source, checks, err));
  AQ_TRY(aq_check_equal_bytes(table, v->source, checks, err));
  /* aq_load_timed has decoded all of it; a failure there is an error and not a finding. */
  return aq_check_add(checks, "decodes", "every tensor was dequantized to its shape", true, NULL, err);
}

aq_status aq_validate_type(aq_validation *v, aq_quant_type type, const char *path, aq_error *err) {
  const char *name = aq_quant_type_name(type);
  json_t *types = json_object_get(v->root, "types");
  AQ_TRY(aq_report_append(types, json_object(), err));
  json_t *entry = json_array_get(types, json_array_size(types) - 1);
  AQ_TRY(aq_report_set(entry, "type", json_string(name), err));
  AQ_TRY(quantize(v, entry, name, path, err));
  aq_source *table;
  double seconds;
  AQ_TRY(aq_load_timed(v, path, &table, &seconds, err));
  aq_status status = aq_report_set(entry, "load_seconds", aq_json_real(seconds), err);
  if (status == AQ_OK) status = fill_type(v, entry, path, table, err);
  if (status == AQ_OK) status = compare(v, entry, table, err);
  if (status == AQ_OK) status = aq_validate_outputs_type(v, entry, table, err);
  aq_source_close(table);
  return status;
}
