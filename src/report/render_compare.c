/* render_compare.c - agreement of two sources: one line per tensor, then the totals. */
#include "core/compiler.h"
#include "report/outputs_words.h"
#include "report/render.h"
#include "report/report.h"

enum { NAMES_SHOWN = 10 };

static void add_tensors(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"tensor", 'l', "`{name}`", false},
                                      {"shape", 'l', "`{shape:shape}`", false},
                                      {"stored as", 'l', "{stored_as}", false},
                                      {"cosine", 'r', "{cosine:cosine}", false},
                                      {"SNR dB", 'r', "{snr_db:snr}", false},
                                      {"RMSE", 'r', "{rmse:error}", false},
                                      {"max error", 'r', "{max_abs_error:error}", false},
                                      {"norm ratio", 'r', "{norm_ratio:.4}", false}};
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  aq_document_rows(document, columns, AQ_COUNT_OF(columns), aq_json_get(root, "tensors"));
}

static void add_totals(const json_t *totals, aq_document *document) {
  aq_document_add(document, AQ_PARAGRAPH, totals,
                  "{tensors:count} tensors, {params:count} parameters; {equal_tensors:count} tensors are equal");
  if (aq_json_get_count(totals, "params") == 0) {
    aq_document_add(document, AQ_PARAGRAPH, totals, "nothing was compared");
    return;
  }
  aq_document_add(document, AQ_PARAGRAPH, totals,
                  json_is_number(aq_json_get(totals, "cosine"))
                      ? "over all weights: cosine {cosine:cosine}, SNR {snr_db:decibels}, RMSE {rmse:error}, largest "
                        "error {max_abs_error:error}"
                      : "over all weights: no figures, as no floating-point value is finite in both");
  if (aq_json_get_count(totals, "nonfinite") == 0) return;
  aq_document_add(
      document, AQ_PARAGRAPH, totals,
      "{nonfinite:count} elements are NaN or infinite and were left out; {nonfinite_mismatch:count} of them differ "
      "between the two");
}

static void add_distribution(const char *words, const json_t *distribution, aq_document *document) {
  if (aq_json_get_count(distribution, "tensors") == 0) return;
  aq_document_add(document, AQ_PARAGRAPH, distribution, words);
  aq_document_append(document, distribution,
                     " ({tensors:count}): mean {mean:cosine}, min {min:cosine}, p5 {p5:cosine}, median {p50:cosine}");
}

static void add_worst_tensors(const json_t *root, aq_document *document) {
  const json_t *worst = aq_json_get(root, "worst");
  if (json_array_size(worst) > 0) aq_document_add(document, AQ_PARAGRAPH, root, "tensors with the lowest cosine:");
  size_t i;
  json_t *tensor;
  json_array_foreach(worst, i, tensor) {
    aq_document_add(document, AQ_ITEM, tensor, "{cosine:cosine}  {snr_db:decibels}  `{name}`");
  }
}

/* Tensors without a partner. */
static void add_unpaired(const json_t *list, const char *words, aq_document *document) {
  const size_t count = json_array_size(list);
  if (count == 0) return;
  aq_document_add(document, AQ_PARAGRAPH, list, words);
  for (size_t i = 0; i < count && i < NAMES_SHOWN; i++) {
    const json_t *entry = json_array_get(list, i);
    aq_document_append(document, entry, json_is_string(entry) ? " `{}`" : " `{name}`");
  }
  if (count > NAMES_SHOWN) aq_document_append(document, list, " ...");
}

static void add_verdict(const json_t *root, aq_document *document) {
  add_unpaired(aq_json_get(root, "missing"), "MISSING ({:count}):", document);
  add_unpaired(aq_json_get(root, "extra"), "NOT IN THE REFERENCE ({:count}):", document);
  add_unpaired(aq_json_get(root, "shape_mismatch"), "DIFFERENT SHAPE ({:count}):", document);
  add_unpaired(aq_json_get(root, "bytes_differ"), "DIFFERENT BYTES ({:count}):", document);
  if (aq_json_get_count(root, "compared_as_bytes") > 0) {
    aq_document_add(document, AQ_PARAGRAPH, root,
                    "{compared_as_bytes:count} tensors of dtypes that cannot be read as numbers: compared as bytes");
  }
  if (!json_is_number(aq_json_get(root, "min_cosine"))) return;
  aq_document_add(document, AQ_VERDICT, root, aq_json_get_flag(root, "passed") ? "**PASSED**" : "**FAILED**");
  aq_document_append(document, root, ": mean cosine {mean_cosine:cosine}, required minimum {min_cosine:.6}");
}

void aq_render_compare(const json_t *root, aq_document *document) {
  const json_t *cosine = aq_json_get(root, "cosine");
  add_tensors(root, document);
  aq_document_gap(document);
  add_totals(aq_json_get(root, "totals"), document);
  add_distribution("cosine of all tensors", aq_json_get(cosine, "all"), document);
  add_distribution("cosine of quantized tensors", aq_json_get(cosine, "quantized"), document);
  add_worst_tensors(root, document);
  aq_add_compared_outputs(root, document);
  aq_document_list(document, AQ_REMARK, "reference: note: ", aq_json_get(aq_json_get(root, "reference"), "notes"));
  aq_document_list(document, AQ_REMARK, "other: note: ", aq_json_get(aq_json_get(root, "other"), "notes"));
  add_verdict(root, document);
}
