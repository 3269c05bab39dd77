/* render_convert.c - what convert, quantize and export did: from what to what, what became of the tensors, sizes, time.
 */
#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"

enum { NAMES_SHOWN = 4 };

/* ", 0.5 MB of it model files" where there are such files. */
static aq_status append_model_files(const json_t *file, aq_buffer *out, aq_error *err) {
  char bytes[AQ_WORD_SIZE];
  if (aq_json_get_count(file, "model_files_bytes") == 0) return AQ_OK;
  return aq_buffer_printf(out, err, ", %s of it model files", aq_word_bytes(file, "model_files_bytes", bytes));
}

/* "PATH (FORMAT, 90.9 MB)", or "PATH (FORMAT, 21.5 MB, 0.5 MB of it model files)". */
static aq_status append_file(const json_t *file, const char *format_key, aq_buffer *out, aq_error *err) {
  char bytes[AQ_WORD_SIZE];
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(file, "path"), err));
  const char *format = aq_json_get_string(file, format_key);
  const int64_t version = json_integer_value(aq_json_get(file, "schema_version"));
  AQ_TRY(aq_buffer_append(out, " (", 2, err));
  if (format[0] != '\0') {
    AQ_TRY(aq_buffer_printf(out, err, "%s, ", format));
  } else if (version > 0) {
    AQ_TRY(aq_buffer_printf(out, err, "table V%d, ", (int)version));
  }
  AQ_TRY(aq_buffer_printf(out, err, "%s", aq_word_bytes(file, "file_bytes", bytes)));
  AQ_TRY(append_model_files(file, out, err));
  return aq_buffer_append_byte(out, ')', err);
}

static aq_status append_estimate(const json_t *estimate, aq_buffer *out, aq_error *err) {
  char file[AQ_WORD_SIZE], memory[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "nothing: dry run, no file was written"));
  if (json_is_object(estimate)) {
    AQ_TRY(
        aq_buffer_printf(out, err, "; it would take at most %s", aq_word_bytes(estimate, "file_bytes_at_most", file)));
    AQ_TRY(append_model_files(estimate, out, err));
    AQ_TRY(aq_buffer_printf(out, err, ", and %s of memory to make", aq_word_bytes(estimate, "memory_bytes", memory)));
  }
  return aq_buffer_append_byte(out, '\n', err);
}

static aq_status append_files(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *output = aq_json_get(root, "output");
  AQ_TRY(aq_buffer_printf(out, err, "from  "));
  AQ_TRY(append_file(aq_json_get(root, "source"), "format", out, err));
  AQ_TRY(aq_buffer_printf(out, err, "\nto    "));
  if (!json_is_object(output)) return append_estimate(aq_json_get(root, "estimate"), out, err);
  AQ_TRY(append_file(output, "format", out, err));
  return aq_buffer_append_byte(out, '\n', err);
}

/* "ratio 3.89 to the source file; weights without model files 3.97 to FP32, 1.98 to FP16; 8.05 bits a quantized
 * weight": the first is of all bytes, as the file system shows them. */
static aq_status append_ratios(const json_t *totals, aq_buffer *out, aq_error *err) {
  static const struct {
    const char *key, *before, *after;
  } ratios[] = {{"file_ratio", "", " to the source file"},
                {"ratio_to_fp32", "weights without model files ", " to FP32"},
                {"ratio_to_fp16", "", " to FP16"}};
  char number[AQ_WORD_SIZE];
  bool any = false;
  for (size_t i = 0; i < AQ_COUNT_OF(ratios); i++) {
    if (!isfinite(aq_json_get_real(totals, ratios[i].key))) continue;
    const char *join = !any ? "ratio " : ratios[i].before[0] != '\0' ? "; " : ", ";
    AQ_TRY(aq_buffer_printf(out, err, "%s%s%s%s", join, ratios[i].before,
                            aq_word_fixed(totals, ratios[i].key, 2, number), ratios[i].after));
    any = true;
  }
  if (aq_json_get_real(totals, "bits_per_weight") > 0) {
    AQ_TRY(aq_buffer_printf(out, err, "%s%s bits a quantized weight", any ? "; " : "ratio ",
                            aq_word_fixed(totals, "bits_per_weight", 3, number)));
    any = true;
  }
  return any ? aq_buffer_append_byte(out, '\n', err) : AQ_OK;
}

static aq_status append_time(const json_t *root, aq_buffer *out, aq_error *err) {
  char seconds[AQ_WORD_SIZE];
  return aq_buffer_printf(out, err, "time  %s\n", aq_word_seconds(root, "seconds", seconds));
}

/* ---- groups of tensors ---- */

static aq_status add_to_count(json_t *group, const char *key, uint64_t more, aq_error *err) {
  return aq_report_set(group, key, aq_json_count(aq_json_get_count(group, key) + more), err);
}

static aq_status add_to_group(json_t *groups, const char *key, const json_t *tensor, aq_error *err) {
  json_t *group = json_object_get(groups, key);
  if (group == NULL) {
    AQ_TRY(aq_report_set(groups, key, json_object(), err));
    group = json_object_get(groups, key);
    AQ_TRY(aq_report_set(group, "names", json_array(), err));
  }
  AQ_TRY(add_to_count(group, "tensors", 1, err));
  AQ_TRY(add_to_count(group, "params", aq_json_get_count(tensor, "params"), err));
  AQ_TRY(add_to_count(group, "bytes_before", aq_json_get_count(tensor, "bytes_before"), err));
  AQ_TRY(add_to_count(group, "bytes_after", aq_json_get_count(tensor, "bytes_after"), err));
  json_t *names = json_object_get(group, "names");
  if (json_array_size(names) >= NAMES_SHOWN) return AQ_OK;
  return aq_report_append(names, json_string(aq_json_get_string(tensor, "name")), err);
}

/* Tensors whose action is `action` (NULL: any), by the value of a field, in order of first appearance. */
static aq_status group_by(const json_t *root, const char *field, const char *action, json_t *groups, aq_error *err) {
  size_t i;
  json_t *tensor;
  json_array_foreach(aq_json_get(root, "tensors"), i, tensor) {
    if (action != NULL && strcmp(aq_json_get_string(tensor, "action"), action) != 0) continue;
    AQ_TRY(add_to_group(groups, aq_json_get_string(tensor, field), tensor, err));
  }
  return AQ_OK;
}

static aq_status append_type_table(json_t *groups, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "lrrrr");
  aq_text_table_row(&table, (const char *const[]){"stored as", "tensors", "parameters", "before", "after"});
  const char *type;
  json_t *group;
  json_object_foreach(groups, type, group) {
    char tensors[AQ_WORD_SIZE], params[AQ_WORD_SIZE], before[AQ_WORD_SIZE], after[AQ_WORD_SIZE];
    aq_text_table_row(&table, (const char *const[]){type, aq_word_count(group, "tensors", tensors),
                                                    aq_word_count(group, "params", params),
                                                    aq_word_bytes(group, "bytes_before", before),
                                                    aq_word_bytes(group, "bytes_after", after)});
  }
  return aq_text_table_text(&table, 2, out, err);
}

/* "  1-D tensor: 62 tensors, 34,176 parameters: a, b, c, ...". */
static aq_status append_kept_group(const char *rule, const json_t *group, aq_buffer *out, aq_error *err) {
  char tensors[AQ_WORD_SIZE], params[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "  "));
  AQ_TRY(aq_text_append_clean(out, rule[0] != '\0' ? rule : "no rule", err));
  AQ_TRY(aq_buffer_printf(out, err, ": %s tensor%s, %s parameter%s: ", aq_word_count(group, "tensors", tensors),
                          aq_json_get_count(group, "tensors") == 1 ? "" : "s", aq_word_count(group, "params", params),
                          aq_json_get_count(group, "params") == 1 ? "" : "s"));
  size_t i;
  json_t *name;
  json_array_foreach(json_object_get(group, "names"), i, name) {
    AQ_TRY(aq_buffer_printf(out, err, "%s", i > 0 ? ", " : ""));
    AQ_TRY(aq_text_append_clean(out, json_string_value(name), err));
  }
  return aq_buffer_printf(out, err, "%s\n", aq_json_get_count(group, "tensors") > NAMES_SHOWN ? ", ..." : "");
}

static aq_status append_kept(json_t *groups, aq_buffer *out, aq_error *err) {
  if (json_object_size(groups) == 0) return AQ_OK;
  AQ_TRY(aq_buffer_printf(out, err, "kept as they are:\n"));
  const char *rule;
  json_t *group;
  json_object_foreach(groups, rule, group) AQ_TRY(append_kept_group(rule, group, out, err));
  return AQ_OK;
}

static aq_status append_adjusted(json_t *groups, aq_buffer *out, aq_error *err) {
  if (json_object_size(groups) == 0) return AQ_OK;
  AQ_TRY(aq_buffer_printf(out, err, "kept, with values adjusted to the quantized weights:\n"));
  const char *rule;
  json_t *group;
  json_object_foreach(groups, rule, group) AQ_TRY(append_kept_group(rule, group, out, err));
  return AQ_OK;
}

/* Groups are a scratch JSON object; fn appends what it says about them. */
static aq_status append_grouped(const json_t *root, const char *field, const char *action,
                                aq_status (*fn)(json_t *groups, aq_buffer *out, aq_error *err), aq_buffer *out,
                                aq_error *err) {
  json_t *groups = json_object();
  if (groups == NULL) return aq_fail(err, AQ_ERR_MEMORY, "out of memory for a report");
  aq_status status = group_by(root, field, action, groups, err);
  if (status == AQ_OK) status = fn(groups, out, err);
  json_decref(groups);
  return status;
}

/* A dry run is asked for to see what becomes of each tensor, and why. */
static aq_status append_plan(const json_t *root, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "lllrrrl");
  aq_text_table_row(&table,
                    (const char *const[]){"tensor", "shape", "becomes", "before", "after", "loss", "because of"});
  size_t i;
  json_t *tensor;
  json_array_foreach(aq_json_get(root, "tensors"), i, tensor) {
    char shape[256], before[AQ_WORD_SIZE], after[AQ_WORD_SIZE], loss[AQ_WORD_SIZE];
    const bool has_loss = aq_json_get_real(tensor, "expected_loss") > 0;
    aq_text_table_row(
        &table, (const char *const[]){aq_json_get_string(tensor, "name"),
                                      aq_shape_of_json(aq_json_get(tensor, "shape"), shape, sizeof shape),
                                      aq_json_get_string(tensor, "type"), aq_word_bytes(tensor, "bytes_before", before),
                                      aq_word_bytes(tensor, "bytes_after", after),
                                      has_loss ? aq_word_fixed(tensor, "expected_loss", 6, loss) : "",
                                      aq_json_get_string(tensor, "rule")});
  }
  return aq_text_table_text(&table, 0, out, err);
}

aq_status aq_render_quantize_text(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *totals = aq_json_get(root, "totals");
  char quantized[AQ_WORD_SIZE], params[AQ_WORD_SIZE], percent[AQ_WORD_SIZE], tensors[AQ_WORD_SIZE];
  const bool dry_run = !json_is_object(aq_json_get(root, "output"));
  if (dry_run) {
    AQ_TRY(append_plan(root, out, err));
    AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  }
  AQ_TRY(aq_buffer_printf(
      out, err, "%s %s of %s parameters (%s %%) in %s tensors\n", dry_run ? "would quantize" : "quantized",
      aq_word_count(totals, "quantized_params", quantized), aq_word_count(totals, "params", params),
      aq_word_fixed(totals, "quantized_percent", 2, percent), aq_word_count(totals, "quantized_tensors", tensors)));
  AQ_TRY(append_grouped(root, "type", NULL, append_type_table, out, err));
  AQ_TRY(append_grouped(root, "rule", "kept", append_kept, out, err));
  AQ_TRY(append_grouped(root, "rule", "adjusted", append_adjusted, out, err));
  AQ_TRY(append_files(root, out, err));
  AQ_TRY(append_ratios(totals, out, err));
  AQ_TRY(aq_render_search_text(aq_json_get(root, "search"), out, err));
  AQ_TRY(append_time(root, out, err));
  return aq_render_warnings(root, out, err);
}

static aq_status render_copied(const json_t *root, const char *verb, aq_buffer *out, aq_error *err) {
  const json_t *totals = aq_json_get(root, "totals");
  char tensors[AQ_WORD_SIZE], params[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "%s %s tensors, %s parameters\n", verb, aq_word_count(totals, "tensors", tensors),
                          aq_word_count(totals, "params", params)));
  AQ_TRY(append_grouped(root, "type", NULL, append_type_table, out, err));
  AQ_TRY(append_files(root, out, err));
  AQ_TRY(append_ratios(totals, out, err));
  AQ_TRY(append_time(root, out, err));
  return aq_render_warnings(root, out, err);
}

aq_status aq_render_convert_text(const json_t *root, aq_buffer *out, aq_error *err) {
  return render_copied(root, "converted", out, err);
}

aq_status aq_render_export_text(const json_t *root, aq_buffer *out, aq_error *err) {
  AQ_TRY(render_copied(root, "exported", out, err));
  return aq_render_notes(aq_json_get(aq_json_get(root, "source"), "notes"), "", out, err);
}
