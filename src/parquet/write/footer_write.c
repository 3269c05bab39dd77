/* footer_write.c - Parquet's FileMetaData (parquet.thrift; field numbers below are its own).
 *
 * No statistics: minima and maxima of blobs make files that some readers refuse, and for the small columns of a weight
 * table nothing is gained by them. */
#include "parquet/write/footer_write.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"
#include "parquet/write/thrift_write.h"

enum { FORMAT_VERSION = 2 };
enum { LOGICAL_STRING = 1, LOGICAL_LIST = 3 }; /* members of the union LogicalType */

static const struct kind_row {
  int physical;
  bool is_text;
} kinds[] = {
    [AQ_PQ_STRING] = {AQ_PQT_BYTE_ARRAY, true}, [AQ_PQ_BINARY] = {AQ_PQT_BYTE_ARRAY, false},
    [AQ_PQ_INT32] = {AQ_PQT_INT32, false},      [AQ_PQ_INT64] = {AQ_PQT_INT64, false},
    [AQ_PQ_LIST_INT32] = {AQ_PQT_INT32, false}, [AQ_PQ_LIST_FLOAT] = {AQ_PQT_FLOAT, false},
};

static void put_logical(aq_thrift_out *out, int converted, int16_t logical) {
  aq_thrift_put_i32(out, 6, converted);
  aq_thrift_put_struct_begin(out, 10);
  aq_thrift_put_struct_begin(out, logical);
  aq_thrift_put_struct_end(out);
  aq_thrift_put_struct_end(out);
}

static void put_leaf(aq_thrift_out *out, const char *name, const struct kind_row *kind) {
  aq_thrift_put_element_begin(out); /* SchemaElement */
  aq_thrift_put_i32(out, 1, kind->physical);
  aq_thrift_put_i32(out, 3, AQ_PQ_OPTIONAL);
  aq_thrift_put_string(out, 4, name);
  if (kind->is_text) put_logical(out, AQ_PQ_CONVERTED_UTF8, LOGICAL_STRING);
  aq_thrift_put_struct_end(out);
}

/* optional group NAME (LIST) { repeated group list { optional KIND element; } } */
static void put_list(aq_thrift_out *out, const char *name, const struct kind_row *kind) {
  aq_thrift_put_element_begin(out);
  aq_thrift_put_i32(out, 3, AQ_PQ_OPTIONAL);
  aq_thrift_put_string(out, 4, name);
  aq_thrift_put_i32(out, 5, 1);
  put_logical(out, AQ_PQ_CONVERTED_LIST, LOGICAL_LIST);
  aq_thrift_put_struct_end(out);
  aq_thrift_put_element_begin(out);
  aq_thrift_put_i32(out, 3, AQ_PQ_REPEATED);
  aq_thrift_put_string(out, 4, "list");
  aq_thrift_put_i32(out, 5, 1);
  aq_thrift_put_struct_end(out);
  put_leaf(out, "element", kind);
}

static void put_schema(aq_thrift_out *out, const aq_footer *footer) {
  size_t elements = 1;
  for (size_t i = 0; i < footer->column_count; i++) elements += aq_pq_is_list(footer->columns[i].kind) ? 3 : 1;
  aq_thrift_put_list(out, 2, AQ_TH_STRUCT, elements);
  aq_thrift_put_element_begin(out);
  aq_thrift_put_i32(out, 3, AQ_PQ_REQUIRED);
  aq_thrift_put_string(out, 4, "schema");
  aq_thrift_put_i32(out, 5, (int32_t)footer->column_count);
  aq_thrift_put_struct_end(out);
  for (size_t i = 0; i < footer->column_count; i++) {
    const aq_column_buffer *column = &footer->columns[i];
    if (aq_pq_is_list(column->kind)) {
      put_list(out, column->name, &kinds[column->kind]);
    } else {
      put_leaf(out, column->name, &kinds[column->kind]);
    }
  }
}

static void put_path(aq_thrift_out *out, const aq_column_buffer *column) {
  const bool is_list = aq_pq_is_list(column->kind);
  aq_thrift_put_list(out, 3, AQ_TH_BINARY, is_list ? 3 : 1);
  aq_thrift_put_element_string(out, column->name);
  if (is_list) {
    aq_thrift_put_element_string(out, "list");
    aq_thrift_put_element_string(out, "element");
  }
}

static void put_chunk(aq_thrift_out *out, const aq_column_buffer *column, const aq_chunk_place *place) {
  aq_thrift_put_element_begin(out); /* ColumnChunk */
  aq_thrift_put_i64(out, 2, 0);     /* file_offset: deprecated, 0 since the metadata is here only */
  aq_thrift_put_struct_begin(out, 3);
  aq_thrift_put_i32(out, 1, kinds[column->kind].physical);
  aq_thrift_put_list(out, 2, AQ_TH_I32, 2);
  aq_thrift_put_element_i32(out, AQ_PQ_ENC_PLAIN);
  aq_thrift_put_element_i32(out, AQ_PQ_ENC_RLE);
  put_path(out, column);
  aq_thrift_put_i32(out, 4, place->codec);
  aq_thrift_put_i64(out, 5, (int64_t)place->value_count);
  aq_thrift_put_i64(out, 6, (int64_t)place->raw_bytes);
  aq_thrift_put_i64(out, 7, (int64_t)place->packed_bytes);
  aq_thrift_put_i64(out, 9, (int64_t)place->offset);
  aq_thrift_put_struct_end(out);
  aq_thrift_put_struct_end(out);
}

static void put_group(aq_thrift_out *out, const aq_footer *footer, size_t index) {
  const aq_group_place *group = &footer->groups[index];
  uint64_t raw = 0, packed = 0;
  aq_thrift_put_element_begin(out); /* RowGroup */
  aq_thrift_put_list(out, 1, AQ_TH_STRUCT, footer->column_count);
  for (size_t i = 0; i < footer->column_count; i++) {
    put_chunk(out, &footer->columns[i], &group->chunks[i]);
    raw += group->chunks[i].raw_bytes;
    packed += group->chunks[i].packed_bytes;
  }
  aq_thrift_put_i64(out, 2, (int64_t)raw);
  aq_thrift_put_i64(out, 3, (int64_t)group->rows);
  aq_thrift_put_i64(out, 5, (int64_t)group->chunks[0].offset);
  aq_thrift_put_i64(out, 6, (int64_t)packed);
  if (index <= INT16_MAX) aq_thrift_put_i16(out, 7, (int16_t)index);
  aq_thrift_put_struct_end(out);
}

static void put_pairs(aq_thrift_out *out, const aq_footer *footer) {
  if (footer->pair_count == 0) return;
  aq_thrift_put_list(out, 5, AQ_TH_STRUCT, footer->pair_count);
  for (size_t i = 0; i < footer->pair_count; i++) {
    aq_thrift_put_element_begin(out); /* KeyValue */
    aq_thrift_put_string(out, 1, footer->keys[i]);
    aq_thrift_put_string(out, 2, footer->values[i]);
    aq_thrift_put_struct_end(out);
  }
}

aq_status aq_footer_write(const aq_footer *footer, aq_outfile *file, aq_error *err) {
  uint64_t rows = 0;
  for (size_t i = 0; i < footer->group_count; i++) rows += footer->groups[i].rows;
  aq_thrift_out out;
  aq_thrift_out_begin(&out, err);
  aq_thrift_put_i32(&out, 1, FORMAT_VERSION);
  put_schema(&out, footer);
  aq_thrift_put_i64(&out, 3, (int64_t)rows);
  aq_thrift_put_list(&out, 4, AQ_TH_STRUCT, footer->group_count);
  for (size_t i = 0; i < footer->group_count; i++) put_group(&out, footer, i);
  put_pairs(&out, footer);
  if (footer->created_by != NULL) aq_thrift_put_string(&out, 6, footer->created_by);
  AQ_TRY(aq_thrift_out_end(&out));
  uint8_t tail[8] = {0, 0, 0, 0, 'P', 'A', 'R', '1'};
  aq_store_u32(tail, (uint32_t)out.bytes.size);
  aq_status status = out.bytes.size <= INT32_MAX
                         ? aq_outfile_write(file, out.bytes.data, out.bytes.size, err)
                         : aq_fail(err, AQ_ERR_ARGUMENT, "a footer of %zu bytes is too large", out.bytes.size);
  if (status == AQ_OK) status = aq_outfile_write(file, tail, sizeof tail, err);
  aq_buffer_reset(&out.bytes);
  return status;
}

aq_status aq_footer_next_group(aq_footer *footer, aq_group_place **group, aq_error *err) {
  if (footer->group_count == footer->group_capacity) {
    const size_t capacity = footer->group_capacity == 0 ? 16 : footer->group_capacity * 2;
    aq_group_place *groups = aq_realloc_array(footer->groups, capacity, sizeof *groups);
    if (groups == NULL) return aq_fail_memory(err, capacity * sizeof *groups);
    footer->groups = groups;
    footer->group_capacity = capacity;
  }
  aq_chunk_place *chunks = aq_calloc(footer->column_count, sizeof *chunks);
  if (chunks == NULL) return aq_fail_memory(err, footer->column_count * sizeof *chunks);
  *group = &footer->groups[footer->group_count++];
  **group = (aq_group_place){chunks, 0};
  return AQ_OK;
}

static aq_status grow_pairs(aq_footer *footer, aq_error *err) {
  if (footer->pair_count < footer->pair_capacity) return AQ_OK;
  const size_t capacity = footer->pair_capacity + 16;
  char **keys = aq_realloc_array(footer->keys, capacity, sizeof *keys);
  if (keys == NULL) return aq_fail_memory(err, capacity * sizeof *keys);
  footer->keys = keys;
  char **values = aq_realloc_array(footer->values, capacity, sizeof *values);
  if (values == NULL) return aq_fail_memory(err, capacity * sizeof *values);
  footer->values = values;
  footer->pair_capacity = capacity;
  return AQ_OK;
}

aq_status aq_footer_pair(aq_footer *footer, const char *key, const char *value, aq_error *err) {
  AQ_TRY(grow_pairs(footer, err));
  char *new_value = aq_strdup(value);
  if (new_value == NULL) return aq_fail_memory(err, strlen(value));
  for (size_t i = 0; i < footer->pair_count; i++) {
    if (strcmp(footer->keys[i], key) != 0) continue;
    aq_free(footer->values[i]);
    footer->values[i] = new_value;
    return AQ_OK;
  }
  char *new_key = aq_strdup(key);
  if (new_key == NULL) {
    aq_free(new_value);
    return aq_fail_memory(err, strlen(key));
  }
  footer->keys[footer->pair_count] = new_key;
  footer->values[footer->pair_count++] = new_value;
  return AQ_OK;
}

void aq_footer_reset(aq_footer *footer) {
  for (size_t i = 0; i < footer->group_count; i++) aq_free(footer->groups[i].chunks);
  for (size_t i = 0; i < footer->pair_count; i++) {
    aq_free(footer->keys[i]);
    aq_free(footer->values[i]);
  }
  aq_free(footer->groups);
  aq_free(footer->keys);
  aq_free(footer->values);
  aq_free(footer->created_by);
  *footer = (aq_footer){.columns = NULL};
}
