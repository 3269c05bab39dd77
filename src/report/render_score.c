/* render_score.c - the result of scoring pairs. */
#include "report/render.h"
#include "report/report.h"

void aq_render_score(const json_t *root, aq_document *document) {
  aq_document_add(document, AQ_PARAGRAPH, root,
                  "{pairs:count} pair{pairs:s}, {labels} label{labels:s}, activation {activation}");
  aq_document_add(document, AQ_PARAGRAPH, root,
                  "{seconds:seconds}, {pairs_per_second:.0} pairs per second, computed in {compute}");
}
