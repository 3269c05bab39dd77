/* render_generate.c - what a decoder wrote. */
#include "report/render.h"
#include "report/report.h"

void aq_render_generate(const json_t *root, aq_document *document) {
  aq_document_add(document, AQ_PARAGRAPH, root, "{text}");
  aq_document_gap(document);
  aq_document_add(document, AQ_PARAGRAPH, root,
                  "{tokens:count} token{tokens:s} after a prompt of {prompt_tokens:count}, ended by {stopped_by}; "
                  "{tokens_per_second:.1} tokens per second, prompt read in {prompt_seconds:seconds}");
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(root, "notes"));
}
