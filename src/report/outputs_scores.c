/* outputs_scores.c - how the agreement of two cross-encoders is shown: ranks and differences of their scores. */
#include <string.h>

#include "core/compiler.h"
#include "report/output_kind.h"
#include "report/report.h"

/* "1,424 pairs of built-in texts, 178 queries". */
static void append_texts(const json_t *outputs, aq_document *document) {
  const bool is_builtin = strcmp(aq_json_get_string(outputs, "texts_from"), "built-in") == 0;
  aq_document_append(document, outputs,
                     is_builtin ? "{pairs:count} pairs of built-in texts, {queries:count} queries"
                                : "{pairs:count} pairs of `{texts_from}`, {queries:count} queries");
}

static bool has_labels(const json_t *outputs) { return aq_json_get_count(outputs, "labels") > 1; }

static void add_compared(const json_t *outputs, aq_document *document) {
  aq_document_add(document, AQ_ITEM, outputs,
                  "Spearman correlation of the scores {score_spearman:.4}, order of two texts of one query kept "
                  "{order_agreement:.4}");
  aq_document_add(document, AQ_ITEM, outputs,
                  "difference of the scores mean {mean_difference:.4}, max {max_difference:.4} (pair: `{worst_pair}`)");
  if (has_labels(outputs)) {
    aq_document_add(document, AQ_ITEM, outputs, "same label first {label_agreement:.4}, of {labels:count} labels");
  }
}

static void add_table(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"", 'l', "{type:upper}", false},
                                      {"weights", 'r', "{mean_cosine:cosine}", false},
                                      {"Spearman", 'r', "{outputs.score_spearman:.4}", false},
                                      {"order kept", 'r', "{outputs.order_agreement:.4}", false},
                                      {"mean diff.", 'r', "{outputs.mean_difference:.4}", false},
                                      {"max diff.", 'r', "{outputs.max_difference:.4}", false},
                                      {"verdict", 'l', "{outputs.verdict}", false},
                                      {"same label", 'r', "{outputs.label_agreement:.4}", false}};
  const size_t count = AQ_COUNT_OF(columns) - (has_labels(aq_json_get(root, "outputs")) ? 0 : 1);
  aq_document_add(document, AQ_PARAGRAPH, root, "cosines of the weights, and scores on ");
  append_texts(aq_json_get(root, "outputs"), document);
  aq_document_table(document, 0, columns, count);
  aq_document_rows(document, columns, count, aq_json_get(root, "types"));
}

static void add_legend(const json_t *root, aq_document *document) {
  aq_document_add(document, AQ_PARAGRAPH, aq_json_get(root, "outputs"),
                  "The model and every quantized one, with its weights dequantized, scored ");
  append_texts(aq_json_get(root, "outputs"), document);
  aq_document_append(document, root,
                     ". Spearman: rank correlation of the scores of all pairs before and after quantization. Order "
                     "kept: the share of two texts of one query that keep their order. Differences are those of the "
                     "scores, behind the activation.");
}

static void add_details(const json_t *root, aq_document *document) {
  (void)root;
  (void)document;
}

static double spearman(const json_t *entry) {
  return aq_json_get_real(aq_json_get(entry, "outputs"), "score_spearman");
}

const aq_output_kind aq_scores_words = {
    .name = "scorer",
    .agree = 0.99,
    .agree_roughly = 0.95,
    .scale = {.figure = spearman,
              .levels = {0.999, 0.99, 0.95},
              .words = {"whose scores correlate at 0.999 or better", "whose scores correlate at 0.99 or better",
                        "whose scores correlate at 0.95 or better"},
              .found = "Spearman correlation of the scores {outputs.score_spearman:.4}",
              .warning = "{type:upper}: {outputs.verdict} (mean cosine of the weights {mean_cosine:cosine}, Spearman "
                         "correlation of the scores {outputs.score_spearman:.4}). Do not replace the model with it."},
    .append_texts = append_texts,
    .add_compared = add_compared,
    .add_table = add_table,
    .add_legend = add_legend,
    .add_details = add_details};
