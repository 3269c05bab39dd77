/* text_table.c - aligned columns.
 *
 * A column is as wide as its widest cell, counted in code points: right for the names that occur in models, off by the
 * difference for scripts whose letters are two columns wide. */
#include "report/text_table.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"

void aq_text_table_init(aq_text_table *table, const char *align) {
  *table = (aq_text_table){.align = align, .columns = strlen(align)};
}

void aq_text_table_reset(aq_text_table *table) {
  aq_buffer_reset(&table->cells);
  table->cell_count = 0;
}

/* C0, DEL, and the C1 characters U+0080..U+009F, which some terminals obey too. */
static size_t control_length(const unsigned char *s) {
  if (s[0] < 0x20 || s[0] == 0x7F) return 1;
  return s[0] == 0xC2 && s[1] >= 0x80 && s[1] <= 0x9F ? 2 : 0;
}

aq_status aq_text_append_clean(aq_buffer *out, const char *text, aq_error *err) {
  const unsigned char *s = (const unsigned char *)text;
  while (*s != '\0') {
    const size_t control = control_length(s);
    AQ_TRY(aq_buffer_append_byte(out, control > 0 ? '?' : *s, err));
    s += control > 0 ? control : 1;
  }
  return AQ_OK;
}

void aq_text_table_add(aq_text_table *table, const char *text) {
  if (table->status == AQ_OK) table->status = aq_text_append_clean(&table->cells, text, NULL);
  if (table->status == AQ_OK) table->status = aq_buffer_append_byte(&table->cells, '\0', NULL);
  table->cell_count++;
}

void aq_text_table_row(aq_text_table *table, const char *const *cells) {
  for (size_t i = 0; i < table->columns; i++) aq_text_table_add(table, cells[i]);
}

static size_t code_points(const char *text) {
  size_t n = 0;
  for (; *text != '\0'; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
  return n;
}

static aq_status append_spaces(aq_buffer *out, size_t n, aq_error *err) {
  for (size_t i = 0; i < n; i++) AQ_TRY(aq_buffer_append_byte(out, ' ', err));
  return AQ_OK;
}

static aq_status append_text_row(const aq_text_table *table, const size_t *widths, const char **cell, aq_buffer *out,
                                 aq_error *err) {
  for (size_t c = 0; c < table->columns; c++) {
    const size_t padding = widths[c] - code_points(*cell);
    if (c > 0) AQ_TRY(append_spaces(out, 2, err));
    if (table->align[c] == 'r') AQ_TRY(append_spaces(out, padding, err));
    AQ_TRY(aq_buffer_append(out, *cell, strlen(*cell), err));
    if (table->align[c] != 'r' && c + 1 < table->columns) AQ_TRY(append_spaces(out, padding, err));
    *cell += strlen(*cell) + 1;
  }
  return aq_buffer_append_byte(out, '\n', err);
}

static aq_status append_text(const aq_text_table *table, int indent, aq_buffer *out, aq_error *err) {
  size_t *widths = aq_calloc(table->columns, sizeof *widths);
  if (widths == NULL) return aq_fail_memory(err, table->columns * sizeof *widths);
  const char *cell = (const char *)table->cells.data;
  for (size_t i = 0; i < table->cell_count; i++) {
    const size_t width = code_points(cell);
    if (width > widths[i % table->columns]) widths[i % table->columns] = width;
    cell += strlen(cell) + 1;
  }
  cell = (const char *)table->cells.data;
  aq_status status = AQ_OK;
  for (size_t row = 0; row < table->cell_count / table->columns && status == AQ_OK; row++) {
    status = append_spaces(out, (size_t)indent, err);
    if (status == AQ_OK) status = append_text_row(table, widths, &cell, out, err);
  }
  aq_free(widths);
  return status;
}

aq_status aq_text_table_text(aq_text_table *table, int indent, aq_buffer *out, aq_error *err) {
  const aq_status status = table->status == AQ_OK ? append_text(table, indent, out, err)
                                                  : aq_fail(err, table->status, "out of memory for a table");
  aq_text_table_reset(table);
  return status;
}

/* A bar ends a cell of a Markdown table, a backslash before it does not. */
static aq_status append_escaped(aq_buffer *out, const char *cell, aq_error *err) {
  for (; *cell != '\0'; cell++) {
    if (*cell == '|') AQ_TRY(aq_buffer_append_byte(out, '\\', err));
    AQ_TRY(aq_buffer_append_byte(out, (uint8_t)*cell, err));
  }
  return AQ_OK;
}

static aq_status append_markdown(const aq_text_table *table, aq_buffer *out, aq_error *err) {
  const char *cell = (const char *)table->cells.data;
  for (size_t row = 0; row < table->cell_count / table->columns; row++) {
    for (size_t c = 0; c < table->columns; c++) {
      AQ_TRY(aq_buffer_append(out, "| ", 2, err));
      AQ_TRY(append_escaped(out, cell, err));
      AQ_TRY(aq_buffer_append_byte(out, ' ', err));
      cell += strlen(cell) + 1;
    }
    AQ_TRY(aq_buffer_append(out, "|\n", 2, err));
    if (row > 0) continue;
    for (size_t c = 0; c < table->columns; c++) {
      AQ_TRY(aq_buffer_printf(out, err, "|%s", table->align[c] == 'r' ? "---:" : "---"));
    }
    AQ_TRY(aq_buffer_append(out, "|\n", 2, err));
  }
  return AQ_OK;
}

aq_status aq_text_table_markdown(aq_text_table *table, aq_buffer *out, aq_error *err) {
  const aq_status status = table->status == AQ_OK ? append_markdown(table, out, err)
                                                  : aq_fail(err, table->status, "out of memory for a table");
  aq_text_table_reset(table);
  return status;
}
