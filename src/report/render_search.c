/* render_search.c - what a search for a size or a similarity did. */
#include <math.h>

#include "report/render.h"
#include "report/report.h"

static void add_calibration(const json_t *calibration, aq_document *document) {
  const bool is_read = json_is_string(aq_json_get(calibration, "statistics_from"));
  aq_document_add(document, AQ_PARAGRAPH, calibration, "calibrated on {texts:count} texts, {tokens:count} tokens");
  aq_document_append(document, calibration,
                     is_read ? ", by the statistics in `{statistics_from}`; held-out texts of `{held_out_from}`"
                             : " (`{texts_from}`, {seconds:seconds})");
  const json_t *written = aq_json_get(calibration, "written");
  if (!json_is_object(written)) return;
  aq_document_add(
      document, AQ_PARAGRAPH, written,
      "texts that the model wrote itself: {windows:count} windows, {tokens:count} tokens, seed {seed:count}, "
      "hash {hash}; the first begins `{beginning}`");
}

static void add_not_run(const json_t *search, aq_document *document) {
  const bool has_reason = json_is_string(aq_json_get(search, "reason"));
  aq_document_add(document, AQ_PARAGRAPH, search, "the model was not run");
  if (has_reason) aq_document_append(document, search, " ({reason})");
  aq_document_append(document, search, ": the plan follows from the tensors alone (data-free)");
  aq_document_add(document, AQ_PARAGRAPH, search,
                  "outputs were not measured: compare those of the original and of this file before you use it");
}

static void add_similarity(const json_t *search, aq_document *document) {
  if (!isfinite(aq_json_get_real(search, "similarity"))) return;
  aq_document_add(document, AQ_PARAGRAPH, search,
                  "mean cosine of the embeddings to the original's: {similarity:.5} on "
                  "{calibration.held_out_texts:count} held-out texts");
  const bool is_repaired = isfinite(aq_json_get_real(search, "similarity_before_repair"));
  aq_document_append(document, search,
                     is_repaired ? " ({similarity_before_repair:.5} before bias correction)"
                                 : " (without bias correction, for which the model has no shifts)");
  aq_document_append(document, search, ", {similarity_on_other_texts:.5} on the built-in texts");
}

static void add_divergence(const json_t *search, aq_document *document) {
  if (!isfinite(aq_json_get_real(search, "divergence"))) return;
  aq_document_add(document, AQ_PARAGRAPH, search,
                  "KL divergence from the original's predictions, in nats per token: {divergence:.4} on "
                  "{calibration.held_out_texts:count} held-out windows, {divergence_on_other_texts:.4} on other texts");
}

static void add_tuning(const json_t *tuning, aq_document *document) {
  if (!json_is_object(tuning)) return;
  aq_document_add(document, AQ_PARAGRAPH, tuning,
                  "tuned for {steps:count} steps: loss on held-out texts {loss_before:.6} -> {loss_after:.6}");
  if (aq_json_get_flag(tuning, "accepted")) return;
  aq_document_append(document, tuning,
                     aq_json_get_flag(tuning, "too_large") ? "; rejected, as the codes no longer meet the target"
                                                           : "; rejected, as the loss did not fall");
}

void aq_render_search(const json_t *search, aq_document *document) {
  if (!json_is_object(search)) return;
  const json_t *calibration = aq_json_get(search, "calibration");
  if (!json_is_object(calibration)) {
    add_not_run(search, document);
    return;
  }
  add_calibration(calibration, document);
  add_similarity(search, document);
  add_divergence(search, document);
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(search, "notes"));
  add_tuning(aq_json_get(search, "tuning"), document);
}
