/* render_search.c - what a search for a size or a similarity did. */
#include <math.h>

#include "core/error.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"

/* "300 held-out texts", with thousands separated. */
static aq_status append_calibration(const json_t *calibration, aq_buffer *out, aq_error *err) {
  char texts[AQ_WORD_SIZE], tokens[AQ_WORD_SIZE], seconds[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "calibrated on %s texts, %s tokens (", aq_word_count(calibration, "texts", texts),
                          aq_word_count(calibration, "tokens", tokens)));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(calibration, "texts_from"), err));
  const bool gathered = aq_json_get_real(calibration, "seconds") > 0;
  return aq_buffer_printf(out, err, gathered ? ", %s)\n" : "; statistics read)\n",
                          aq_word_seconds(calibration, "seconds", seconds));
}

static aq_status append_not_run(const char *why, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_buffer_printf(out, err, "the model was not run%s", why != NULL ? " (" : ""));
  if (why != NULL) AQ_TRY(aq_text_append_clean(out, why, err));
  return aq_buffer_printf(
      out, err,
      "%s: the plan follows from the tensors alone (data-free)\n"
      "outputs were not measured: compare those of the original and of this file before you use it\n",
      why != NULL ? ")" : "");
}

static aq_status append_similarity(const json_t *search, aq_buffer *out, aq_error *err) {
  char now[AQ_WORD_SIZE], before[AQ_WORD_SIZE], other[AQ_WORD_SIZE], held[AQ_WORD_SIZE];
  if (!isfinite(aq_json_get_real(search, "similarity"))) return AQ_OK;
  return aq_buffer_printf(
      out, err,
      "embeddings agree with the original's to %s on %s held-out texts (%s before norms were adjusted), %s on "
      "others\n",
      aq_word_fixed(search, "similarity", 5, now),
      aq_word_count(aq_json_get(search, "calibration"), "held_out_texts", held),
      aq_word_fixed(search, "similarity_before_repair", 5, before),
      aq_word_fixed(search, "similarity_on_other_texts", 5, other));
}

static aq_status append_tuning(const json_t *tuning, aq_buffer *out, aq_error *err) {
  char steps[AQ_WORD_SIZE], before[AQ_WORD_SIZE], after[AQ_WORD_SIZE];
  if (!json_is_object(tuning)) return AQ_OK;
  return aq_buffer_printf(
      out, err, "tuned for %s steps: loss on held-out texts %s -> %s%s\n", aq_word_count(tuning, "steps", steps),
      aq_word_fixed(tuning, "loss_before", 6, before), aq_word_fixed(tuning, "loss_after", 6, after),
      json_is_true(aq_json_get(tuning, "accepted"))    ? ""
      : json_is_true(aq_json_get(tuning, "too_large")) ? "; codes grew past the target, so not taken"
                                                       : "; not better, so not taken");
}

aq_status aq_render_search_text(const json_t *search, aq_buffer *out, aq_error *err) {
  if (!json_is_object(search)) return AQ_OK;
  const json_t *calibration = aq_json_get(search, "calibration");
  if (!json_is_object(calibration)) return append_not_run(json_string_value(aq_json_get(search, "reason")), out, err);
  AQ_TRY(append_calibration(calibration, out, err));
  AQ_TRY(append_similarity(search, out, err));
  AQ_TRY(aq_render_notes(aq_json_get(search, "notes"), "", out, err));
  return append_tuning(aq_json_get(search, "tuning"), out, err);
}
