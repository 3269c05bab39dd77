/* writers.h - the forms of a document. A writer lays blocks out and escapes what stands in them: names come from files
 * and end on terminals and pages. */
#ifndef AQ_REPORT_WRITERS_H
#define AQ_REPORT_WRITERS_H

#include "report/document.h"

/* For a terminal: aligned columns, no details, control characters as '?'. */
AQ_MUST_CHECK aq_status aq_write_text(const aq_document *document, aq_buffer *out, aq_error *err);

/* A page of GitHub's Markdown: the verdict first, then all blocks. Control characters are '?' here too. */
AQ_MUST_CHECK aq_status aq_write_markdown(const aq_document *document, aq_buffer *out, aq_error *err);

/* What both do to bytes that are not theirs: control characters become '?'. */
AQ_MUST_CHECK aq_status aq_append_clean(const uint8_t *bytes, size_t size, aq_buffer *out, aq_error *err);

#endif
