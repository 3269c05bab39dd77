/* render.h - the content of each kind of report: a function fills a document from the report's JSON. */
#ifndef AQ_REPORT_RENDER_H
#define AQ_REPORT_RENDER_H

#include "report/document.h"

/* void aq_render_KIND(const json_t *root, aq_document *document) for each kind. */
#define AQ_KIND(kind) void aq_render_##kind(const json_t *root, aq_document *document);
#include "report/render_kinds.inc"
#undef AQ_KIND

/* What a search for a target did (REPORTS.md, "search"); nothing when there was none. */
void aq_render_search(const json_t *search, aq_document *document);

#endif
