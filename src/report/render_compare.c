/* render_compare.c - agreement of two sources: a line a tensor, then what it comes to. */
#include "core/error.h"
#include "report/outputs_words.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"

enum { NAMES_SHOWN = 10 };

/* "equal" rather than an infinite ratio. */
static const char *snr_word(const json_t *figures, char *out) {
  return aq_json_get_flag(figures, "equal") ? "equal" : aq_word_fixed(figures, "snr_db", 2, out);
}

/* Errors span many magnitudes. */
static const char *error_word(const json_t *figures, const char *key, char *out) {
  return aq_text_scientific(aq_json_get_real(figures, key), out, AQ_WORD_SIZE);
}

static aq_status append_tensors(const json_t *tensors, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "lllrrrrr");
  aq_text_table_row(&table, (const char *const[]){"tensor", "shape", "stored as", "cosine", "SNR dB", "rmse",
                                                  "max error", "norm ratio"});
  size_t i;
  json_t *t;
  json_array_foreach(tensors, i, t) {
    char shape[256], cosine[AQ_WORD_SIZE], snr[AQ_WORD_SIZE], rmse[AQ_WORD_SIZE], most[AQ_WORD_SIZE];
    char ratio[AQ_WORD_SIZE];
    aq_text_table_row(
        &table, (const char *const[]){aq_json_get_string(t, "name"),
                                      aq_shape_of_json(aq_json_get(t, "shape"), shape, sizeof shape),
                                      aq_json_get_string(t, "stored_as"), aq_word_cosine(t, "cosine", cosine),
                                      snr_word(t, snr), error_word(t, "rmse", rmse),
                                      error_word(t, "max_abs_error", most), aq_word_fixed(t, "norm_ratio", 4, ratio)});
  }
  return aq_text_table_text(&table, 0, out, err);
}

static aq_status append_distribution(const char *what, const json_t *d, aq_buffer *out, aq_error *err) {
  if (aq_json_get_count(d, "tensors") == 0) return AQ_OK;
  char n[AQ_WORD_SIZE], mean[AQ_WORD_SIZE], min[AQ_WORD_SIZE], p5[AQ_WORD_SIZE], p50[AQ_WORD_SIZE];
  return aq_buffer_printf(out, err, "cosine of %s tensors (%s): mean %s, min %s, p5 %s, median %s\n", what,
                          aq_word_count(d, "tensors", n), aq_word_cosine(d, "mean", mean),
                          aq_word_cosine(d, "min", min), aq_word_cosine(d, "p5", p5), aq_word_cosine(d, "p50", p50));
}

static aq_status append_totals(const json_t *totals, aq_buffer *out, aq_error *err) {
  char tensors[AQ_WORD_SIZE], params[AQ_WORD_SIZE], equal[AQ_WORD_SIZE], cosine[AQ_WORD_SIZE], snr[AQ_WORD_SIZE];
  char rmse[AQ_WORD_SIZE], most[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "%s tensors, %s parameters; %s tensors are equal\n",
                          aq_word_count(totals, "tensors", tensors), aq_word_count(totals, "params", params),
                          aq_word_count(totals, "equal_tensors", equal)));
  if (aq_json_get_count(totals, "params") == 0) return aq_buffer_printf(out, err, "nothing was compared\n");
  if (json_is_number(aq_json_get(totals, "cosine"))) {
    AQ_TRY(aq_buffer_printf(out, err, "over all weights: cosine %s, SNR %s%s, rmse %s, largest error %s\n",
                            aq_word_cosine(totals, "cosine", cosine), snr_word(totals, snr),
                            aq_json_get_flag(totals, "equal") ? "" : " dB", error_word(totals, "rmse", rmse),
                            error_word(totals, "max_abs_error", most)));
  } else {
    AQ_TRY(aq_buffer_printf(out, err, "over all weights: no figures, as no floating-point value is finite in both\n"));
  }
  const uint64_t nonfinite = aq_json_get_count(totals, "nonfinite");
  if (nonfinite == 0) return AQ_OK;
  return aq_buffer_printf(out, err, "%llu elements are NaN or infinite and left out; %llu of them do not agree\n",
                          (unsigned long long)nonfinite,
                          (unsigned long long)aq_json_get_count(totals, "nonfinite_mismatch"));
}

static aq_status append_worst(const json_t *root, aq_buffer *out, aq_error *err) {
  size_t i;
  json_t *t;
  json_array_foreach(aq_json_get(root, "worst"), i, t) {
    char cosine[AQ_WORD_SIZE], snr[AQ_WORD_SIZE];
    if (i == 0) AQ_TRY(aq_buffer_printf(out, err, "furthest from the reference:\n"));
    AQ_TRY(aq_buffer_printf(out, err, "  %s  %s%s  ", aq_word_cosine(t, "cosine", cosine), snr_word(t, snr),
                            aq_json_get_flag(t, "equal") ? "" : " dB"));
    AQ_TRY(aq_text_append_clean(out, aq_json_get_string(t, "name"), err));
    AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  }
  return AQ_OK;
}

/* Tensors without a partner. */
static aq_status append_unpaired(const json_t *root, const char *key, const char *what, aq_buffer *out, aq_error *err) {
  const json_t *list = aq_json_get(root, key);
  const size_t count = json_array_size(list);
  if (count == 0) return AQ_OK;
  AQ_TRY(aq_buffer_printf(out, err, "%s (%zu):", what, count));
  for (size_t i = 0; i < count && i < NAMES_SHOWN; i++) {
    const json_t *entry = json_array_get(list, i);
    const char *name = json_is_string(entry) ? json_string_value(entry) : aq_json_get_string(entry, "name");
    AQ_TRY(aq_buffer_append_byte(out, ' ', err));
    AQ_TRY(aq_text_append_clean(out, name, err));
  }
  return aq_buffer_printf(out, err, "%s\n", count > NAMES_SHOWN ? " ..." : "");
}

static aq_status append_verdict(const json_t *root, aq_buffer *out, aq_error *err) {
  AQ_TRY(append_unpaired(root, "missing", "MISSING", out, err));
  AQ_TRY(append_unpaired(root, "extra", "NOT IN THE REFERENCE", out, err));
  AQ_TRY(append_unpaired(root, "shape_mismatch", "OF ANOTHER SHAPE", out, err));
  AQ_TRY(append_unpaired(root, "bytes_differ", "OTHER BYTES", out, err));
  const uint64_t opaque = aq_json_get_count(root, "compared_as_bytes");
  if (opaque > 0)
    AQ_TRY(aq_buffer_printf(out, err, "%llu tensors of dtypes that cannot be read as numbers: compared as bytes\n",
                            (unsigned long long)opaque));
  if (!json_is_number(aq_json_get(root, "min_cosine"))) return AQ_OK;
  char mean[AQ_WORD_SIZE], limit[AQ_WORD_SIZE];
  return aq_buffer_printf(out, err, "%s: mean cosine %s, asked for at least %s\n",
                          aq_json_get_flag(root, "passed") ? "PASSED" : "FAILED",
                          aq_word_cosine(root, "mean_cosine", mean), aq_word_fixed(root, "min_cosine", 6, limit));
}

aq_status aq_render_compare_text(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *cosine = aq_json_get(root, "cosine");
  AQ_TRY(append_tensors(aq_json_get(root, "tensors"), out, err));
  AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  AQ_TRY(append_totals(aq_json_get(root, "totals"), out, err));
  AQ_TRY(append_distribution("all", aq_json_get(cosine, "all"), out, err));
  AQ_TRY(append_distribution("quantized", aq_json_get(cosine, "quantized"), out, err));
  AQ_TRY(append_worst(root, out, err));
  AQ_TRY(aq_append_compared_outputs(root, out, err));
  AQ_TRY(aq_render_notes(aq_json_get(aq_json_get(root, "reference"), "notes"), "reference: ", out, err));
  AQ_TRY(aq_render_notes(aq_json_get(aq_json_get(root, "other"), "notes"), "other: ", out, err));
  return append_verdict(root, out, err);
}
