/* validate_advice.c - what a validation's numbers mean, and what to do about them. */
#include "report/validate_advice.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "report/outputs_words.h"
#include "report/report.h"
#include "report/value_formats.h"

/* A tensor with a cosine below this should get more bits. */
static const double weak_cosine = 0.93;
/* A file with a larger share of metadata has too many small tensors. */
static const double large_overhead = 0.05;

static const char *const reading[] = {
    "**Compression** is a size before divided by the size after. FP32 weights in 8 bits can reach about 4x, in 4 bits "
    "8x, in 2 bits 16x, minus the bytes of scales, zero points and unquantized tensors; against FP16 half of that.",
    "**Cosine** compares the direction of a tensor before and after: dot(a, b) / (|a| |b|). 1 is equal; 0.95 and more "
    "is excellent, 0.85 good, 0.70 fair (typical of 2 bits), less is poor. Two tensors of zeros have cosine 1.",
    "**Precision loss** is (1 - mean cosine) in percent: up to 5 % is excellent, 15 % good, 30 % fair, more is poor.",
    "**SNR** is 10 log10 of the energy of the weights over the energy of the error; 6 dB more is half the error.",
    "**Weights that agree do not mean outputs that agree.** Errors of many layers add up, and a few weights matter "
    "more than others: below a cosine of about 0.99, weights that look close can give quite different outputs. "};

static const char reading_measured[] =
    "Judge by the outputs above. They were measured on a few texts: before you deploy a file, measure on texts like "
    "yours (`texts_file`).";

static const char reading_unmeasured[] =
    "Outputs were not measured here. Before you deploy a file, run both models on inputs that you know and compare.";

void aq_add_reading(const json_t *root, aq_document *document) {
  aq_document_add(document, AQ_HEADING, root, "How to read the figures");
  for (size_t i = 0; i < AQ_COUNT_OF(reading); i++) aq_document_add(document, AQ_ITEM, root, reading[i]);
  aq_document_append(document, root, aq_outputs_measured(root) ? reading_measured : reading_unmeasured);
}

static bool type_passed(const json_t *root, const char *type) {
  size_t i;
  json_t *c;
  json_array_foreach(aq_json_get(root, "criteria"), i, c) {
    if (strcmp(aq_json_get_string(c, "type"), type) == 0 && !aq_json_get_flag(c, "passed")) return false;
  }
  return true;
}

/* The smallest file among the types that pass and agree at a level of the scale or better; NULL when there is none. */
static const json_t *find_smallest(const json_t *root, const aq_agreement_scale *scale, double level) {
  const json_t *best = NULL;
  size_t i;
  json_t *entry;
  json_array_foreach(aq_json_get(root, "types"), i, entry) {
    if (!aq_agreement_holds(scale, scale->figure(entry), level)) continue;
    if (!type_passed(root, aq_json_get_string(entry, "type"))) continue;
    if (best == NULL || aq_json_get_count(entry, "counted_bytes") < aq_json_get_count(best, "counted_bytes"))
      best = entry;
  }
  return best;
}

static void recommend_sizes(const json_t *root, aq_document *document) {
  static const char *const purposes[AQ_AGREEMENT_LEVELS] = {
      "Where results must not change: {type:upper}, the smallest file tested ",
      "Where size matters and small changes are acceptable: {type:upper}, the smallest file tested ",
      "Where size matters more than accuracy: {type:upper}, the smallest file tested "};
  const aq_agreement_scale *scale = aq_agreement_scale_of(root);
  const json_t *last = NULL;
  for (size_t i = 0; i < AQ_AGREEMENT_LEVELS; i++) {
    const json_t *entry = find_smallest(root, scale, scale->levels[i]);
    if (entry == NULL || entry == last) continue;
    last = entry;
    aq_document_add(document, AQ_ITEM, entry, purposes[i]);
    aq_document_append(document, entry, scale->words[i]);
    aq_document_append(document, entry, " ({file_bytes:bytes}, model / file {file_ratio:.2}, ");
    aq_document_append(document, entry, scale->found);
    aq_document_append(document, entry, ").");
  }
}

/* The measured agreement, and what follows from it. */
static void warn_of_agreement(const json_t *root, const json_t *entry, aq_document *document) {
  const aq_agreement_scale *scale = aq_agreement_scale_of(root);
  const double figure = scale->figure(entry), last = scale->levels[AQ_AGREEMENT_LEVELS - 1];
  if (isnan(figure) || aq_agreement_holds(scale, figure, last)) return;
  aq_document_add(document, AQ_ITEM, entry, scale->warning);
}

/* The worst tensor gets its own rule when it is much worse than the rest. */
static void advise_worst(const json_t *entry, aq_document *document) {
  const json_t *worst = json_array_get(aq_json_get(aq_json_get(entry, "weights"), "worst"), 0);
  const double cosine = aq_json_get_real(worst, "cosine"), mean = aq_json_get_real(entry, "mean_cosine");
  const char *type = aq_json_get_string(entry, "type");
  /* What counts is the distance from 1: twice the usual. */
  if (!(cosine < weak_cosine) || !(1 - cosine > 2 * (1 - mean)) || strcmp(type, "int8") == 0) return;
  aq_document_add(document, AQ_ITEM, entry, "At {type:upper} the tensor ");
  aq_document_append(document, worst,
                     "`{name}` has a much lower cosine ({cosine:cosine}) than the rest; give it more bits with its own "
                     "rule: `tensor_rules='{name}=");
  aq_document_append_string(document, AQ_CODE, strcmp(type, "int4") == 0 ? "int8'" : "int4'");
  aq_document_append(document, worst, ".");
}

static void warn_of_overhead(const json_t *entry, aq_document *document) {
  const double file = aq_json_get_real(entry, "counted_bytes"), payload = aq_json_get_real(entry, "payload_bytes");
  char percent[AQ_WORD_SIZE];
  if (!(file > 0) || !((file - payload) / file > large_overhead)) return;
  aq_document_add(document, AQ_ITEM, entry, "");
  aq_document_append_string(document, AQ_PLAIN,
                            aq_text_fixed(100.0 * (file - payload) / file, 1, percent, sizeof percent));
  aq_document_append(document, entry,
                     " % of the {type:upper} file (without model files) is metadata and not weights: this model is "
                     "small, or consists of many small tensors.");
}

static void explain_failure(const json_t *criterion, aq_document *document) {
  const char *unit = aq_json_get_string(criterion, "unit");
  const char *advice = "verify the table (which stays with `keep_tables=true`) with `deep=true`.";
  if (strcmp(unit, "x") == 0)
    advice = "quantize more of the model (the table above lists the tensors that were not), or use fewer bits.";
  if (strcmp(unit, "s") == 0) advice = "use more `threads`, or an idle machine.";
  if (strcmp(unit, "") == 0 || strcmp(unit, "%") == 0 || strcmp(unit, "nats") == 0) {
    advice =
        "quantize with smaller groups (`group_size=32`), or keep the tensors with the lowest cosines "
        "(`keep_patterns`).";
  }
  aq_document_add(document, AQ_ITEM, criterion,
                  "`{id}` failed ({measured:measured}, limit {comparison} {limit:limit}): ");
  aq_document_append(document, criterion, advice);
}

void aq_add_recommendations(const json_t *root, aq_document *document) {
  aq_document_add(document, AQ_HEADING, root, "Recommendations");
  const size_t before = document->nodes.size;
  size_t i;
  json_t *item;
  json_array_foreach(aq_json_get(root, "criteria"), i, item) {
    if (!aq_json_get_flag(item, "passed")) explain_failure(item, document);
  }
  recommend_sizes(root, document);
  json_array_foreach(aq_json_get(root, "types"), i, item) {
    warn_of_agreement(root, item, document);
    advise_worst(item, document);
    warn_of_overhead(item, document);
  }
  if (document->nodes.size == before) aq_document_add(document, AQ_PARAGRAPH, root, "None.");
}
