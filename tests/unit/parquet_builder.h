/* parquet_builder.h - Parquet files made by hand, also wrong ones: bytes, Thrift fields, pages, one row group. */
#ifndef AQ_TESTS_PARQUET_BUILDER_H
#define AQ_TESTS_PARQUET_BUILDER_H

#include <zlib.h>

#include "parquet/format.h"
#include "parquet/parquet.h"
#include "temp_folder.h"

/* ---- bytes ---- */

typedef struct blob {
  uint8_t *data;
  size_t size, capacity;
} blob;

static inline void put(blob *b, const void *bytes, size_t size) {
  if (b->size + size > b->capacity) {
    b->capacity = (b->size + size) * 2;
    b->data = realloc(b->data, b->capacity);
    assert_non_null(b->data);
  }
  if (size > 0) memcpy(b->data + b->size, bytes, size);
  b->size += size;
}

static inline void put_byte(blob *b, unsigned byte) {
  const uint8_t one = (uint8_t)byte;
  put(b, &one, 1);
}

static inline void put_u32(blob *b, uint32_t v) { put(b, &v, sizeof v); }

static inline void put_varint(blob *b, uint64_t v) {
  for (; v >= 0x80; v >>= 7) put_byte(b, (unsigned)(v & 0x7f) | 0x80);
  put_byte(b, (unsigned)v);
}

static inline void put_zigzag(blob *b, int64_t v) { put_varint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63)); }

/* A PLAIN byte array. */
static inline void put_value(blob *b, const void *bytes, size_t size) {
  put_u32(b, (uint32_t)size);
  put(b, bytes, size);
}

/* DATA page levels: `count` times the same one. */
static inline void put_levels(blob *b, uint32_t count, unsigned level) {
  blob run = {0};
  put_varint(&run, (uint64_t)count << 1);
  put_byte(&run, level);
  put_u32(b, (uint32_t)run.size);
  put(b, run.data, run.size);
  free(run.data);
}

static inline void drop(blob *b) {
  free(b->data);
  *b = (blob){0};
}

/* ---- Thrift: fields are given with the id of the field before ---- */

static inline void put_field(blob *b, int *last, int id, unsigned type) {
  put_byte(b, (unsigned)(id - *last) << 4 | type);
  *last = id;
}

static inline void put_int(blob *b, int *last, int id, unsigned type, int64_t v) {
  put_field(b, last, id, type);
  put_zigzag(b, v);
}

static inline void put_text(blob *b, int *last, int id, const char *text) {
  put_field(b, last, id, AQ_TH_BINARY);
  put_varint(b, strlen(text));
  put(b, text, strlen(text));
}

static inline void put_list(blob *b, int *last, int id, size_t count) {
  put_field(b, last, id, AQ_TH_LIST);
  put_byte(b, 0xf0 | AQ_TH_STRUCT);
  put_varint(b, count);
}

/* ---- pages ---- */

typedef struct page_spec {
  int type, encoding, level_encoding;
  uint32_t values;
  int64_t plain_size; /* 0: that of the body */
  bool no_crc, bad_crc;
  uint32_t def_size, rep_size, rows; /* DATA_V2 */
  bool v2_not_compressed;
} page_spec;

/* The struct of a page header that belongs to its type. */
static inline void put_page_struct(blob *b, int *last, const page_spec *spec) {
  int inner = 0;
  const int id = spec->type == AQ_PQ_PAGE_DATA ? 5 : spec->type == AQ_PQ_PAGE_DICTIONARY ? 7 : 8;
  put_field(b, last, id, AQ_TH_STRUCT);
  put_int(b, &inner, 1, AQ_TH_I32, spec->values);
  if (spec->type == AQ_PQ_PAGE_DATA_V2) {
    put_int(b, &inner, 2, AQ_TH_I32, 0);
    put_int(b, &inner, 3, AQ_TH_I32, spec->rows);
    put_int(b, &inner, 4, AQ_TH_I32, spec->encoding);
    put_int(b, &inner, 5, AQ_TH_I32, spec->def_size);
    put_int(b, &inner, 6, AQ_TH_I32, spec->rep_size);
    put_field(b, &inner, 7, spec->v2_not_compressed ? AQ_TH_FALSE : AQ_TH_TRUE);
  } else {
    put_int(b, &inner, 2, AQ_TH_I32, spec->encoding);
    if (spec->type == AQ_PQ_PAGE_DATA) {
      const int levels = spec->level_encoding != 0 ? spec->level_encoding : AQ_PQ_ENC_RLE;
      put_int(b, &inner, 3, AQ_TH_I32, levels);
      put_int(b, &inner, 4, AQ_TH_I32, levels);
    }
  }
  put_byte(b, AQ_TH_STOP);
}

/* A page: header and body. */
static inline void put_page(blob *b, const page_spec *spec, const blob *body) {
  int last = 0;
  const uint32_t crc = (uint32_t)crc32_z(0, body->data, body->size);
  put_int(b, &last, 1, AQ_TH_I32, spec->type);
  put_int(b, &last, 2, AQ_TH_I32, spec->plain_size != 0 ? spec->plain_size : (int64_t)body->size);
  put_int(b, &last, 3, AQ_TH_I32, (int64_t)body->size);
  if (!spec->no_crc) put_int(b, &last, 4, AQ_TH_I32, (int32_t)(spec->bad_crc ? ~crc : crc));
  put_page_struct(b, &last, spec);
  put_byte(b, AQ_TH_STOP);
  put(b, body->data, body->size);
}

/* ---- files: one row group ---- */

enum form { FLAT_OPTIONAL, FLAT_REQUIRED, LIST_THREE, LIST_TWO, LIST_ONE };

typedef struct column_spec {
  const char *name;
  int type, codec;
  enum form form;
  int64_t values; /* of the chunk */
  blob pages;
  size_t gap;                 /* bytes before the chunk that belong to nobody */
  size_t first_data;          /* offset of the first data page in `pages` */
  bool has_dictionary_offset; /* then 0 is that of the dictionary page */
  int64_t size_in_footer;     /* 0: the truth */
  bool is_encrypted, is_external, is_text;
  uint64_t offset; /* set by make_file */
} column_spec;

typedef struct file_spec {
  column_spec *columns;
  size_t column_count;
  int64_t rows, rows_of_group; /* of_group 0: the same */
  const char *tail;            /* NULL: "PAR1" */
} file_spec;

static inline void put_node(blob *b, const char *name, int type, int repetition, int children, int converted) {
  int last = 0;
  if (type >= 0) put_int(b, &last, 1, AQ_TH_I32, type);
  put_int(b, &last, 3, AQ_TH_I32, repetition);
  put_text(b, &last, 4, name);
  if (children > 0) put_int(b, &last, 5, AQ_TH_I32, children);
  if (converted >= 0) put_int(b, &last, 6, AQ_TH_I32, converted);
  put_byte(b, AQ_TH_STOP);
}

static inline size_t put_column_nodes(blob *b, const column_spec *c) {
  const int text = c->is_text ? AQ_PQ_CONVERTED_UTF8 : -1;
  switch (c->form) {
    case FLAT_OPTIONAL:
      put_node(b, c->name, c->type, AQ_PQ_OPTIONAL, 0, text);
      return 1;
    case FLAT_REQUIRED:
      put_node(b, c->name, c->type, AQ_PQ_REQUIRED, 0, text);
      return 1;
    case LIST_ONE:
      put_node(b, c->name, c->type, AQ_PQ_REPEATED, 0, -1);
      return 1;
    case LIST_TWO:
      put_node(b, c->name, -1, AQ_PQ_OPTIONAL, 1, AQ_PQ_CONVERTED_LIST);
      put_node(b, "array", c->type, AQ_PQ_REPEATED, 0, -1);
      return 2;
    case LIST_THREE:
      break;
  }
  put_node(b, c->name, -1, AQ_PQ_OPTIONAL, 1, AQ_PQ_CONVERTED_LIST);
  put_node(b, "bag", -1, AQ_PQ_REPEATED, 1, -1);
  put_node(b, "array_element", c->type, AQ_PQ_OPTIONAL, 0, -1);
  return 3;
}

static inline void put_chunk(blob *b, const column_spec *c) {
  int last = 0, inner = 0;
  if (c->is_external) put_text(b, &last, 1, "elsewhere.parquet");
  put_int(b, &last, 2, AQ_TH_I64, 0);
  put_field(b, &last, 3, AQ_TH_STRUCT);
  put_int(b, &inner, 1, AQ_TH_I32, c->type);
  put_int(b, &inner, 4, AQ_TH_I32, c->codec);
  put_int(b, &inner, 5, AQ_TH_I64, c->values);
  put_int(b, &inner, 6, AQ_TH_I64, 0);
  put_int(b, &inner, 7, AQ_TH_I64, c->size_in_footer != 0 ? c->size_in_footer : (int64_t)c->pages.size);
  put_int(b, &inner, 9, AQ_TH_I64, (int64_t)(c->offset + c->first_data));
  if (c->has_dictionary_offset) put_int(b, &inner, 11, AQ_TH_I64, (int64_t)c->offset);
  put_byte(b, AQ_TH_STOP);
  if (c->is_encrypted) {
    put_field(b, &last, 8, AQ_TH_STRUCT);
    put_byte(b, AQ_TH_STOP);
  }
  put_byte(b, AQ_TH_STOP);
}

static inline void put_footer(blob *b, const file_spec *file) {
  blob nodes = {0};
  int last = 0, group = 0;
  size_t node_count = 1;
  put_node(&nodes, "schema", -1, AQ_PQ_REQUIRED, (int)file->column_count, -1);
  for (size_t c = 0; c < file->column_count; c++) node_count += put_column_nodes(&nodes, &file->columns[c]);
  put_int(b, &last, 1, AQ_TH_I32, 1);
  put_list(b, &last, 2, node_count);
  put(b, nodes.data, nodes.size);
  drop(&nodes);
  put_int(b, &last, 3, AQ_TH_I64, file->rows);
  put_list(b, &last, 4, 1);
  put_list(b, &group, 1, file->column_count);
  for (size_t c = 0; c < file->column_count; c++) put_chunk(b, &file->columns[c]);
  put_int(b, &group, 3, AQ_TH_I64, file->rows_of_group != 0 ? file->rows_of_group : file->rows);
  put_byte(b, AQ_TH_STOP);
  put_text(b, &last, 6, "by hand");
  put_byte(b, AQ_TH_STOP);
}

/* Writes the file into the test's folder and drops the pages; the path. */
static inline const char *make_file(const char *name, const file_spec *file) {
  blob b = {0};
  put(&b, "PAR1", 4);
  for (size_t c = 0; c < file->column_count; c++) {
    column_spec *column = &file->columns[c];
    for (size_t i = 0; i < column->gap; i++) put_byte(&b, 0xa5);
    column->offset = b.size;
    put(&b, column->pages.data, column->pages.size);
  }
  const size_t footer = b.size;
  put_footer(&b, file);
  put_u32(&b, (uint32_t)(b.size - footer));
  put(&b, file->tail != NULL ? file->tail : "PAR1", 4);
  for (size_t c = 0; c < file->column_count; c++) drop(&file->columns[c].pages);
  const char *path = temp_write(name, b.data, b.size);
  drop(&b);
  return path;
}

/* A file of one column with one DATA page of one optional binary value, and what it should hold. */
static inline const char *make_one_value_file(const char *name, int codec, const blob *body, page_spec page) {
  column_spec column = {.name = "data", .type = AQ_PQT_BYTE_ARRAY, .codec = codec, .values = page.values};
  put_page(&column.pages, &page, body);
  return make_file(name, &(file_spec){.columns = &column, .column_count = 1, .rows = page.values});
}

#endif
