/* render_embed.c - the result of embedding texts. */
#include "report/render.h"
#include "report/report.h"

void aq_render_embed(const json_t *root, aq_document *document) {
  const bool has_output = aq_json_get_string(root, "output")[0] != '\0';
  aq_document_add(document, AQ_PARAGRAPH, root, "{texts:count} text{texts:s}, {dimension:count} dimensions");
  if (has_output) aq_document_append(document, root, ", in `{output}`");
  aq_document_add(document, AQ_PARAGRAPH, root,
                  "{seconds:seconds}, {texts_per_second:.0} texts per second, computed in {compute}");
}
