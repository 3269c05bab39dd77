/* summary.c - the report of convert and quantize. */
#include "ops/summary.h"

#include <unistd.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/model_files.h"
#include "report/report.h"
#include "report/source_json.h"

typedef struct totals {
  uint64_t params, quantized_params, stored_bytes, quantized_bytes;
  size_t quantized, converted, kept, aliases, unexpected;
} totals;

static const char *action_name(const aq_summary *s, size_t i) {
  static const char *const names[] = {[AQ_KEEP] = "kept", [AQ_CONVERT] = "converted", [AQ_QUANTIZE] = "quantized"};
  const aq_plan_entry *e = &s->plan->entries[i];
  return e->tied ? "alias" : e->adjusted ? "adjusted" : names[e->action];
}

static void add_to_totals(totals *sum, const aq_summary *s, size_t i, uint64_t bytes_after) {
  const aq_tensor_info *t = &s->source->tensors[i];
  const aq_plan_entry *e = &s->plan->entries[i];
  if (e->tied) {
    sum->aliases++;
    return;
  }
  sum->params += t->num_params;
  sum->stored_bytes += bytes_after;
  sum->unexpected += e->unexpected ? 1 : 0;
  switch (e->action) {
    case AQ_KEEP:
      sum->kept++;
      break;
    case AQ_CONVERT:
      sum->converted++;
      break;
    case AQ_QUANTIZE:
      sum->quantized++;
      sum->quantized_params += t->num_params;
      sum->quantized_bytes += bytes_after;
      break;
  }
}

/* What a tensor is in the output: codes that stay as they are say which. */
static const char *type_text(const aq_tensor_info *t, const aq_plan_entry *e, char *out, size_t size) {
  if (e->tied) return "alias";
  return e->action == AQ_KEEP && t->quant_type != AQ_KEPT ? aq_stored_as(t, out, size)
                                                          : aq_plan_entry_text(e, out, size);
}

/* Planned bytes of a tensor that has bytes of its own. */
static uint64_t expected_bytes(const aq_summary *s, size_t i) {
  const aq_tensor_info *t = &s->source->tensors[i];
  const aq_plan_entry *e = &s->plan->entries[i];
  if (s->sizes != NULL) return s->sizes->bytes[i];
  return e->bits > 0 ? (uint64_t)(e->bits * (double)t->num_params / 8) : aq_plan_entry_bytes(t, e);
}

static aq_status add_tensor(json_t *tensors, totals *sum, const aq_summary *s, const aq_source *output, size_t i,
                            aq_error *err) {
  const aq_tensor_info *t = &s->source->tensors[i];
  const aq_plan_entry *e = &s->plan->entries[i];
  const bool alias = e->tied;
  uint64_t after = alias ? 0 : expected_bytes(s, i);
  if (output != NULL) {
    const int64_t j = aq_source_find(output, t->name);
    AQ_FAIL_IF(j < 0, AQ_ERR_INTERNAL, "tensor '%s' did not reach the output", t->name);
    const aq_tensor_info *o = &output->tensors[j];
    AQ_FAIL_IF(o->num_params != t->num_params, AQ_ERR_INTERNAL, "tensor '%s' changed its size", t->name);
    after = alias ? 0 : o->stored_bytes;
  }
  add_to_totals(sum, s, i, after);
  char type[64];
  json_t *row =
      json_pack("{s:s, s:o, s:s, s:I, s:s, s:s, s:s, s:I, s:I}", "name", t->name, "shape", aq_shape_json(t), "dtype",
                aq_dtype_name(t->dtype), "params", (json_int_t)t->num_params, "action", action_name(s, i), "type",
                type_text(t, e, type, sizeof type), "rule", alias ? "same bytes as another tensor" : e->rule,
                "bytes_before", (json_int_t)(alias ? 0 : t->data_bytes), "bytes_after", (json_int_t)after);
  if (row != NULL && e->loss > 0 && !alias) AQ_TRY(aq_report_set(row, "expected_loss", aq_json_real(e->loss), err));
  if (row != NULL && alias) {
    AQ_TRY(aq_report_set(row, "alias_of", json_string(s->plan->entries[e->tied_to].name), err));
  }
  if (row == NULL || json_array_append_new(tensors, row) != 0) return aq_fail_memory(err, 512);
  return AQ_OK;
}

static double ratio(double a, double b) { return b > 0 ? a / b : 0; }

static json_t *totals_json(const aq_summary *s, const totals *sum, uint64_t counted_bytes) {
  const double params = (double)sum->params, bytes = (double)counted_bytes;
  return json_pack("{s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "tensors",
                   (json_int_t)s->source->tensor_count, "params", (json_int_t)sum->params, "quantized_tensors",
                   (json_int_t)sum->quantized, "quantized_params", (json_int_t)sum->quantized_params,
                   "quantized_percent", 100 * ratio((double)sum->quantized_params, params), "converted_tensors",
                   (json_int_t)sum->converted, "kept_tensors", (json_int_t)sum->kept, "alias_tensors",
                   (json_int_t)sum->aliases, "payload_bytes", (json_int_t)sum->stored_bytes, "ratio_to_source_file",
                   ratio((double)aq_counted_bytes(s->source), bytes), "ratio_to_fp32", ratio(4 * params, bytes),
                   "ratio_to_fp16", ratio(2 * params, bytes), "bits_per_weight",
                   ratio(8 * (double)sum->quantized_bytes, (double)sum->quantized_params));
}

static aq_status add_warnings(json_t *warnings, const aq_summary *s, const totals *sum, aq_error *err) {
  bool ok = true;
  for (size_t i = 0; i < s->source->note_count; i++) {
    ok = ok && json_array_append_new(warnings, aq_json_string(s->source->notes[i])) == 0;
  }
  if (sum->unexpected > 0) {
    ok =
        ok && json_array_append_new(warnings, json_sprintf("%zu matri%s kept although no rule says so", sum->unexpected,
                                                           sum->unexpected == 1 ? "x was" : "ces were")) == 0;
  }
  return ok ? AQ_OK : aq_fail_memory(err, 256);
}

/* Of the file beside its tensors: known of a format of other programs, of a table the model files alone. */
static aq_status measure_rest(const aq_summary *s, uint64_t *files, uint64_t *rest, aq_error *err) {
  AQ_TRY(aq_model_files_measure(s->source, files, err));
  *rest = *files;
  if (s->sizes == NULL) return AQ_OK;
  *files = 0;
  *rest = s->sizes->overhead;
  return AQ_OK;
}

static aq_status set_estimate(json_t *root, const aq_summary *s, const totals *sum, aq_error *err) {
  uint64_t files, rest;
  AQ_TRY(measure_rest(s, &files, &rest, err));
  AQ_TRY(aq_report_set(root, "output", json_null(), err));
  const uint64_t most = sum->stored_bytes + (s->sizes != NULL ? rest : s->other_bytes);
  return aq_report_set(root, "estimate",
                       json_pack("{s:I, s:I, s:I, s:s*}", "file_bytes_at_most",
                                 (json_int_t)(s->size_limit > 0 ? AQ_MIN(most, s->size_limit) : most),
                                 "model_files_bytes", (json_int_t)files, "memory_bytes", (json_int_t)s->memory_bytes,
                                 "for", s->sizes != NULL ? s->sizes->format : NULL),
                       err);
}

static aq_status set_output(json_t *root, const aq_summary *s, const aq_source *output, aq_error *err) {
  return aq_report_set(
      root, "output",
      json_pack("{s:o, s:I, s:I, s:i}", "path", aq_json_string(s->output), "file_bytes", (json_int_t)output->file_bytes,
                "model_files_bytes", (json_int_t)aq_model_files_bytes(output), "schema_version", s->schema_version),
      err);
}

/* What the file system shows: the source's file over the output's, all bytes counted. */
static aq_status set_file_ratio(json_t *root, const aq_summary *s, const aq_source *output, const totals *sum,
                                aq_error *err) {
  uint64_t files, bytes;
  if (output != NULL) {
    bytes = output->file_bytes;
  } else {
    AQ_TRY(measure_rest(s, &files, &bytes, err));
    bytes += sum->stored_bytes;
  }
  const double found = ratio((double)s->source->file_bytes, (double)bytes);
  return aq_report_set(json_object_get(root, "totals"), "file_ratio", found > 0 ? json_real(found) : json_null(), err);
}

static aq_status fill_in(json_t *root, const aq_summary *s, const aq_source *output, aq_error *err) {
  totals sum = {0};
  json_t *tensors = json_array(), *warnings = json_array();
  aq_status status = tensors == NULL || warnings == NULL ? aq_fail_memory(err, 256) : AQ_OK;
  for (size_t i = 0; status == AQ_OK && i < s->source->tensor_count; i++) {
    status = add_tensor(tensors, &sum, s, output, i, err);
  }
  if (status == AQ_OK) status = add_warnings(warnings, s, &sum, err);
  if (status != AQ_OK) {
    json_decref(tensors);
    json_decref(warnings);
    return status;
  }
  const uint64_t counted = output != NULL ? aq_counted_bytes(output) : sum.stored_bytes;
  status = aq_report_set(root, "tensors", tensors, err);
  const aq_status second = aq_report_set(root, "warnings", warnings, err);
  if (status == AQ_OK) status = second;
  if (status == AQ_OK) status = aq_report_set(root, "source", aq_source_json(s->source), err);
  if (status == AQ_OK) status = aq_report_set(root, "totals", totals_json(s, &sum, counted), err);
  if (status == AQ_OK) status = set_file_ratio(root, s, output, &sum, err);
  if (status == AQ_OK) status = aq_report_set(root, "seconds", aq_json_real(s->seconds), err);
  if (status == AQ_OK && s->options != NULL) status = aq_report_set(root, "options", json_incref(s->options), err);
  if (status == AQ_OK && s->search != NULL) status = aq_report_set(root, "search", json_incref(s->search), err);
  if (status != AQ_OK) return status;
  return output != NULL ? set_output(root, s, output, err) : set_estimate(root, s, &sum, err);
}

aq_status aq_summary_report(const aq_summary *summary, aq_report **out, aq_error *err) {
  *out = NULL;
  aq_source *output = NULL;
  aq_report *report = NULL;
  uint64_t files; /* measured again below; here for the notes on files that do not travel, which are warnings */
  aq_status status = summary->output != NULL ? aq_source_open(summary->output, NULL, &output, err) : AQ_OK;
  if (status == AQ_OK && output != NULL && output->tensor_count != summary->source->tensor_count) {
    status = aq_fail(err, AQ_ERR_INTERNAL, "the output has %zu tensors, the source %zu", output->tensor_count,
                     summary->source->tensor_count);
  }
  if (status == AQ_OK) status = aq_model_files_measure(summary->source, &files, err);
  if (status == AQ_OK) status = aq_report_create(summary->kind, &report, err);
  if (status == AQ_OK) status = fill_in(report->root, summary, output, err);
  aq_source_close(output);
  if (status != AQ_OK) {
    aq_report_free(report);
    if (summary->output != NULL) (void)unlink(summary->output);
    return status;
  }
  *out = report;
  return AQ_OK;
}
