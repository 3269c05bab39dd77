/* outputs_predictions.c - how the agreement of two language models is shown: perplexities, and the KL divergence of
 * their predictions of the next token. */
#include <string.h>

#include "core/compiler.h"
#include "report/output_kind.h"
#include "report/report.h"

/* ---- what it was measured on ---- */

static void append_texts(const json_t *outputs, aq_document *document) {
  const char *from = aq_json_get_string(outputs, "texts_from");
  aq_document_append(document, outputs,
                     strcmp(from, "built-in") == 0 ? "the built-in texts"
                     : strcmp(from, "list") == 0   ? "the list of texts"
                                                   : "`{texts_from}`");
  aq_document_append(document, aq_json_get(outputs, "text"),
                     " ({windows:count} window{windows:s} of {window:count} tokens, the {positions:count} positions of "
                     "their second halves)");
}

static const char thresholds[] =
    "outputs agree up to a mean KL divergence of 0.01 nats per token, and roughly up to 0.1";

/* The reference's own figures. */
static void append_reference(const json_t *outputs, aq_document *document) {
  aq_document_append(document, aq_json_get(outputs, "reference_perplexity"),
                     "perplexity of the reference {value:.3} +- {error:.3}");
  aq_document_append(document, aq_json_get(outputs, "noise_floor"),
                     json_is_object(aq_json_get(outputs, "noise_floor"))
                         ? "; noise floor (its weights rounded to BF16): mean KL divergence {mean:.6}, same first "
                           "choice {top_agreement:.4}"
                         : "; no noise floor, as no weight is stored as FP32");
}

/* ---- a comparison ---- */

static const aq_column bucket_columns[] = {
    {"reference's probability of its first choice", 'l', "{from:.2} to {to:.2}", false},
    {"positions", 'r', "{positions:count}", false},
    {"KL divergence", 'r', "{mean:.4}", false},
    {"same first choice", 'r', "{top_agreement:.3}", false}};

void aq_add_divergence_buckets(const json_t *divergence, aq_document *document) {
  aq_document_table(document, 0, bucket_columns, AQ_COUNT_OF(bucket_columns));
  aq_document_rows(document, bucket_columns, AQ_COUNT_OF(bucket_columns), aq_json_get(divergence, "by_confidence"));
}

static void add_compared(const json_t *outputs, aq_document *document) {
  const json_t *divergence = aq_json_get(outputs, "divergence");
  aq_document_add(document, AQ_ITEM, outputs,
                  "perplexity {perplexity.value:.3} +- {perplexity.error:.3}, a change of "
                  "{perplexity_increase_percent:.2} %");
  aq_document_add(document, AQ_ITEM, outputs, "");
  append_reference(outputs, document);
  aq_document_add(document, AQ_ITEM, divergence,
                  "KL divergence in nats per token: mean {mean:.5}, median {median:.5}, p90 {p90:.5}, p99 {p99:.4}, "
                  "p99.9 {p99_9:.4}, max {max:.4}");
  aq_document_add(document, AQ_ITEM, divergence,
                  "same first choice at {top_agreement:.4} of the positions; at {flips:.4} exactly one of the two "
                  "predicts the next token");
  aq_document_add(document, AQ_ITEM, outputs, thresholds);
  aq_add_divergence_buckets(divergence, document);
}

/* ---- a validation ---- */

static void add_table(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"", 'l', "{type:upper}", false},
                                      {"weights", 'r', "{mean_cosine:cosine}", false},
                                      {"perplexity", 'r', "{outputs.perplexity.value:.3}", false},
                                      {"+-", 'r', "{outputs.perplexity.error:.3}", false},
                                      {"change, %", 'r', "{outputs.perplexity_increase_percent:.2}", false},
                                      {"KL mean", 'r', "{outputs.divergence.mean:.5}", false},
                                      {"median", 'r', "{outputs.divergence.median:.5}", true},
                                      {"p90", 'r', "{outputs.divergence.p90:.4}", true},
                                      {"p99", 'r', "{outputs.divergence.p99:.4}", false},
                                      {"p99.9", 'r', "{outputs.divergence.p99_9:.3}", true},
                                      {"max", 'r', "{outputs.divergence.max:.3}", false},
                                      {"same choice", 'r', "{outputs.divergence.top_agreement:.4}", false},
                                      {"flips", 'r', "{outputs.divergence.flips:.4}", false},
                                      {"verdict", 'l', "{outputs.verdict}", false}};
  const json_t *outputs = aq_json_get(root, "outputs");
  aq_document_add(document, AQ_PARAGRAPH, root, "cosines of the weights, and predictions on ");
  append_texts(outputs, document);
  aq_document_append(document, outputs, "; ");
  append_reference(outputs, document);
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  aq_document_rows(document, columns, AQ_COUNT_OF(columns), aq_json_get(root, "types"));
}

/* What the columns are. */
static void add_legend(const json_t *root, aq_document *document) {
  const json_t *text = aq_json_get(aq_json_get(root, "outputs"), "text");
  aq_document_add(document, AQ_PARAGRAPH, root,
                  "The model and every quantized one, with its weights dequantized, predicted each token from those "
                  "before it in its window. Perplexity: exp of the mean of -ln of the probability of the token that "
                  "follows, with its standard error. KL: the divergence of a quantized model's distribution from the "
                  "model's, in nats per token. Same choice: the share of positions where both have the same most "
                  "likely token. Flips: the share of positions where exactly one of the two predicts the token that "
                  "follows. Noise floor: the same figures for the model with its weights rounded to BF16. Verdicts: ");
  aq_document_append(document, NULL, thresholds);
  aq_document_append(document, text, ". The text has {tokens:count} tokens; the hash of the windows is `{hash}`.");
}

static void append_bucket_cells(const json_t *types, size_t bucket, aq_document *document) {
  for (size_t t = 0; t < json_array_size(types); t++) {
    const json_t *divergence = aq_json_get(aq_json_get(json_array_get(types, t), "outputs"), "divergence");
    aq_document_add(document, AQ_CELL, json_array_get(aq_json_get(divergence, "by_confidence"), bucket), "{mean:.5}");
  }
}

/* Mean divergence by the confidence of the model, one column per type. */
static void add_confidence(const json_t *root, aq_document *document) {
  const json_t *types = aq_json_get(root, "types"), *first = aq_json_get(json_array_get(types, 0), "outputs");
  const json_t *buckets = aq_json_get(aq_json_get(first, "divergence"), "by_confidence");
  const size_t columns = json_array_size(types);
  if (json_array_size(buckets) == 0) return;
  aq_document_add(document, AQ_PARAGRAPH, root,
                  "Mean KL divergence by the probability that the model gives its first choice:");
  aq_document_open_table(document, 0, columns + 2);
  aq_document_column(document, 'l', NULL, "probability");
  aq_document_column(document, 'r', NULL, "positions");
  for (size_t t = 0; t < columns; t++) aq_document_column(document, 'r', json_array_get(types, t), "{type:upper}");
  for (size_t b = 0; b < json_array_size(buckets); b++) {
    aq_document_add(document, AQ_CELL, json_array_get(buckets, b), "{from:.2} to {to:.2}");
    aq_document_add(document, AQ_CELL, json_array_get(buckets, b), "{positions:count}");
    append_bucket_cells(types, b, document);
  }
}

/* ---- the kind ---- */

static double mean_divergence(const json_t *entry) {
  return aq_json_get_real(aq_json_get(aq_json_get(entry, "outputs"), "divergence"), "mean");
}

const aq_output_kind aq_predictions_words = {
    .name = "decoder",
    .agree = 0.01,
    .agree_roughly = 0.1,
    .scale = {.figure = mean_divergence,
              .less_is_better = true,
              .levels = {0.001, 0.01, 0.1},
              .words = {"whose mean KL divergence is at most 0.001", "whose mean KL divergence is at most 0.01",
                        "whose mean KL divergence is at most 0.1"},
              .found = "KL divergence {outputs.divergence.mean:.5}, same first choice "
                       "{outputs.divergence.top_agreement:.4}",
              .warning = "{type:upper}: {outputs.verdict} (mean cosine of the weights {mean_cosine:cosine}, mean KL "
                         "divergence {outputs.divergence.mean:.4}, change of the perplexity "
                         "{outputs.perplexity_increase_percent:.1} %). Do not replace the model with it. At the same "
                         "size, quantizing with "
                         "`target_bpw={bits_per_weight:.2}` gives outputs that agree better."},
    .append_texts = append_texts,
    .add_compared = add_compared,
    .add_table = add_table,
    .add_legend = add_legend,
    .add_details = add_confidence};
