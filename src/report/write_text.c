/* write_text.c - a document on a terminal: a line a block, aligned columns, without details.
 *
 * A column is as wide as its widest cell, counted in code points: right for the names that occur in models, off by the
 * difference for scripts whose letters are two columns wide. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/writers.h"

typedef struct text_writer {
  const aq_document *document;
  const aq_node *nodes;
  size_t count;
  size_t name_width; /* of the pairs that stand together; 0 before the first of them */
  aq_buffer *out;
  aq_error *err;
} text_writer;

/* C0, DEL, and the C1 characters U+0080..U+009F, which some terminals obey too. */
static size_t control_length(const uint8_t *bytes, size_t size) {
  if (bytes[0] < 0x20 || bytes[0] == 0x7F) return 1;
  return size > 1 && bytes[0] == 0xC2 && bytes[1] >= 0x80 && bytes[1] <= 0x9F ? 2 : 0;
}

aq_status aq_append_clean(const uint8_t *bytes, size_t size, aq_buffer *out, aq_error *err) {
  for (size_t i = 0; i < size;) {
    const size_t control = control_length(bytes + i, size - i);
    AQ_TRY(aq_buffer_append_byte(out, control > 0 ? '?' : bytes[i], err));
    i += control > 0 ? control : 1;
  }
  return AQ_OK;
}

static const uint8_t *bytes_of(const text_writer *w, const aq_node *span) {
  return w->document->text.data + span->start;
}

/* A control character is one '?', so that widths are those of the source. */
static size_t count_code_points(const text_writer *w, const aq_node *span) {
  size_t n = 0;
  for (size_t i = 0; i < span->size; i++) n += (bytes_of(w, span)[i] & 0xC0) != 0x80;
  return n;
}

static aq_status append_spaces(text_writer *w, size_t n) {
  for (size_t i = 0; i < n; i++) AQ_TRY(aq_buffer_append_byte(w->out, ' ', w->err));
  return AQ_OK;
}

static aq_status append_span(text_writer *w, const aq_node *span) {
  return aq_append_clean(bytes_of(w, span), span->size, w->out, w->err);
}

static aq_status append_spans(text_writer *w, size_t i) {
  const size_t end = aq_end_of_spans(w->document, i);
  for (size_t s = i + 1; s < end; s++) AQ_TRY(append_span(w, &w->nodes[s]));
  return AQ_OK;
}

/* ---- pairs ---- */

/* Of a run of pairs, which what is for the page alone ends as well. */
static bool is_of_pairs(const aq_node *node) { return node->kind == AQ_PAIR || node->kind == AQ_ITEM; }

/* Values of pairs that stand together, with items between them or not, begin in one column. */
static size_t find_name_width(const text_writer *w, size_t i) {
  size_t widest = 0;
  for (; i < w->count && is_of_pairs(&w->nodes[i]); i = aq_end_of_spans(w->document, i)) {
    const size_t width =
        w->nodes[i].kind == AQ_PAIR && !w->nodes[i].page_only ? count_code_points(w, &w->nodes[i + 1]) : 0;
    if (width > widest) widest = width;
  }
  return widest;
}

static aq_status append_pair(text_writer *w, size_t i) {
  if (w->name_width == 0) w->name_width = find_name_width(w, i);
  const size_t end = aq_end_of_spans(w->document, i), width = count_code_points(w, &w->nodes[i + 1]);
  AQ_TRY(append_span(w, &w->nodes[i + 1]));
  AQ_TRY(append_spaces(w, w->name_width - width + 2));
  for (size_t s = i + 2; s < end; s++) AQ_TRY(append_span(w, &w->nodes[s]));
  return AQ_OK;
}

/* ---- tables ---- */

static size_t cell_width(const text_writer *w, size_t cell) {
  const size_t end = aq_end_of_spans(w->document, cell);
  size_t width = 0;
  for (size_t s = cell + 1; s < end; s++) width += count_code_points(w, &w->nodes[s]);
  return width;
}

typedef struct column {
  const aq_node *heading;
  size_t width;
} column;

/* Columns of details are left out; the last of the others has no spaces after it. */
static aq_status append_row(text_writer *w, const column *columns, size_t count, size_t *cell) {
  size_t padding = 0;
  bool is_first = true;
  for (size_t c = 0; c < count; c++, *cell = aq_end_of_spans(w->document, *cell)) {
    if (columns[c].heading->page_only) continue;
    const bool is_right = columns[c].heading->align == 'r';
    const size_t missing = columns[c].width - cell_width(w, *cell);
    AQ_TRY(append_spaces(w, padding + (is_first ? 0 : 2) + (is_right ? missing : 0)));
    AQ_TRY(append_spans(w, *cell));
    padding = is_right ? 0 : missing;
    is_first = false;
  }
  return aq_buffer_append_byte(w->out, '\n', w->err);
}

static aq_status append_rows(text_writer *w, size_t table, column *columns) {
  const size_t count = w->nodes[table].columns, end = aq_end_of_table(w->document, table);
  size_t cells = 0;
  for (size_t i = table + 1; i < end; i = aq_end_of_spans(w->document, i), cells++) {
    column *c = &columns[cells % count];
    const size_t width = cell_width(w, i);
    if (c->heading == NULL) c->heading = &w->nodes[i];
    if (width > c->width) c->width = width;
  }
  size_t cell = table + 1;
  for (size_t row = 0; row < cells / count; row++) {
    AQ_TRY(append_spaces(w, (size_t)w->nodes[table].indent));
    AQ_TRY(append_row(w, columns, count, &cell));
  }
  return AQ_OK;
}

static aq_status append_table(text_writer *w, size_t table) {
  const size_t count = w->nodes[table].columns;
  column *columns = aq_calloc(count, sizeof *columns);
  if (columns == NULL) return aq_fail_memory(w->err, count * sizeof *columns);
  const aq_status status = append_rows(w, table, columns);
  aq_free(columns);
  return status;
}

/* ---- blocks ---- */

static aq_status append_block(text_writer *w, size_t i) {
  const aq_node_kind kind = w->nodes[i].kind;
  if (kind == AQ_TABLE) return append_table(w, i);
  if (kind == AQ_ITEM) AQ_TRY(append_spaces(w, 2));
  AQ_TRY(kind == AQ_PAIR ? append_pair(w, i) : append_spans(w, i));
  return aq_buffer_append_byte(w->out, '\n', w->err);
}

aq_status aq_write_text(const aq_document *document, aq_buffer *out, aq_error *err) {
  text_writer w = {.document = document, .out = out, .err = err};
  w.nodes = aq_document_nodes(document, &w.count);
  for (size_t i = 0; i < w.count;) {
    if (!is_of_pairs(&w.nodes[i])) w.name_width = 0;
    if (!w.nodes[i].page_only) AQ_TRY(append_block(&w, i));
    i = w.nodes[i].kind == AQ_TABLE ? aq_end_of_table(document, i) : aq_end_of_spans(document, i);
  }
  return AQ_OK;
}
