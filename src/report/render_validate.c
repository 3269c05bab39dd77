/* render_validate.c - a validation: one line per type, what was checked, the verdict. A page has the details as well.
 */
#include "core/compiler.h"
#include "report/outputs_words.h"
#include "report/render.h"
#include "report/report.h"
#include "report/validate_advice.h"
#include "report/validate_details.h"

/* What a terminal leaves out. */
static void add_details(void (*add)(const json_t *root, aq_document *document), const json_t *root,
                        aq_document *document) {
  document->page_only = true;
  add(root, document);
  document->page_only = false;
}

static void add_title(const json_t *root, aq_document *document) {
  aq_document_add(document, AQ_TITLE, root, "Quantization validation");
}

static void add_subject(const json_t *root, aq_document *document) {
  aq_document_pair(document, "model", root,
                   "`{model.path}` ({model.file_bytes:bytes}, {model.tensors:count} tensors, {model.params:count} "
                   "parameters)");
  aq_document_pair(document, "machine", root,
                   "{environment.cpu}, {environment.instruction_set}, {environment.threads:count} threads");
  aq_document_gap(document);
}

/* "INT8, INT4 and INT2". */
static void append_type_list(const json_t *types, aq_document *document) {
  const size_t count = json_array_size(types);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) aq_document_append(document, NULL, i + 1 == count ? " and " : ", ");
    aq_document_append(document, json_array_get(types, i), "{type:upper}");
  }
}

static void add_procedure(const json_t *root, aq_document *document) {
  const json_t *model = aq_json_get(root, "model");
  const char *dtype, *join = "; ";
  json_t *params;
  aq_document_add(document, AQ_HEADING, root, "What was tested");
  aq_document_add(document, AQ_PARAGRAPH, model, "The model ({format}");
  json_object_foreach(json_object_get(model, "dtypes"), dtype, params) {
    aq_document_append(document, NULL, join);
    aq_document_append(document, params, "{:count} parameters in ");
    aq_document_append_string(document, AQ_CODE, dtype);
    join = ", ";
  }
  aq_document_append(document, root,
                     ") was written as a Parquet weight table (schema V1), quantized from its own values to ");
  append_type_list(aq_json_get(root, "types"), document);
  aq_document_append(document, root,
                     " with the default settings of each type (schema V2), and every file was read back, checked and "
                     "compared with the model.");
}

static void add_types(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"", 'l', "{type:upper}", false},
                                      {"file", 'r', "{file_bytes:bytes}", false},
                                      {"model/file", 'r', "{file_ratio:.2}", false},
                                      {"FP32/weights", 'r', "{ratio_to_fp32:.2}", false},
                                      {"bits/weight", 'r', "{bits_per_weight:.2}", false},
                                      {"mean cosine", 'r', "{mean_cosine:cosine}", false},
                                      {"min cosine", 'r', "{min_cosine:cosine}", false},
                                      {"SNR dB", 'r', "{snr_db:.1}", false},
                                      {"quantize", 'r', "{quantize_seconds:seconds}", false},
                                      {"load", 'r', "{load_seconds:seconds}", false}};
  static const char *const v1_cells[] = {
      "V1", "{file_bytes:bytes}",        "{file_ratio:.2}",       "{ratio_to_fp32:.2}", "", "", "",
      "",   "{convert_seconds:seconds}", "{load_seconds:seconds}"};
  const json_t *v1 = aq_json_get(root, "v1");
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  for (size_t c = 0; c < AQ_COUNT_OF(v1_cells); c++) aq_document_add(document, AQ_CELL, v1, v1_cells[c]);
  aq_document_rows(document, columns, AQ_COUNT_OF(columns), aq_json_get(root, "types"));
  if (aq_json_get_count(v1, "model_files_bytes") > 0) {
    aq_document_add(
        document, AQ_PARAGRAPH, v1,
        "FP32/weights and the compression below leave out the model files in each table: {model_files_bytes:bytes} "
        "of configuration and tokenizer");
  }
  aq_document_gap(document);
}

static void add_criteria(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"", 'l', "", false},
                                      {"type", 'l', "{type:upper}", false},
                                      {"criterion", 'l', "{what}", false},
                                      {"measured", 'r', "{measured:measured}", false},
                                      {"", 'l', "{comparison}", false},
                                      {"limit", 'r', "{limit:limit}", false},
                                      {"name", 'l', "`{id}`", true},
                                      {"set by", 'l', "{origin}", true}};
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  size_t i;
  json_t *criterion;
  json_array_foreach(aq_json_get(root, "criteria"), i, criterion) {
    const bool has_passed = aq_json_get_flag(criterion, "passed");
    aq_document_add(document, AQ_CELL, criterion, has_passed ? "pass" : "**FAIL**");
    aq_document_row(document, columns + 1, AQ_COUNT_OF(columns) - 1, criterion);
  }
  aq_document_gap(document);
}

static void add_origins(const json_t *root, aq_document *document) {
  aq_document_add(
      document, AQ_PARAGRAPH, root,
      "Limits set by \"guide\" are the minimum for an acceptable quantization; those set by \"arrowquant\" are "
      "what the tool promises for its default settings; those set by \"option\" were given for this run.");
}

static void add_environment(const json_t *root, aq_document *document) {
  const json_t *environment = aq_json_get(root, "environment");
  aq_document_add(document, AQ_HEADING, root, "Environment");
  aq_document_pair(document, "arrowquant", environment, "{arrowquant}");
  aq_document_pair(document, "system", environment, "{os}");
  aq_document_pair(document, "finished (UTC)", environment, "{finished}");
}

static void add_verdict(const json_t *root, aq_document *document) {
  const json_t *verdict = aq_json_get(root, "verdict"), *failed = aq_json_get(verdict, "failed");
  if (aq_json_get_flag(verdict, "passed")) {
    aq_document_add(document, AQ_VERDICT, verdict, "**ALL ACCEPTANCE CRITERIA PASSED**");
    return;
  }
  aq_document_add(document, AQ_VERDICT, verdict, "**{failed:count} OF {criteria:count} ACCEPTANCE CRITERIA FAILED**: ");
  for (size_t i = 0; i < json_array_size(failed); i++) {
    aq_document_append(document, json_array_get(failed, i), i > 0 ? ", `{}`" : "`{}`");
  }
}

void aq_render_validate(const json_t *root, aq_document *document) {
  add_details(add_title, root, document);
  add_subject(root, document);
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(aq_json_get(root, "model"), "notes"));
  add_details(add_procedure, root, document);
  aq_document_add_page_heading(document, "Summary");
  add_types(root, document);
  add_details(aq_add_sizes, root, document);
  add_details(aq_add_agreement, root, document);
  aq_document_add_page_heading(document, "Agreement of the outputs");
  aq_add_validated_outputs(root, document);
  aq_document_gap(document);
  add_details(aq_add_kept, root, document);
  add_details(aq_add_checks, root, document);
  aq_document_add_page_heading(document, "Acceptance criteria");
  add_criteria(root, document);
  add_details(add_origins, root, document);
  add_details(aq_add_reading, root, document);
  add_details(aq_add_recommendations, root, document);
  add_details(add_environment, root, document);
  aq_document_pair(document, "reports", root, "`{output_dir}/validation_summary.md` and validation.json");
  add_verdict(root, document);
}
