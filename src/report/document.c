/* document.c - filling a document. Nodes and text are two buffers; a span is a range of the text. */
#include "report/document.h"

#include <string.h>

#include "core/error.h"
#include "report/report.h"
#include "report/value_formats.h"

void aq_document_reset(aq_document *document) {
  aq_buffer_reset(&document->nodes);
  aq_buffer_reset(&document->text);
}

const aq_node *aq_document_nodes(const aq_document *document, size_t *count) {
  *count = document->nodes.size / sizeof(aq_node);
  return (const aq_node *)(const void *)document->nodes.data;
}

size_t aq_end_of_spans(const aq_document *document, size_t i) {
  size_t count;
  const aq_node *nodes = aq_document_nodes(document, &count);
  do i++;
  while (i < count && nodes[i].kind == AQ_SPAN);
  return i;
}

size_t aq_end_of_table(const aq_document *document, size_t i) {
  size_t count;
  const aq_node *nodes = aq_document_nodes(document, &count);
  do i = aq_end_of_spans(document, i);
  while (i < count && nodes[i].kind == AQ_CELL);
  return i;
}

static void add_node(aq_document *document, aq_node node) {
  node.page_only = node.page_only || document->page_only;
  if (document->status != AQ_OK) return;
  document->status = aq_buffer_append(&document->nodes, &node, sizeof node, document->err);
}

/* ---- spans ---- */

static aq_node *last_node(aq_document *document) {
  const size_t count = document->nodes.size / sizeof(aq_node);
  return count > 0 ? (aq_node *)(void *)document->nodes.data + count - 1 : NULL;
}

/* Neighbours of one style are one span, so that a writer sees `name=value` as one piece of code. */
static void append_bytes(aq_document *document, unsigned style, const char *bytes, size_t size) {
  const size_t start = document->text.size;
  if (size == 0 || document->status != AQ_OK) return;
  document->status = aq_buffer_append(&document->text, bytes, size, document->err);
  if (document->status != AQ_OK) return;
  aq_node *last = last_node(document);
  if (last != NULL && last->kind == AQ_SPAN && last->style == style) {
    last->size += size;
  } else {
    add_node(document, (aq_node){.kind = AQ_SPAN, .style = style, .start = start, .size = size});
  }
}

void aq_document_append_string(aq_document *document, unsigned style, const char *string) {
  append_bytes(document, style, string, strlen(string));
}

/* ---- templates ---- */

static void fail_template(aq_document *document, const char *template) {
  if (document->status != AQ_OK) return;
  document->status = aq_fail(document->err, AQ_ERR_INTERNAL, "the template '%.200s' of a report is wrong", template);
}

/* A member by a path with dots; the object that has it. */
static const json_t *find_member(const json_t *object, const char *path, size_t size, const json_t **owner) {
  while (size > 0 && object != NULL) {
    *owner = object;
    char key[64];
    const char *dot = memchr(path, '.', size);
    const size_t length = dot != NULL ? (size_t)(dot - path) : size;
    if (length >= sizeof key) return NULL;
    memcpy(key, path, length);
    key[length] = '\0';
    object = json_object_get(object, key);
    path += dot != NULL ? length + 1 : length;
    size -= dot != NULL ? length + 1 : length;
  }
  return object;
}

/* "member:format" between the braces. */
static void append_value(aq_document *document, unsigned style, const json_t *object, const char *inside, size_t size) {
  const char *colon = memchr(inside, ':', size);
  const size_t path = colon != NULL ? (size_t)(colon - inside) : size;
  const json_t *owner = object, *value = find_member(object, inside, path, &owner);
  char word[AQ_FORMATTED_SIZE];
  if (colon == NULL) {
    append_bytes(document, style, json_string_value(value), json_string_length(value));
  } else if (aq_format_value(colon + 1, size - path - 1, value, owner, word)) {
    aq_document_append_string(document, style, word);
  } else {
    fail_template(document, inside);
  }
}

void aq_document_append(aq_document *document, const json_t *object, const char *template) {
  unsigned style = AQ_PLAIN;
  for (const char *t = template; *t != '\0';) {
    if (*t == '`') {
      style ^= AQ_CODE;
      t++;
    } else if (t[0] == '*' && t[1] == '*') {
      style ^= AQ_STRONG;
      t += 2;
    } else if (*t == '{') {
      const size_t size = strcspn(t + 1, "}");
      if (t[1 + size] == '\0') {
        fail_template(document, t);
        return;
      }
      append_value(document, style, object, t + 1, size);
      t += size + 2;
    } else {
      const size_t size = 1 + strcspn(t + 1, "`*{");
      append_bytes(document, style, t, size);
      t += size;
    }
  }
}

/* ---- blocks ---- */

void aq_document_add(aq_document *document, aq_node_kind kind, const json_t *object, const char *template) {
  add_node(document, (aq_node){.kind = kind});
  aq_document_append(document, object, template);
}

void aq_document_gap(aq_document *document) { add_node(document, (aq_node){.kind = AQ_GAP}); }

void aq_document_add_page_heading(aq_document *document, const char *heading) {
  add_node(document, (aq_node){.kind = AQ_HEADING, .page_only = true});
  aq_document_append(document, NULL, heading);
}

void aq_document_pair(aq_document *document, const char *name, const json_t *object, const char *template) {
  add_node(document, (aq_node){.kind = AQ_PAIR});
  aq_document_append_string(document, AQ_NAME, name);
  aq_document_append(document, object, template);
}

void aq_document_list(aq_document *document, aq_node_kind kind, const char *before, const json_t *strings) {
  for (size_t i = 0; i < json_array_size(strings); i++) {
    aq_document_add(document, kind, NULL, before);
    aq_document_append(document, json_array_get(strings, i), "{}");
  }
}

void aq_document_add_rest(aq_document *document, size_t count, size_t shown, const char *what) {
  char number[AQ_WORD_SIZE];
  if (count <= shown) return;
  aq_document_add(document, AQ_ITEM, NULL, "and ");
  aq_document_append_string(document, AQ_PLAIN, aq_text_count(count - shown, number, sizeof number));
  aq_document_append(document, NULL, what);
}

/* ---- tables ---- */

void aq_document_open_table(aq_document *document, int indent, size_t columns) {
  add_node(document, (aq_node){.kind = AQ_TABLE, .indent = indent, .columns = columns});
}

void aq_document_column(aq_document *document, char align, const json_t *object, const char *template) {
  add_node(document, (aq_node){.kind = AQ_CELL, .align = align});
  aq_document_append(document, object, template);
}

void aq_document_table(aq_document *document, int indent, const aq_column *columns, size_t count) {
  aq_document_open_table(document, indent, count);
  for (size_t i = 0; i < count; i++) {
    add_node(document, (aq_node){.kind = AQ_CELL, .align = columns[i].align, .page_only = columns[i].page_only});
    aq_document_append_string(document, AQ_PLAIN, columns[i].heading);
  }
}

void aq_document_row(aq_document *document, const aq_column *columns, size_t count, const json_t *object) {
  for (size_t i = 0; i < count; i++) aq_document_add(document, AQ_CELL, object, columns[i].cell);
}

void aq_document_rows(aq_document *document, const aq_column *columns, size_t count, const json_t *objects) {
  for (size_t i = 0; i < json_array_size(objects); i++) {
    aq_document_row(document, columns, count, json_array_get(objects, i));
  }
}
