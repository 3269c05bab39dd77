/* outputs_words.c - agreement of outputs in words and tables. */
#include "report/outputs_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"
#include "report/validate_words.h"

/* ---- verdicts ---- */

/* Below the second of these, what the model gives is no longer what it gave. */
static const double outputs_agree = 0.99, outputs_agree_roughly = 0.95;
static const double weights_agree = 0.85; /* "good", as validate_words.c has it */

const char *aq_outputs_verdict(double weights, double outputs) {
  if (isnan(outputs)) return "-";
  if (outputs >= outputs_agree) return "outputs agree";
  if (outputs >= outputs_agree_roughly) return "outputs agree roughly";
  return weights >= weights_agree ? "weights agree, outputs do not" : "neither weights nor outputs agree";
}

bool aq_outputs_measured(const json_t *root) { return aq_json_get_flag(aq_json_get(root, "outputs"), "measured"); }

double aq_agreement(const json_t *root, const json_t *entry) {
  return aq_json_get_real(aq_outputs_measured(root) ? aq_json_get(entry, "outputs") : entry, "mean_cosine");
}

/* ---- what it was measured on ---- */

/* "178 built-in texts", "500 texts of FILE". */
static aq_status append_texts(const json_t *outputs, aq_buffer *out, aq_error *err) {
  const char *from = aq_json_get_string(outputs, "texts_from");
  const bool builtin = strcmp(from, "built-in") == 0;
  char count[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "%s %s", aq_word_count(outputs, "texts", count),
                          builtin ? "built-in texts" : "texts of "));
  return builtin ? AQ_OK : aq_text_append_clean(out, from, err);
}

static bool has_labels(const json_t *outputs) { return aq_json_get_count(outputs, "label_pairs") > 0; }

/* ---- a comparison ---- */

static aq_status append_label_line(const json_t *outputs, aq_buffer *out, aq_error *err) {
  if (!has_labels(outputs)) return AQ_OK;
  const json_t *labels = aq_json_get(outputs, "labels");
  char pairs[AQ_WORD_SIZE], was[AQ_WORD_SIZE], is[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "  %s labelled pairs of ", aq_word_count(outputs, "label_pairs", pairs)));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(outputs, "labels_from"), err));
  return aq_buffer_printf(out, err, ": Spearman %s by the reference, %s by the other\n",
                          aq_word_fixed(labels, "reference_spearman", 4, was),
                          aq_word_fixed(labels, "spearman", 4, is));
}

aq_status aq_append_compared_outputs(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *outputs = aq_json_get(root, "outputs");
  if (!json_is_object(outputs)) return AQ_OK;
  if (!aq_outputs_measured(root)) {
    return aq_buffer_printf(out, err, "outputs were not measured: %s\n", aq_json_get_string(outputs, "reason"));
  }
  char mean[AQ_WORD_SIZE], p1[AQ_WORD_SIZE], least[AQ_WORD_SIZE], kept[AQ_WORD_SIZE], order[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "outputs on "));
  AQ_TRY(append_texts(outputs, out, err));
  AQ_TRY(aq_buffer_printf(out, err, ": %s\n  cosine mean %s, p1 %s, min %s (", aq_json_get_string(outputs, "verdict"),
                          aq_word_cosine(outputs, "mean_cosine", mean), aq_word_cosine(outputs, "p1_cosine", p1),
                          aq_word_cosine(outputs, "min_cosine", least)));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(outputs, "worst_text"), err));
  AQ_TRY(aq_buffer_printf(out, err, ")\n  %llu nearest neighbours kept %s, Spearman of all similarities %s\n",
                          (unsigned long long)aq_json_get_count(outputs, "neighbours"),
                          aq_word_fixed(outputs, "neighbour_overlap", 3, kept),
                          aq_word_fixed(outputs, "similarity_spearman", 4, order)));
  AQ_TRY(append_label_line(outputs, out, err));
  return aq_render_notes(aq_json_get(outputs, "notes"), "  ", out, err);
}

/* ---- a validation ---- */

/* A row a type: weights, outputs, and the labels when there are some. */
static void fill_table(aq_text_table *table, const json_t *root, const char *const *heading) {
  const bool labels = has_labels(aq_json_get(root, "outputs"));
  aq_text_table_init(table, labels ? "lrrrrrrrrl" : "lrrrrrrl");
  for (size_t i = 0; i < 10; i++) {
    if (labels || (i != 7 && i != 8)) aq_text_table_add(table, heading[i]);
  }
  size_t i;
  json_t *entry;
  json_array_foreach(aq_json_get(root, "types"), i, entry) {
    const json_t *o = aq_json_get(entry, "outputs"), *l = aq_json_get(o, "labels");
    char word[AQ_WORD_SIZE];
    aq_text_table_add(table, aq_type_word(entry, word));
    aq_text_table_add(table, aq_word_cosine(entry, "mean_cosine", word));
    aq_text_table_add(table, aq_word_cosine(o, "mean_cosine", word));
    aq_text_table_add(table, aq_word_cosine(o, "p1_cosine", word));
    aq_text_table_add(table, aq_word_cosine(o, "min_cosine", word));
    aq_text_table_add(table, aq_word_fixed(o, "neighbour_overlap", 3, word));
    aq_text_table_add(table, aq_word_fixed(o, "similarity_spearman", 4, word));
    if (labels) aq_text_table_add(table, aq_word_fixed(l, "reference_spearman", 4, word));
    if (labels) aq_text_table_add(table, aq_word_fixed(l, "spearman", 4, word));
    aq_text_table_add(table, aq_json_get_string(o, "verdict"));
  }
}

aq_status aq_append_outputs_text(const json_t *root, aq_buffer *out, aq_error *err) {
  static const char *const heading[] = {"",           "weights",      "outputs", "p1",    "min",
                                        "neighbours", "similarities", "labels",  "after", "verdict"};
  const json_t *outputs = aq_json_get(root, "outputs");
  if (!aq_outputs_measured(root)) {
    AQ_TRY(aq_buffer_printf(out, err, "outputs were not measured: "));
    AQ_TRY(aq_text_append_clean(out, aq_json_get_string(outputs, "reason"), err));
    return aq_buffer_printf(out, err, "\n\n");
  }
  AQ_TRY(aq_buffer_printf(out, err, "cosines of the weights, and of the outputs on "));
  AQ_TRY(append_texts(outputs, out, err));
  AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  aq_text_table table;
  fill_table(&table, root, heading);
  AQ_TRY(aq_text_table_text(&table, 0, out, err));
  AQ_TRY(aq_render_notes(aq_json_get(outputs, "notes"), "", out, err));
  return aq_buffer_append_byte(out, '\n', err);
}

/* Mean cosine of each kind of built-in texts, a column a type. */
static aq_status append_kinds(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *types = aq_json_get(root, "types");
  const json_t *kinds = aq_json_get(aq_json_get(json_array_get(types, 0), "outputs"), "kinds");
  const size_t columns = AQ_MIN(json_array_size(types), 8);
  if (json_array_size(kinds) == 0) return AQ_OK;
  char word[AQ_WORD_SIZE], align[16] = "lr";
  for (size_t t = 0; t < columns; t++) align[t + 2] = 'r';
  aq_text_table table;
  aq_text_table_init(&table, align);
  aq_text_table_add(&table, "kind of text");
  aq_text_table_add(&table, "texts");
  for (size_t t = 0; t < columns; t++) aq_text_table_add(&table, aq_type_word(json_array_get(types, t), word));
  for (size_t k = 0; k < json_array_size(kinds); k++) {
    aq_text_table_add(&table, aq_json_get_string(json_array_get(kinds, k), "kind"));
    aq_text_table_add(&table, aq_word_count(json_array_get(kinds, k), "texts", word));
    for (size_t t = 0; t < columns; t++) {
      const json_t *of_type = aq_json_get(aq_json_get(json_array_get(types, t), "outputs"), "kinds");
      aq_text_table_add(&table, aq_word_cosine(json_array_get(of_type, k), "mean_cosine", word));
    }
  }
  AQ_TRY(aq_buffer_printf(out, err, "Mean cosine of the outputs by kind of text:\n\n"));
  AQ_TRY(aq_text_table_markdown(&table, out, err));
  return aq_buffer_append_byte(out, '\n', err);
}

static aq_status append_legend(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *outputs = aq_json_get(root, "outputs"), *entry = json_array_get(aq_json_get(root, "types"), 0);
  AQ_TRY(aq_buffer_printf(out, err, "\nThe model and every quantized one, with its weights dequantized, embedded "));
  AQ_TRY(append_texts(outputs, out, err));
  AQ_TRY(
      aq_buffer_printf(out, err,
                       "; the cosine of a text is that of its two embeddings. Neighbours kept: the share of the %llu "
                       "texts nearest to a text that are so afterwards too. Order of similarities: Spearman's rank "
                       "correlation of the cosines of all pairs of texts.",
                       (unsigned long long)aq_json_get_count(aq_json_get(entry, "outputs"), "neighbours")));
  if (has_labels(outputs)) {
    char pairs[AQ_WORD_SIZE];
    AQ_TRY(aq_buffer_printf(out, err, " Labels: Spearman's rank correlation of the cosines of %s pairs of `",
                            aq_word_count(outputs, "label_pairs", pairs)));
    AQ_TRY(aq_text_append_clean(out, aq_json_get_string(outputs, "labels_from"), err));
    AQ_TRY(aq_buffer_printf(out, err, "` with their labels."));
  }
  return aq_buffer_printf(out, err, "\n\n");
}

aq_status aq_append_outputs_markdown(const json_t *root, aq_buffer *out, aq_error *err) {
  static const char *const heading[] = {"type",
                                        "weights: mean cosine",
                                        "outputs: mean cosine",
                                        "1st percentile",
                                        "lowest",
                                        "neighbours kept",
                                        "order of similarities",
                                        "labels, model",
                                        "labels, quantized",
                                        "verdict"};
  AQ_TRY(aq_buffer_printf(out, err, "## Agreement of the outputs\n\n"));
  if (!aq_outputs_measured(root)) {
    AQ_TRY(aq_buffer_printf(out, err, "Outputs were not measured: "));
    AQ_TRY(aq_text_append_clean(out, aq_json_get_string(aq_json_get(root, "outputs"), "reason"), err));
    return aq_buffer_printf(out, err, ".\n\n");
  }
  aq_text_table table;
  fill_table(&table, root, heading);
  AQ_TRY(aq_text_table_markdown(&table, out, err));
  AQ_TRY(append_legend(root, out, err));
  const json_t *notes = aq_json_get(aq_json_get(root, "outputs"), "notes");
  AQ_TRY(aq_render_notes(notes, "- ", out, err));
  if (json_array_size(notes) > 0) AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  return append_kinds(root, out, err);
}
