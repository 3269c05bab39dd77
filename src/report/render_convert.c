/* render_convert.c - what convert, quantize and export did: from what to what, what became of the tensors, sizes, time.
 */
#include <math.h>

#include "core/compiler.h"
#include "report/render.h"
#include "report/report.h"
#include "report/tensor_groups.h"

/* ", 0.5 MB of it model files" where there are such files. */
static void append_model_files(const json_t *file, aq_document *document) {
  if (aq_json_get_count(file, "model_files_bytes") == 0) return;
  aq_document_append(document, file, ", {model_files_bytes:bytes} of it model files");
}

/* "PATH (FORMAT, 90.9 MB)", or "PATH (FORMAT, 21.5 MB, 0.5 MB of it model files)". */
static void add_file(const char *name, const json_t *file, aq_document *document) {
  const bool has_format = aq_json_get_string(file, "format")[0] != '\0';
  aq_document_pair(document, name, file, "`{path}` (");
  if (has_format) {
    aq_document_append(document, file, "{format}, ");
  } else if (aq_json_get_count(file, "schema_version") > 0) {
    aq_document_append(document, file, "table V{schema_version:count}, ");
  }
  aq_document_append(document, file, "{file_bytes:bytes}");
  append_model_files(file, document);
  aq_document_append(document, file, ")");
}

static void add_files(const json_t *root, aq_document *document) {
  const json_t *output = aq_json_get(root, "output"), *estimate = aq_json_get(root, "estimate");
  add_file("from", aq_json_get(root, "source"), document);
  if (json_is_object(output)) {
    add_file("to", output, document);
    return;
  }
  aq_document_pair(document, "to", estimate, "nothing: dry run, no file was written");
  if (!json_is_object(estimate)) return;
  const bool is_table = aq_json_get_string(estimate, "for")[0] == '\0';
  aq_document_append(document, estimate,
                     is_table ? "; the file would have at most " : "; its export to {for} would have at most ");
  aq_document_append(document, estimate, "{file_bytes_at_most:bytes}");
  append_model_files(estimate, document);
  aq_document_append(document, estimate,
                     is_table ? ", and writing it needs {memory_bytes:bytes} of memory"
                              : "; writing the table needs {memory_bytes:bytes} of memory");
  const json_t *calibration = aq_json_get(aq_json_get(root, "search"), "calibration");
  if (json_is_object(calibration)) aq_document_append(document, calibration, ", planning it {memory_bytes:bytes}");
}

/* "ratio 3.89 to the source file; weights without model files 3.97 to FP32, 1.98 to FP16; 8.05 bits per
 * quantized weight": the first is of all bytes, as the file system shows them. */
static void add_ratios(const json_t *totals, aq_document *document) {
  static const struct {
    const char *key, *join, *words;
  } ratios[] = {{"file_ratio", "; ", "{file_ratio:.2} to the source file"},
                {"ratio_to_fp32", "; ", "weights without model files {ratio_to_fp32:.2} to FP32"},
                {"ratio_to_fp16", ", ", "{ratio_to_fp16:.2} to FP16"},
                {"bits_per_weight", "; ", "{bits_per_weight:.3} bits per quantized weight"}};
  bool is_first = true;
  for (size_t i = 0; i < AQ_COUNT_OF(ratios); i++) {
    const double ratio = aq_json_get_real(totals, ratios[i].key);
    if (!isfinite(ratio) || !(ratio > 0)) continue;
    if (is_first) {
      aq_document_add(document, AQ_PARAGRAPH, totals, "ratio ");
    } else {
      aq_document_append(document, totals, ratios[i].join);
    }
    aq_document_append(document, totals, ratios[i].words);
    is_first = false;
  }
}

/* ---- groups of tensors ---- */

static void add_type_table(const json_t *groups, aq_document *document) {
  static const aq_column columns[] = {{"stored as", 'l', "", false},
                                      {"tensors", 'r', "{tensors:count}", false},
                                      {"parameters", 'r', "{params:count}", false},
                                      {"before", 'r', "{bytes_before:bytes}", false},
                                      {"after", 'r', "{bytes_after:bytes}", false}};
  aq_document_table(document, 2, columns, AQ_COUNT_OF(columns));
  const char *type;
  json_t *group;
  json_object_foreach((json_t *)groups, type, group) {
    aq_document_add(document, AQ_CELL, group, "");
    aq_document_append_string(document, AQ_PLAIN, type);
    aq_document_row(document, columns + 1, AQ_COUNT_OF(columns) - 1, group);
  }
}

/* "  1-D tensor: 62 tensors, 34,176 parameters: a, b, c, ...". */
static void add_rules(const json_t *groups, const char *words, aq_document *document) {
  if (json_object_size(groups) > 0) aq_document_add(document, AQ_PARAGRAPH, groups, words);
  const char *rule;
  json_t *group;
  json_object_foreach((json_t *)groups, rule, group) {
    const json_t *names = aq_json_get(group, "names");
    aq_document_add(document, AQ_ITEM, group, "");
    aq_document_append_string(document, AQ_PLAIN, rule[0] != '\0' ? rule : "no rule");
    aq_document_append(document, group, ": {tensors:count} tensor{tensors:s}, {params:count} parameter{params:s}: ");
    for (size_t i = 0; i < json_array_size(names); i++) {
      aq_document_append(document, json_array_get(names, i), i > 0 ? ", `{}`" : "`{}`");
    }
    if (aq_json_get_count(group, "tensors") > AQ_GROUP_NAMES) aq_document_append(document, group, ", ...");
  }
}

static void add_kept_tensors(const json_t *groups, aq_document *document) {
  add_rules(groups, "kept as they are:", document);
}

static void add_adjusted_tensors(const json_t *groups, aq_document *document) {
  add_rules(groups, "kept, with values adjusted to the quantized weights:", document);
}

/* Groups are a scratch JSON object; add_groups adds its blocks about them. */
static void add_tensor_groups(const json_t *root, const char *field, const char *action,
                              void (*add_groups)(const json_t *groups, aq_document *document), aq_document *document) {
  json_t *groups = json_object();
  if (document->status == AQ_OK) {
    document->status = aq_group_tensors(aq_json_get(root, "tensors"), field, action, groups, document->err);
  }
  add_groups(groups, document);
  json_decref(groups);
}

/* A dry run shows what each tensor would become, and by which rule. */
static void add_plan_table(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"tensor", 'l', "`{name}`", false},
                                      {"shape", 'l', "`{shape:shape}`", false},
                                      {"becomes", 'l', "{type}", false},
                                      {"before", 'r', "{bytes_before:bytes}", false},
                                      {"after", 'r', "{bytes_after:bytes}", false},
                                      {"loss", 'r', "{expected_loss:.6}", false},
                                      {"rule", 'l', "{rule}", false}};
  enum { LOSS = 5 };
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  size_t i;
  json_t *tensor;
  json_array_foreach(aq_json_get(root, "tensors"), i, tensor) {
    const bool has_loss = aq_json_get_real(tensor, "expected_loss") > 0;
    aq_document_row(document, columns, LOSS, tensor);
    aq_document_add(document, AQ_CELL, tensor, has_loss ? columns[LOSS].cell : "");
    aq_document_row(document, columns + LOSS + 1, AQ_COUNT_OF(columns) - LOSS - 1, tensor);
  }
}

/* ---- the three kinds ---- */

static void add_time_and_warnings(const json_t *root, aq_document *document) {
  aq_document_pair(document, "time", root, "{seconds:seconds}");
  aq_document_list(document, AQ_REMARK, "warning: ", aq_json_get(root, "warnings"));
}

void aq_render_quantize(const json_t *root, aq_document *document) {
  const bool is_dry_run = !json_is_object(aq_json_get(root, "output"));
  if (is_dry_run) {
    add_plan_table(root, document);
    aq_document_gap(document);
  }
  aq_document_add(document, AQ_PARAGRAPH, root, is_dry_run ? "would quantize" : "quantized");
  aq_document_append(document, aq_json_get(root, "totals"),
                     " {quantized_params:count} of {params:count} parameters ({quantized_percent:.2} %) in "
                     "{quantized_tensors:count} tensors");
  add_tensor_groups(root, "type", NULL, add_type_table, document);
  add_tensor_groups(root, "rule", "kept", add_kept_tensors, document);
  add_tensor_groups(root, "rule", "adjusted", add_adjusted_tensors, document);
  add_files(root, document);
  add_ratios(aq_json_get(root, "totals"), document);
  aq_render_search(aq_json_get(root, "search"), document);
  add_time_and_warnings(root, document);
}

static void add_copied_tensors(const json_t *root, const char *words, aq_document *document) {
  aq_document_add(document, AQ_PARAGRAPH, root, words);
  add_tensor_groups(root, "type", NULL, add_type_table, document);
  add_files(root, document);
  add_ratios(aq_json_get(root, "totals"), document);
  add_time_and_warnings(root, document);
}

void aq_render_convert(const json_t *root, aq_document *document) {
  add_copied_tensors(root, "converted {totals.tensors:count} tensors, {totals.params:count} parameters", document);
}

void aq_render_export(const json_t *root, aq_document *document) {
  add_copied_tensors(root, "exported {totals.tensors:count} tensors, {totals.params:count} parameters", document);
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(aq_json_get(root, "source"), "notes"));
}
