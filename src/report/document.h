/* document.h - the content of a report, filled once by its kind and written as text or Markdown by a writer
 * (writers.h).
 *
 * A document is a list of blocks: headings, paragraphs, items of a list, pairs of a name and its value, remarks (notes
 * and warnings), tables, and one verdict. What stands in a block is a template, filled from a JSON object:
 *
 *     "`{source.path}`: {totals.tensors:count} tensors, **{totals.ratio:.2}** smaller"
 *
 * {MEMBER:FORMAT} is the value of a member, as a format of value_formats.h writes it; without a format it is a string.
 * {} is the object itself. `...` is code (names, paths), **...** is strong. Templates are literals of the program;
 * values may hold anything, because the writers escape what they write.
 *
 * A failure (out of memory, a template that is wrong) is kept in `status`; filling a document needs no checks. */
#ifndef AQ_REPORT_DOCUMENT_H
#define AQ_REPORT_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>

#include "arrowquant.h"
#include "core/buffer.h"

typedef enum aq_node_kind {
  AQ_TITLE,
  AQ_HEADING,
  AQ_PARAGRAPH,
  AQ_ITEM,
  AQ_PAIR, /* its first span is the name */
  AQ_REMARK,
  AQ_VERDICT, /* one a document; a page has it first */
  AQ_GAP,     /* an empty line in text; pages have one between all blocks */
  AQ_TABLE,   /* cells follow, those of the heading first */
  AQ_CELL,
  AQ_SPAN /* a stretch of text in the block or cell before */
} aq_node_kind;

enum { AQ_PLAIN = 0, AQ_CODE = 1, AQ_STRONG = 2, AQ_NAME = 4 }; /* styles of a span; AQ_NAME is that of a pair */

typedef struct aq_node {
  aq_node_kind kind;
  bool page_only;     /* a detail that text leaves out; in the heading of a table it is true of the column */
  char align;         /* heading of a column: l or r */
  unsigned style;     /* span */
  int indent;         /* table: spaces before each line of text */
  size_t columns;     /* table */
  size_t start, size; /* span: where in the document's text */
} aq_node;

typedef struct aq_document {
  aq_buffer nodes, text;
  bool page_only; /* what is added from now on is a detail, which text leaves out */
  aq_status status;
  aq_error *err; /* of the caller; may be NULL */
} aq_document;

void aq_document_reset(aq_document *document);

/* For writers: the nodes; the node after the spans of nodes[i]; the node after the cells of the table nodes[i]. */
const aq_node *aq_document_nodes(const aq_document *document, size_t *count);
size_t aq_end_of_spans(const aq_document *document, size_t i);
size_t aq_end_of_table(const aq_document *document, size_t i);

/* A new block, filled from the object; more of the same block. */
void aq_document_add(aq_document *document, aq_node_kind kind, const json_t *object, const char *template);
void aq_document_append(aq_document *document, const json_t *object, const char *template);
/* The same of a string as it is, in a style. */
void aq_document_append_string(aq_document *document, unsigned style, const char *string);

void aq_document_gap(aq_document *document);
void aq_document_add_page_heading(aq_document *document, const char *heading); /* text leaves it out */
void aq_document_pair(aq_document *document, const char *name, const json_t *object, const char *template);
/* A block for each string of an array (NULL: none), after some words: "note: ". */
void aq_document_list(aq_document *document, aq_node_kind kind, const char *before, const json_t *strings);
/* An item "and N WHAT" when only `shown` of `count` were added. */
void aq_document_add_rest(aq_document *document, size_t count, size_t shown, const char *what);

/* ---- tables ---- */

typedef struct aq_column {
  const char *heading;
  char align;       /* l or r */
  const char *cell; /* template */
  bool page_only;
} aq_column;

/* A table and its heading; rows of it follow: one, or one for each object of an array. */
void aq_document_table(aq_document *document, int indent, const aq_column *columns, size_t count);
void aq_document_row(aq_document *document, const aq_column *columns, size_t count, const json_t *object);
void aq_document_rows(aq_document *document, const aq_column *columns, size_t count, const json_t *objects);

/* A table whose columns, at least one, depend on the report: then as many headings, then cells (AQ_CELL) row by row. */
void aq_document_open_table(aq_document *document, int indent, size_t columns);
void aq_document_column(aq_document *document, char align, const json_t *object, const char *template);

#endif
