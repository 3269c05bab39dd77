/* text_table.h - rows of words in aligned columns, as plain text or as a Markdown table. */
#ifndef AQ_REPORT_TEXT_TABLE_H
#define AQ_REPORT_TEXT_TABLE_H

#include "arrowquant.h"
#include "core/buffer.h"

/* Cells are copied one after another, zero-terminated. A failure is kept and reported by the render call, so that
 * filling a table needs no checks. */
typedef struct aq_text_table {
  const char *align; /* one character a column: l or r */
  size_t columns;
  size_t cell_count;
  aq_buffer cells;
  aq_status status;
} aq_text_table;

/* align, e.g. "lrr", has one letter a column and lives as long as the table. The first row is the heading. */
void aq_text_table_init(aq_text_table *table, const char *align);
/* The next cell, row by row. Control characters become '?': names come from files and end on terminals. */
void aq_text_table_add(aq_text_table *table, const char *text);
/* A whole row at once: `columns` strings. */
void aq_text_table_row(aq_text_table *table, const char *const *cells);
/* Text: two spaces between the columns, `indent` before each line. Both free the table. */
AQ_MUST_CHECK aq_status aq_text_table_text(aq_text_table *table, int indent, aq_buffer *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_text_table_markdown(aq_text_table *table, aq_buffer *out, aq_error *err);
void aq_text_table_reset(aq_text_table *table);

/* Appends text, control characters replaced by '?'. */
AQ_MUST_CHECK aq_status aq_text_append_clean(aq_buffer *out, const char *text, aq_error *err);

#endif
