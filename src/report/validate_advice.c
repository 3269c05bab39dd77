/* validate_advice.c - what a validation's numbers mean, and what to do about them. */
#include "report/validate_advice.h"

#include <string.h>

#include "core/error.h"
#include "report/outputs_words.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"
#include "report/validate_words.h"

/* A tensor this far from the model is worth more bits. */
static const double weak_cosine = 0.93;
/* A file with more than this share outside its weights has too many small pieces. */
static const double large_overhead = 0.05;

static const char reading[] =
    "## How to read the figures\n"
    "\n"
    "- **Compression** is a size before divided by the size after. FP32 weights in 8 bits can reach about 4x, in 4 "
    "bits "
    "8x, in 2 bits 16x, less what scales, zero points and kept tensors take; against FP16 half of that.\n"
    "- **Cosine** compares the direction of a tensor before and after: dot(a, b) / (|a| |b|). 1 is equal; 0.95 and "
    "more "
    "is excellent, 0.85 good, 0.70 fair (to be expected of 2 bits), less is poor. Two tensors of zeros have cosine 1.\n"
    "- **Precision loss** is (1 - mean cosine) in percent: up to 5 % is excellent, 15 % good, 30 % fair, more is "
    "poor.\n"
    "- **SNR** is 10 log10 of the energy of the weights over the energy of the error; 6 dB more is half the error.\n"
    "- **Weights that agree do not mean outputs that agree.** Errors of many layers add up, and a few weights matter "
    "more than their share: below about 0.99 a model that looks close by its weights can answer quite differently. ";

static const char reading_measured[] =
    "Judge by the outputs above. They are embeddings of a few texts: before a file is used in earnest, measure on "
    "texts like yours (`texts_file`), and on labelled pairs (`labels_file`) if you have some.\n\n";

static const char reading_unmeasured[] =
    "Outputs were not measured here. Before a file is used in earnest, run the model on inputs you know and "
    "compare.\n\n";

aq_status aq_append_reading(const json_t *root, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_buffer_append(out, reading, sizeof reading - 1, err));
  return aq_buffer_printf(out, err, "%s", aq_outputs_measured(root) ? reading_measured : reading_unmeasured);
}

aq_status aq_group_kept(const json_t *kept, json_t *groups, aq_error *err) {
  size_t i;
  json_t *t;
  json_array_foreach(kept, i, t) {
    const char *rule = aq_json_get_string(t, "rule");
    json_t *group = json_object_get(groups, rule);
    if (group == NULL) {
      AQ_TRY(aq_report_set(groups, rule, json_object(), err));
      group = json_object_get(groups, rule);
      AQ_TRY(aq_report_set(group, "first", json_string(aq_json_get_string(t, "name")), err));
    }
    const uint64_t tensors = aq_json_get_count(group, "tensors") + 1;
    const uint64_t params = aq_json_get_count(group, "params") + aq_json_get_count(t, "params");
    AQ_TRY(aq_report_set(group, "tensors", aq_json_count(tensors), err));
    AQ_TRY(aq_report_set(group, "params", aq_json_count(params), err));
  }
  return AQ_OK;
}

static bool type_passed(const json_t *root, const char *type) {
  size_t i;
  json_t *c;
  json_array_foreach(aq_json_get(root, "criteria"), i, c) {
    if (strcmp(aq_json_get_string(c, "type"), type) == 0 && !aq_json_get_flag(c, "passed")) return false;
  }
  return true;
}

/* The smallest file among the types that pass and agree at `cosine` or better; NULL when there is none. */
static const json_t *smallest(const json_t *root, double cosine) {
  const json_t *best = NULL;
  size_t i;
  json_t *entry;
  json_array_foreach(aq_json_get(root, "types"), i, entry) {
    if (!(aq_agreement(root, entry) >= cosine)) continue;
    if (!type_passed(root, aq_json_get_string(entry, "type"))) continue;
    if (best == NULL || aq_json_get_count(entry, "counted_bytes") < aq_json_get_count(best, "counted_bytes"))
      best = entry;
  }
  return best;
}

static aq_status recommend_sizes(const json_t *root, aq_buffer *out, aq_error *err) {
  static const struct {
    double cosine;
    const char *words, *purpose;
  } wishes[] = {{0.999, "0.999", "Where results should stay as they are"},
                {0.99, "0.99", "Where size counts and small changes do not matter"},
                {AQ_COSINE_EXCELLENT, "0.95", "Where size counts more than faithfulness"}};
  const json_t *last = NULL;
  for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
    const json_t *entry = smallest(root, wishes[i].cosine);
    if (entry == NULL || entry == last) continue;
    last = entry;
    char name[AQ_WORD_SIZE], bytes[AQ_WORD_SIZE], fp32[AQ_WORD_SIZE], mean[AQ_WORD_SIZE];
    AQ_TRY(aq_buffer_printf(out, err,
                            "- %s: %s, the smallest file tested whose %s agree at %s or better (%s, model / file "
                            "%s, mean cosine %s).\n",
                            wishes[i].purpose, aq_type_word(entry, name),
                            aq_outputs_measured(root) ? "outputs" : "weights", wishes[i].words,
                            aq_word_bytes(entry, "file_bytes", bytes), aq_word_fixed(entry, "file_ratio", 2, fp32),
                            aq_text_cosine(aq_agreement(root, entry), mean, sizeof mean)));
  }
  return AQ_OK;
}

/* What was measured is said, and what it means. */
static aq_status warn_of_outputs(const json_t *entry, aq_buffer *out, aq_error *err) {
  const json_t *outputs = aq_json_get(entry, "outputs");
  char name[AQ_WORD_SIZE], weights[AQ_WORD_SIZE], mean[AQ_WORD_SIZE], bits[AQ_WORD_SIZE];
  return aq_buffer_printf(out, err,
                          "- %s: %s (mean cosines %s and %s). Do not use it in the model's place as it is. At the same "
                          "size, quantizing with `target_bpw=%s` gives outputs that agree far better.\n",
                          aq_type_word(entry, name), aq_json_get_string(outputs, "verdict"),
                          aq_word_cosine(entry, "mean_cosine", weights), aq_word_cosine(outputs, "mean_cosine", mean),
                          aq_word_fixed(entry, "bits_per_weight", 2, bits));
}

static aq_status warn_of_agreement(const json_t *root, const json_t *entry, aq_buffer *out, aq_error *err) {
  const double mean = aq_agreement(root, entry);
  if (!(mean < AQ_COSINE_EXCELLENT)) return AQ_OK;
  if (aq_outputs_measured(root)) return warn_of_outputs(entry, out, err);
  char name[AQ_WORD_SIZE], word[AQ_WORD_SIZE];
  return aq_buffer_printf(out, err,
                          "- %s agrees with the model at %s (%s): expect outputs to change. Measure them first; more "
                          "bits, or smaller groups (`group_size=32`), bring the weights closer.\n",
                          aq_type_word(entry, name), aq_text_cosine(mean, word, sizeof word), aq_cosine_band(mean));
}

/* The weakest layer gets a rule of its own when it is much weaker than the rest. */
static aq_status advise_worst(const json_t *entry, aq_buffer *out, aq_error *err) {
  const json_t *worst = json_array_get(aq_json_get(aq_json_get(entry, "weights"), "worst"), 0);
  const double cosine = aq_json_get_real(worst, "cosine"), mean = aq_json_get_real(entry, "mean_cosine");
  const char *type = aq_json_get_string(entry, "type");
  /* What counts is the distance from 1: twice the usual. */
  if (!(cosine < weak_cosine) || !(1 - cosine > 2 * (1 - mean)) || strcmp(type, "int8") == 0) return AQ_OK;
  char name[AQ_WORD_SIZE], word[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "- At %s the tensor `", aq_type_word(entry, name)));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(worst, "name"), err));
  AQ_TRY(aq_buffer_printf(
      out, err, "` is much further off (%s) than the rest; give it more bits by a rule of its own: `tensor_rules='",
      aq_text_cosine(cosine, word, sizeof word)));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(worst, "name"), err));
  return aq_buffer_printf(out, err, "=%s'`.\n", strcmp(type, "int4") == 0 ? "int8" : "int4");
}

static aq_status warn_of_overhead(const json_t *entry, aq_buffer *out, aq_error *err) {
  const double file = aq_json_get_real(entry, "counted_bytes"), payload = aq_json_get_real(entry, "payload_bytes");
  if (!(file > 0) || !((file - payload) / file > large_overhead)) return AQ_OK;
  char name[AQ_WORD_SIZE], percent[AQ_WORD_SIZE];
  return aq_buffer_printf(
      out, err,
      "- %s %% of the %s file, model files left out, is not weights but metadata: this model is small, or made of many "
      "small tensors.\n",
      aq_text_fixed(100.0 * (file - payload) / file, 1, percent, sizeof percent), aq_type_word(entry, name));
}

static aq_status explain_failure(const json_t *c, aq_buffer *out, aq_error *err) {
  const char *unit = aq_json_get_string(c, "unit");
  const char *advice = "verify the table (which stays with `keep_tables=true`) with `deep=true`";
  if (strcmp(unit, "x") == 0) advice = "see what was kept above; more of the model quantized, or fewer bits, shrink it";
  if (strcmp(unit, "s") == 0) advice = "give it more `threads`, or a machine that is not busy";
  if (strcmp(unit, "") == 0 || strcmp(unit, "%") == 0) {
    advice =
        "quantize with smaller groups (`group_size=32`), or keep the tensors that are furthest "
        "off "
        "(`keep_patterns`)";
  }
  char measured[AQ_WORD_SIZE], limit[AQ_WORD_SIZE];
  return aq_buffer_printf(out, err, "- `%s` failed (%s, limit %s %s): %s.\n", aq_json_get_string(c, "id"),
                          aq_criterion_word(c, "measured", measured), aq_json_get_string(c, "comparison"),
                          aq_criterion_word(c, "limit", limit), advice);
}

aq_status aq_append_recommendations(const json_t *root, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_buffer_printf(out, err, "## Recommendations\n\n"));
  const size_t before = out->size;
  size_t i;
  json_t *item;
  json_array_foreach(aq_json_get(root, "criteria"), i, item) {
    if (!aq_json_get_flag(item, "passed")) AQ_TRY(explain_failure(item, out, err));
  }
  AQ_TRY(recommend_sizes(root, out, err));
  json_array_foreach(aq_json_get(root, "types"), i, item) {
    AQ_TRY(warn_of_agreement(root, item, out, err));
    AQ_TRY(advise_worst(item, out, err));
    AQ_TRY(warn_of_overhead(item, out, err));
  }
  if (out->size == before) AQ_TRY(aq_buffer_printf(out, err, "None.\n"));
  return aq_buffer_append_byte(out, '\n', err);
}
