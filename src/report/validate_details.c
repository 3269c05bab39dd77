/* validate_details.c - what the summary of a validation rests on: sizes, agreement, kept tensors, checks. */
#include "report/validate_details.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "report/report.h"
#include "report/tensor_groups.h"

/* ---- sizes ---- */

void aq_add_sizes(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"type", 'l', "{type:upper}", false},
                                      {"how", 'l', "{scheme}", false},
                                      {"file, bytes", 'r', "{file_bytes:count}", false},
                                      {"model / file", 'r', "{file_ratio:.2}", false},
                                      {"weights, bytes", 'r', "{counted_bytes:count}", false},
                                      {"V1 / weights", 'r', "{ratio_to_v1:.2}", false},
                                      {"FP32 / weights", 'r', "{ratio_to_fp32:.2}", false},
                                      {"FP16 / weights", 'r', "{ratio_to_fp16:.2}", false}};
  enum { AFTER_NAMES = 2, RATIO_TO_V1 = 5 };
  const json_t *v1 = aq_json_get(root, "v1");
  aq_document_add(document, AQ_HEADING, root, "Size and speed");
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  aq_document_add(document, AQ_CELL, v1, "V1");
  aq_document_add(document, AQ_CELL, v1, "values as they are");
  aq_document_row(document, columns + AFTER_NAMES, RATIO_TO_V1 - AFTER_NAMES, v1);
  aq_document_add(document, AQ_CELL, v1, "1");
  aq_document_row(document, columns + RATIO_TO_V1 + 1, AQ_COUNT_OF(columns) - RATIO_TO_V1 - 1, v1);
  aq_document_rows(document, columns, AQ_COUNT_OF(columns), aq_json_get(root, "types"));
  /* Every table carries the configuration and the tokenizer. */
  if (aq_json_get_count(v1, "model_files_bytes") > 0) {
    aq_document_add(document, AQ_PARAGRAPH, v1,
                    "Model files: each file carries {model_files_bytes:count} bytes of the model's configuration and "
                    "tokenizer. They are not weights: the columns \"weights\" are the file without them.");
  }
  aq_document_add(
      document, AQ_PARAGRAPH, root,
      "Model / file divides the {model.file_bytes:count} bytes of the model's own file by all bytes of the table, as "
      "the "
      "file system shows them. V1, FP32 and FP16 / weights divide the V1 table without model files, and 4 or 2 bytes "
      "per parameter, by the bytes of the weights (metadata included). The criterion \"compression\" divides "
      "{baseline.what} ({baseline.bytes:count} bytes) by the same. Bits per weight count codes, scales, zero points "
      "and "
      "page headers of the quantized tensors, as stored in the file. Loading means opening the file, checking its "
      "checksums and decoding every value to FP32.");
}

/* ---- agreement ---- */

static void add_worst_tensors(const json_t *entry, aq_document *document) {
  static const aq_column columns[] = {{"tensor", 'l', "`{name}`", false},
                                      {"shape", 'l', "`{shape:shape}`", false},
                                      {"cosine", 'r', "{cosine:cosine}", false},
                                      {"SNR dB", 'r', "{snr_db:.2}", false},
                                      {"largest error", 'r', "{max_abs_error:error}", false}};
  aq_document_add(document, AQ_PARAGRAPH, entry, "Tensors with the lowest cosine at {type:upper}:");
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  aq_document_rows(document, columns, AQ_COUNT_OF(columns), aq_json_get(aq_json_get(entry, "weights"), "worst"));
}

void aq_add_agreement(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"type", 'l', "{type:upper}", false},
                                      {"tensors quantized", 'r', "{quantized_tensors:count}", false},
                                      {"mean cosine", 'r', "{mean_cosine:cosine}", false},
                                      {"5th percentile", 'r', "{p5_cosine:cosine}", false},
                                      {"rating", 'l', "{mean_cosine:band}", false},
                                      {"precision loss", 'r', "{loss_percent:.3} %", false},
                                      {"rating", 'l', "{loss_percent:loss band}", false}};
  const json_t *types = aq_json_get(root, "types");
  aq_document_add(document, AQ_HEADING, root, "Agreement of the weights");
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  aq_document_rows(document, columns, AQ_COUNT_OF(columns), types);
  aq_document_add(document, AQ_PARAGRAPH, root,
                  "Over the quantized tensors, as in the summary. The SNR is over all their elements together.");
  for (size_t i = 0; i < json_array_size(types); i++) add_worst_tensors(json_array_get(types, i), document);
}

/* ---- what was kept ---- */

static void add_kept_table(const json_t *kept, aq_document *document) {
  static const aq_column columns[] = {{"rule", 'l', "", false},
                                      {"tensors", 'r', "{tensors:count}", false},
                                      {"parameters", 'r', "{params:count}", false},
                                      {"for example", 'l', "", false}};
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  json_t *groups = json_object(), *group;
  if (document->status == AQ_OK) document->status = aq_group_tensors(kept, "rule", NULL, groups, document->err);
  const char *rule;
  json_object_foreach(groups, rule, group) {
    aq_document_add(document, AQ_CELL, NULL, "");
    aq_document_append_string(document, AQ_PLAIN, rule);
    aq_document_row(document, columns + 1, 2, group);
    aq_document_add(document, AQ_CELL, json_array_get(aq_json_get(group, "names"), 0), "`{}`");
  }
  json_decref(groups);
}

static bool has_kept(const json_t *types, size_t i, const json_t *kept) {
  return json_equal(aq_json_get(json_array_get(types, i), "kept"), kept) != 0;
}

/* Types that keep the same tensors share one table, at the first of them. */
static void add_kept_like(const json_t *types, size_t first, aq_document *document) {
  const json_t *kept = aq_json_get(json_array_get(types, first), "kept");
  for (size_t i = 0; i < first; i++) {
    if (has_kept(types, i, kept)) return;
  }
  aq_document_add(document, AQ_PARAGRAPH, NULL, "");
  for (size_t i = first; i < json_array_size(types); i++) {
    if (!has_kept(types, i, kept)) continue;
    if (i > first) aq_document_append(document, NULL, ", ");
    aq_document_append(document, json_array_get(types, i),
                       "{type:upper} ({quantized_percent:.2} % of the parameters quantized)");
  }
  const bool is_none = json_array_size(kept) == 0;
  aq_document_append(
      document, NULL,
      is_none ? ": every tensor was quantized." : ": these tensors are stored with their original values.");
  if (!is_none) add_kept_table(kept, document);
}

void aq_add_kept(const json_t *root, aq_document *document) {
  const json_t *types = aq_json_get(root, "types");
  aq_document_add(document, AQ_HEADING, root, "Tensors that were not quantized");
  for (size_t i = 0; i < json_array_size(types); i++) add_kept_like(types, i, document);
}

/* ---- checks: one column per table, V1 and then the types ---- */

static const json_t *checks_of(const json_t *root, size_t table) {
  const json_t *entry = table == 0 ? aq_json_get(root, "v1") : json_array_get(aq_json_get(root, "types"), table - 1);
  return aq_json_get(entry, "checks");
}

static void append_table_name(const json_t *root, size_t table, aq_document *document) {
  const json_t *types = aq_json_get(root, "types");
  if (table == 0) {
    aq_document_append_string(document, AQ_STRONG, "V1");
  } else {
    aq_document_append(document, json_array_get(types, table - 1), "**{type:upper}**");
  }
}

static const json_t *find_check(const json_t *checks, const char *id) {
  for (size_t i = 0; i < json_array_size(checks); i++) {
    const json_t *check = json_array_get(checks, i);
    if (strcmp(aq_json_get_string(check, "id"), id) == 0) return check;
  }
  return NULL;
}

/* What each failed check found. */
static void add_failed_checks(const json_t *root, size_t table, aq_document *document) {
  size_t i;
  json_t *check;
  json_array_foreach(checks_of(root, table), i, check) {
    if (aq_json_get_flag(check, "passed")) continue;
    aq_document_add(document, AQ_ITEM, NULL, "");
    append_table_name(root, table, document);
    aq_document_append(document, check, "**: not {what}**: {detail}");
  }
}

/* One row per check of the last table (V2 has all of V1's and more). */
void aq_add_checks(const json_t *root, aq_document *document) {
  const size_t tables = 1 + json_array_size(aq_json_get(root, "types"));
  aq_document_add(document, AQ_HEADING, root, "Schema checks");
  aq_document_open_table(document, 0, tables + 1);
  aq_document_column(document, 'l', NULL, "check");
  for (size_t t = 0; t < tables; t++) {
    aq_document_column(document, 'l', NULL, "");
    append_table_name(root, t, document);
  }
  size_t i;
  json_t *row;
  json_array_foreach(checks_of(root, tables - 1), i, row) {
    aq_document_add(document, AQ_CELL, row, "{what}");
    for (size_t t = 0; t < tables; t++) {
      const json_t *check = find_check(checks_of(root, t), aq_json_get_string(row, "id"));
      const bool has_passed = aq_json_get_flag(check, "passed");
      aq_document_add(document, AQ_CELL, check, check == NULL ? "" : has_passed ? "pass" : "**FAIL**");
    }
  }
  for (size_t t = 0; t < tables; t++) add_failed_checks(root, t, document);
}
