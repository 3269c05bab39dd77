/* write_markdown.c - a document as a page of GitHub's Markdown, complete: for a reader who has this page alone.
 *
 * Names are code, where nothing but the backtick means anything; in a table a bar ends the cell even there, so that a
 * name with a bar is escaped text instead. Everything else is text, with a backslash before what Markdown could take
 * for its own: an underscore only at the edge of a word, and what means something at the beginning of a line only
 * there. */
#include <string.h>

#include "core/error.h"
#include "report/writers.h"

typedef struct markdown_writer {
  const aq_document *document;
  const aq_node *nodes;
  size_t count;
  aq_buffer *out;
  aq_error *err;
} markdown_writer;

static aq_status append_literal(markdown_writer *w, const char *literal) {
  return aq_buffer_append(w->out, literal, strlen(literal), w->err);
}

/* ---- escaping ---- */

static bool is_word(uint8_t c) {
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_letter(uint8_t c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/* Whether digits and nothing else are before text[i]. */
static bool follows_digits(const uint8_t *text, size_t i) {
  for (size_t d = 0; d < i; d++) {
    if (text[d] < '0' || text[d] > '9') return false;
  }
  return i > 0;
}

/* Whether text[i] needs a backslash. `starts_line`: text[0] is the first character of a paragraph or an item. What
 * follows a span is never a letter or a digit: neighbours of one style are one span. */
static bool is_special(const uint8_t *text, size_t size, size_t i, bool starts_line) {
  const uint8_t c = text[i], next = i + 1 < size ? text[i + 1] : ' ';
  if (strchr("\\`*[]|~", c) != NULL) return true;
  if (c == '_') return i == 0 || i + 1 == size || !is_word(text[i - 1]) || !is_word(next);
  if (c == '<') return is_letter(next) || strchr("/!?", next) != NULL;
  if (c == '&') return is_letter(next) || next == '#';
  if (!starts_line) return false;
  if (i == 0) return strchr("#>+-=", c) != NULL;
  return (c == '.' || c == ')') && next == ' ' && follows_digits(text, i);
}

static aq_status append_escaped(markdown_writer *w, const uint8_t *text, size_t size, bool starts_line) {
  for (; starts_line && size > 0 && *text == ' '; size--) text++; /* four spaces would make a block of code */
  size_t written = 0;
  for (size_t i = 0; i < size; i++) {
    if (!is_special(text, size, i, starts_line)) continue;
    AQ_TRY(aq_append_clean(text + written, i - written, w->out, w->err));
    AQ_TRY(append_literal(w, "\\"));
    written = i;
  }
  return aq_append_clean(text + written, size - written, w->out, w->err);
}

static size_t longest_run(const uint8_t *text, size_t size, uint8_t of) {
  size_t longest = 0, run = 0;
  for (size_t i = 0; i < size; i++) {
    run = text[i] == of ? run + 1 : 0;
    if (run > longest) longest = run;
  }
  return longest;
}

/* More backticks around than there are inside, and spaces, which are taken away again, where they would touch. */
static aq_status append_code(markdown_writer *w, const uint8_t *text, size_t size) {
  const size_t ticks = longest_run(text, size, '`') + 1;
  const bool is_padded = text[0] == '`' || text[size - 1] == '`' || (text[0] == ' ' && text[size - 1] == ' ');
  for (size_t i = 0; i < ticks; i++) AQ_TRY(aq_buffer_append_byte(w->out, '`', w->err));
  if (is_padded) AQ_TRY(aq_buffer_append_byte(w->out, ' ', w->err));
  AQ_TRY(aq_append_clean(text, size, w->out, w->err));
  if (is_padded) AQ_TRY(aq_buffer_append_byte(w->out, ' ', w->err));
  for (size_t i = 0; i < ticks; i++) AQ_TRY(aq_buffer_append_byte(w->out, '`', w->err));
  return AQ_OK;
}

/* ---- spans ---- */

static aq_status append_span(markdown_writer *w, const aq_node *span, bool starts_line, bool is_in_table) {
  const uint8_t *text = w->document->text.data + span->start;
  const bool is_strong = (span->style & (AQ_STRONG | AQ_NAME)) != 0;
  const bool is_code = (span->style & AQ_CODE) != 0 && !(is_in_table && memchr(text, '|', span->size) != NULL);
  if (is_strong) AQ_TRY(append_literal(w, "**"));
  AQ_TRY(is_code ? append_code(w, text, span->size) : append_escaped(w, text, span->size, starts_line && !is_strong));
  if (is_strong) AQ_TRY(append_literal(w, "**"));
  return (span->style & AQ_NAME) != 0 ? append_literal(w, ": ") : AQ_OK;
}

/* A paragraph begins with a capital on a page, and not on a terminal, where it is a line among others. */
static aq_status append_capital(markdown_writer *w, aq_node *span) {
  const uint8_t first = w->document->text.data[span->start];
  if (span->style != AQ_PLAIN || first < 'a' || first > 'z') return AQ_OK;
  AQ_TRY(aq_buffer_append_byte(w->out, (uint8_t)(first - 'a' + 'A'), w->err));
  span->start++;
  span->size--;
  return AQ_OK;
}

static aq_status append_spans(markdown_writer *w, size_t i) {
  const size_t end = aq_end_of_spans(w->document, i);
  const aq_node_kind kind = w->nodes[i].kind;
  bool starts_line = kind != AQ_CELL;
  for (size_t s = i + 1; s < end; s++, starts_line = false) {
    aq_node span = w->nodes[s];
    if (starts_line && (kind == AQ_PARAGRAPH || kind == AQ_HEADING)) AQ_TRY(append_capital(w, &span));
    AQ_TRY(append_span(w, &span, starts_line && span.start == w->nodes[s].start, kind == AQ_CELL));
  }
  return AQ_OK;
}

/* ---- tables ---- */

/* The line under the heading. */
static aq_status append_alignment(markdown_writer *w, size_t table) {
  size_t cell = table + 1;
  for (size_t c = 0; c < w->nodes[table].columns; c++, cell = aq_end_of_spans(w->document, cell)) {
    AQ_TRY(append_literal(w, w->nodes[cell].align == 'r' ? "|---:" : "|---"));
  }
  return append_literal(w, "|\n");
}

static aq_status append_table(markdown_writer *w, size_t table) {
  const size_t columns = w->nodes[table].columns;
  const size_t end = aq_end_of_table(w->document, table);
  size_t cells = 0;
  for (size_t i = table + 1; i < end; i = aq_end_of_spans(w->document, i)) {
    AQ_TRY(append_literal(w, "| "));
    AQ_TRY(append_spans(w, i));
    AQ_TRY(append_literal(w, ++cells % columns == 0 ? " |\n" : " "));
    if (cells == columns) AQ_TRY(append_alignment(w, table));
  }
  return AQ_OK;
}

/* ---- blocks ---- */

static bool is_list(aq_node_kind kind) { return kind == AQ_ITEM || kind == AQ_PAIR; }

static aq_status append_block(markdown_writer *w, size_t i, aq_node_kind before) {
  static const char *const marks[] = {[AQ_TITLE] = "# ", [AQ_HEADING] = "## ", [AQ_ITEM] = "- ",
                                      [AQ_PAIR] = "- ",  [AQ_REMARK] = "> ",   [AQ_SPAN] = NULL};
  const aq_node_kind kind = w->nodes[i].kind;
  if (before != AQ_SPAN && !(is_list(kind) && is_list(before))) AQ_TRY(append_literal(w, "\n"));
  if (kind == AQ_TABLE) return append_table(w, i);
  if (marks[kind] != NULL) AQ_TRY(append_literal(w, marks[kind]));
  AQ_TRY(append_spans(w, i));
  return append_literal(w, "\n");
}

/* The verdict of a page stands right after its title. */
static aq_status append_verdict(markdown_writer *w, aq_node_kind before) {
  for (size_t i = 0; i < w->count; i++) {
    if (w->nodes[i].kind != AQ_VERDICT) continue;
    if (before != AQ_SPAN) AQ_TRY(append_literal(w, "\n"));
    AQ_TRY(append_spans(w, i));
    return append_literal(w, "\n");
  }
  return AQ_OK;
}

aq_status aq_write_markdown(const aq_document *document, aq_buffer *out, aq_error *err) {
  markdown_writer w = {.document = document, .out = out, .err = err};
  w.nodes = aq_document_nodes(document, &w.count);
  aq_node_kind before = AQ_SPAN; /* nothing yet */
  size_t i = 0;
  if (w.count > 0 && w.nodes[0].kind == AQ_TITLE) {
    AQ_TRY(append_block(&w, 0, before));
    before = AQ_TITLE;
    i = aq_end_of_spans(document, 0);
  }
  const size_t size = out->size;
  AQ_TRY(append_verdict(&w, before));
  if (out->size > size) before = AQ_VERDICT;
  while (i < w.count) {
    const aq_node_kind kind = w.nodes[i].kind;
    if (kind != AQ_GAP && kind != AQ_VERDICT) {
      AQ_TRY(append_block(&w, i, before));
      before = kind;
    }
    i = kind == AQ_TABLE ? aq_end_of_table(document, i) : aq_end_of_spans(document, i);
  }
  return AQ_OK;
}
