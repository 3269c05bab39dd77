/* render_perplexity.c - how well a language model predicts a text, and how far it is from its reference. */
#include "report/output_kind.h"
#include "report/render.h"
#include "report/report.h"

static void add_divergence(const json_t *root, aq_document *document) {
  const json_t *divergence = aq_json_get(root, "divergence");
  aq_document_pair(document, "perplexity of the reference", aq_json_get(root, "reference_perplexity"),
                   "{value:.3} +- {error:.3}");
  aq_document_pair(
      document, "KL divergence, nats per token", divergence,
      "mean **{mean:.5}**, median {median:.5}, p90 {p90:.4}, p99 {p99:.4}, p99.9 {p99_9:.3}, max {max:.3}");
  aq_document_pair(document, "same first choice", divergence, "**{top_agreement:.4}** of the positions");
  aq_document_pair(document, "flips", divergence, "{flips:.4} of the positions: one of the two is right");
  aq_document_gap(document);
  aq_add_divergence_buckets(divergence, document);
  aq_document_gap(document);
}

void aq_render_perplexity(const json_t *root, aq_document *document) {
  const json_t *texts = aq_json_get(root, "texts");
  aq_document_pair(document, "model", root, "`{model.path}`");
  if (aq_json_get(root, "reference") != NULL) aq_document_pair(document, "reference", root, "`{reference.path}`");
  aq_document_pair(document, "text", texts,
                   "{source}: {windows:count} window{windows:s} of {window:count} tokens, {positions:count} positions "
                   "counted (the second half of each window)");
  aq_document_pair(document, "perplexity", aq_json_get(root, "perplexity"), "**{value:.3}** +- {error:.3}");
  if (aq_json_get(root, "divergence") != NULL) add_divergence(root, document);
  aq_document_pair(document, "time", root, "{seconds:seconds}, {tokens_per_second:.0} tokens per second");
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(aq_json_get(root, "model"), "runtime_notes"));
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(aq_json_get(root, "model"), "notes"));
}
