/* outputs_words.c - agreement of outputs in words, whatever kind of outputs they are; the table of kinds. */
#include "report/outputs_words.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "report/report.h"

static const aq_output_kind *const kinds[] = {&aq_embeddings_words, &aq_predictions_words, &aq_scores_words};

/* The first where no name is given: a report of an earlier version. */
static const aq_output_kind *find_kind(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    if (strcmp(kinds[i]->name, name) == 0) return kinds[i];
  }
  return kinds[0];
}

static const aq_output_kind *kind_of(const json_t *root) {
  return find_kind(aq_json_get_string(aq_json_get(root, "outputs"), "model_kind"));
}

/* ---- verdicts ---- */

static const double weights_agree = 0.85; /* "good", as value_formats.c has it */

const char *aq_outputs_verdict(const char *model_kind, double weights, double figure) {
  const aq_output_kind *kind = find_kind(model_kind);
  if (isnan(figure)) return "-";
  if (aq_agreement_holds(&kind->scale, figure, kind->agree)) return "outputs agree";
  if (aq_agreement_holds(&kind->scale, figure, kind->agree_roughly)) return "outputs agree roughly";
  return weights >= weights_agree ? "weights agree, outputs do not" : "neither weights nor outputs agree";
}

bool aq_outputs_measured(const json_t *root) { return aq_json_get_flag(aq_json_get(root, "outputs"), "measured"); }

static double weights_cosine(const json_t *entry) { return aq_json_get_real(entry, "mean_cosine"); }

static const aq_agreement_scale weights_scale = {
    .figure = weights_cosine,
    .levels = {0.999, 0.99, 0.95},
    .words = {"that agrees at 0.999 or better by its weights", "that agrees at 0.99 or better by its weights",
              "that agrees at 0.95 or better by its weights"},
    .found = "mean cosine {mean_cosine:cosine}",
    .warning =
        "{type:upper} agrees with the model at {mean_cosine:cosine} ({mean_cosine:band}): expect outputs to "
        "change. Measure them first; more bits, or smaller groups (`group_size=32`), bring the weights closer."};

const aq_agreement_scale *aq_agreement_scale_of(const json_t *root) {
  return aq_outputs_measured(root) ? &kind_of(root)->scale : &weights_scale;
}

double aq_agreement(const json_t *root, const json_t *entry) { return aq_agreement_scale_of(root)->figure(entry); }

/* ---- a comparison, a validation ---- */

/* True when there are figures; else the reason is in the document. */
static bool add_reason(const json_t *root, aq_document *document) {
  if (aq_outputs_measured(root)) return true;
  aq_document_add(document, AQ_PARAGRAPH, aq_json_get(root, "outputs"), "outputs were not measured: {reason}");
  return false;
}

void aq_add_compared_outputs(const json_t *root, aq_document *document) {
  const json_t *outputs = aq_json_get(root, "outputs");
  if (!json_is_object(outputs) || !add_reason(root, document)) return;
  aq_document_add(document, AQ_PARAGRAPH, outputs, "outputs on ");
  kind_of(root)->append_texts(outputs, document);
  aq_document_append(document, outputs, ": {verdict}");
  kind_of(root)->add_compared(outputs, document);
  aq_document_list(document, AQ_ITEM, "note: ", aq_json_get(outputs, "notes"));
}

void aq_add_validated_outputs(const json_t *root, aq_document *document) {
  const json_t *outputs = aq_json_get(root, "outputs");
  if (!add_reason(root, document)) return;
  kind_of(root)->add_table(root, document);
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(outputs, "notes"));
  document->page_only = true;
  kind_of(root)->add_legend(root, document);
  kind_of(root)->add_details(root, document);
  document->page_only = false;
}
