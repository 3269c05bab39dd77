/* outputs_embeddings.c - how the agreement of two sentence encoders is shown: cosines of their embeddings of texts. */
#include <string.h>

#include "core/compiler.h"
#include "report/output_kind.h"
#include "report/report.h"

/* ---- what it was measured on ---- */

/* "178 built-in texts", "500 texts of FILE". */
static void append_texts(const json_t *outputs, aq_document *document) {
  const bool is_builtin = strcmp(aq_json_get_string(outputs, "texts_from"), "built-in") == 0;
  aq_document_append(document, outputs,
                     is_builtin ? "{texts:count} built-in texts" : "{texts:count} texts of `{texts_from}`");
}

static bool has_labels(const json_t *outputs) { return aq_json_get_count(outputs, "label_pairs") > 0; }

/* ---- a comparison ---- */

static void add_compared(const json_t *outputs, aq_document *document) {
  aq_document_add(
      document, AQ_ITEM, outputs,
      "cosine mean {mean_cosine:cosine}, p1 {p1_cosine:cosine}, min {min_cosine:cosine} (text: `{worst_text}`)");
  aq_document_add(document, AQ_ITEM, outputs,
                  "overlap@{neighbours:count} {neighbour_overlap:.3}, Spearman correlation of all similarities "
                  "{similarity_spearman:.4}");
  if (has_labels(outputs)) {
    aq_document_add(document, AQ_ITEM, outputs,
                    "{label_pairs:count} labelled pairs of `{labels_from}`: Spearman correlation "
                    "{labels.reference_spearman:.4} for the reference, {labels.spearman:.4} for the other");
  }
}

/* ---- a validation ---- */

/* One row per type: weights, outputs, and the labels when there are some. The headings are templates too, of the first
 * type: all types have the same number of neighbours. */
static void add_table(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {
      {"", 'l', "{type:upper}", false},
      {"weights", 'r', "{mean_cosine:cosine}", false},
      {"outputs", 'r', "{outputs.mean_cosine:cosine}", false},
      {"p1", 'r', "{outputs.p1_cosine:cosine}", false},
      {"min", 'r', "{outputs.min_cosine:cosine}", false},
      {"overlap@{outputs.neighbours:count}", 'r', "{outputs.neighbour_overlap:.3}", false},
      {"Spearman", 'r', "{outputs.similarity_spearman:.4}", false},
      {"verdict", 'l', "{outputs.verdict}", false},
      {"labels, model", 'r', "{outputs.labels.reference_spearman:.4}", false},
      {"labels, quantized", 'r', "{outputs.labels.spearman:.4}", false}};
  const json_t *types = aq_json_get(root, "types");
  aq_document_add(document, AQ_PARAGRAPH, root, "cosines of the weights, and of the outputs on ");
  append_texts(aq_json_get(root, "outputs"), document);
  const size_t count = AQ_COUNT_OF(columns) - (has_labels(aq_json_get(root, "outputs")) ? 0 : 2);
  aq_document_open_table(document, 0, count);
  for (size_t i = 0; i < count; i++) {
    aq_document_column(document, columns[i].align, json_array_get(types, 0), columns[i].heading);
  }
  aq_document_rows(document, columns, count, types);
}

/* What the columns are, for a page. */
static void add_legend(const json_t *root, aq_document *document) {
  const json_t *outputs = aq_json_get(root, "outputs"), *entry = json_array_get(aq_json_get(root, "types"), 0);
  aq_document_add(document, AQ_PARAGRAPH, outputs,
                  "The model and every quantized one, with its weights dequantized, embedded ");
  append_texts(outputs, document);
  aq_document_append(
      document, entry,
      "; the cosine of a text is that of its two embeddings. Outputs, p1, min: mean, 1st percentile and minimum of "
      "these cosines. Overlap@{outputs.neighbours:count}: the share of the {outputs.neighbours:count} nearest "
      "neighbours of a text that are also its nearest neighbours after quantization, averaged over the texts. "
      "Spearman: rank correlation of the cosines of all pairs of texts before and after quantization.");
  if (!has_labels(outputs)) return;
  aq_document_append(document, outputs,
                     " Labels: Spearman's rank correlation of the cosines of {label_pairs:count} pairs of "
                     "`{labels_from}` with their labels.");
}

/* Mean cosine of each kind of built-in texts, one column per type. */
static void add_kinds(const json_t *root, aq_document *document) {
  const json_t *types = aq_json_get(root, "types");
  const json_t *kinds = aq_json_get(aq_json_get(json_array_get(types, 0), "outputs"), "kinds");
  const size_t columns = json_array_size(types);
  if (json_array_size(kinds) == 0) return;
  aq_document_add(document, AQ_PARAGRAPH, root, "Mean cosine of the outputs by kind of text:");
  aq_document_open_table(document, 0, columns + 2);
  aq_document_column(document, 'l', NULL, "kind of text");
  aq_document_column(document, 'r', NULL, "texts");
  for (size_t t = 0; t < columns; t++) aq_document_column(document, 'r', json_array_get(types, t), "{type:upper}");
  for (size_t k = 0; k < json_array_size(kinds); k++) {
    aq_document_add(document, AQ_CELL, json_array_get(kinds, k), "{kind}");
    aq_document_add(document, AQ_CELL, json_array_get(kinds, k), "{texts:count}");
    for (size_t t = 0; t < columns; t++) {
      const json_t *of_type = aq_json_get(aq_json_get(json_array_get(types, t), "outputs"), "kinds");
      aq_document_add(document, AQ_CELL, json_array_get(of_type, k), "{mean_cosine:cosine}");
    }
  }
}

/* ---- the kind ---- */

static double mean_cosine(const json_t *entry) {
  return aq_json_get_real(aq_json_get(entry, "outputs"), "mean_cosine");
}

const aq_output_kind aq_embeddings_words = {
    .name = "encoder",
    .agree = 0.99,
    .agree_roughly = 0.95, /* below it, the embeddings are no longer those of the model */
    .scale = {.figure = mean_cosine,
              .levels = {0.999, 0.99, 0.95},
              .words = {"that agrees at 0.999 or better by its outputs", "that agrees at 0.99 or better by its outputs",
                        "that agrees at 0.95 or better by its outputs"},
              .found = "mean cosine {outputs.mean_cosine:cosine}",
              .warning = "{type:upper}: {outputs.verdict} (mean cosines {mean_cosine:cosine} and "
                         "{outputs.mean_cosine:cosine}). Do not replace the model with it. At the same size, "
                         "quantizing with `target_bpw={bits_per_weight:.2}` gives outputs that agree far better."},
    .append_texts = append_texts,
    .add_compared = add_compared,
    .add_table = add_table,
    .add_legend = add_legend,
    .add_details = add_kinds};
