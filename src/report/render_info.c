/* render_info.c - what is inside a source, as a table. */
#include <string.h>

#include "core/compiler.h"
#include "report/render.h"
#include "report/report.h"

enum { VALUE_SHOWN = 72 }; /* bytes of a metadata value */

static void add_tensors(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"tensor", 'l', "`{name}`", false},
                                      {"shape", 'l', "`{shape:shape}`", false},
                                      {"dtype", 'l', "{dtype:dtype}", false},
                                      {"stored as", 'l', "{stored_as}", false},
                                      {"parameters", 'r', "{params:count}", false},
                                      {"bytes", 'r', "{stored_bytes:bytes}", false},
                                      {"bits/weight", 'r', "{bits_per_weight:.2}", false}};
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  size_t i;
  json_t *tensor;
  json_array_foreach(aq_json_get(root, "tensors"), i, tensor) {
    const bool is_alias = aq_json_get_string(tensor, "alias_of")[0] != '\0';
    aq_document_row(document, columns, is_alias ? AQ_COUNT_OF(columns) - 2 : AQ_COUNT_OF(columns), tensor);
    if (!is_alias) continue;
    aq_document_add(document, AQ_CELL, tensor, "same bytes");
    aq_document_add(document, AQ_CELL, tensor, "`{alias_of}`");
  }
}

static void add_sums(const json_t *root, aq_document *document) {
  static const aq_column columns[] = {{"stored as", 'l', "{stored_as}", false},
                                      {"tensors", 'r', "{tensors:count}", false},
                                      {"parameters", 'r', "{params:count}", false},
                                      {"bytes", 'r', "{stored_bytes:bytes}", false},
                                      {"bits/weight", 'r', "{bits_per_weight:.3}", false}};
  const json_t *totals = aq_json_get(root, "totals");
  aq_document_table(document, 0, columns, AQ_COUNT_OF(columns));
  aq_document_rows(document, columns, AQ_COUNT_OF(columns), aq_json_get(root, "types"));
  aq_document_add(document, AQ_CELL, totals, "all");
  aq_document_row(document, columns + 1, AQ_COUNT_OF(columns) - 1, totals);
  const uint64_t aliases = aq_json_get_count(totals, "aliases");
  if (aliases == 0) return;
  aq_document_add(document, AQ_PARAGRAPH, totals,
                  aliases == 1 ? "and 1 tied tensor that shares the bytes of another"
                               : "and {aliases:count} tied tensors that share the bytes of another");
}

/* The beginning of a long value: no code point is cut. */
static void append_beginning(const char *value, aq_document *document) {
  char start[VALUE_SHOWN + 1];
  size_t n = VALUE_SHOWN;
  while (n > 0 && ((unsigned char)value[n] & 0xC0) == 0x80) n--;
  memcpy(start, value, n);
  start[n] = '\0';
  aq_document_append_string(document, AQ_CODE, start);
}

/* A compressed file is described by the size of its text; its characters are not shown. */
static void add_pair(const json_t *pair, aq_document *document) {
  const char *value = aq_json_get_string(pair, "value");
  const json_t *text_bytes = aq_json_get(pair, "text_bytes");
  char bytes[AQ_WORD_SIZE];
  aq_document_add(document, AQ_ITEM, pair, "`{key}` = ");
  if (text_bytes == NULL && strlen(value) <= VALUE_SHOWN) {
    aq_document_append(document, pair, "`{value}`");
    return;
  }
  if (text_bytes == NULL) append_beginning(value, document);
  aq_document_append(document, pair,
                     text_bytes == NULL         ? "... ("
                     : json_is_null(text_bytes) ? "damaged: not zstd in base64 ("
                                                : "a text of {text_bytes:bytes}, as zstd in base64 (");
  aq_document_append_string(document, AQ_PLAIN, aq_text_bytes(strlen(value), bytes, sizeof bytes));
  aq_document_append(document, pair, ")");
}

void aq_render_info(const json_t *root, aq_document *document) {
  const json_t *metadata = aq_json_get(root, "metadata");
  aq_document_add(document, AQ_PARAGRAPH, root, "`{source.path}`: {source.format}, {source.file_bytes:bytes}");
  aq_document_gap(document);
  add_tensors(root, document);
  aq_document_gap(document);
  add_sums(root, document);
  if (json_array_size(metadata) > 0) {
    aq_document_gap(document);
    aq_document_add(document, AQ_HEADING, NULL, "metadata");
  }
  size_t i;
  json_t *pair;
  json_array_foreach(metadata, i, pair) add_pair(pair, document);
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(root, "notes"));
}
