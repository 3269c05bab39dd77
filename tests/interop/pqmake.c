/* pqmake.c - writes a Parquet file with the library's writer from a description in JSON, for the interop tests.
 *
 *     pqmake SPEC.json OUT.parquet
 *
 * {"codec": "auto", "row_group_bytes": 0, "threads": 2, "metadata": {"k": "v"},
 *  "columns": [{"name": "n", "kind": "string|binary|int32|int64|list|floats", "blob": false}],
 *  "rows": [[CELL, ...], ...]}
 *
 * CELL: null, a string, an integer, a list of integers or of reals, or {"file": PATH, "offset": N, "size": N, "fill":
 * BOOL} for bytes of another file, handed over whole or, with fill, block by block. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "parquet/parquet.h"

#define MAX_COLUMNS 64
#define MAX_LIST 1024

struct slice {
  aq_file file;
  uint64_t offset;
};

struct row {
  struct slice slices[MAX_COLUMNS];
  aq_buffer bytes[MAX_COLUMNS];
  int32_t lists[MAX_COLUMNS][MAX_LIST];
  float floats[MAX_COLUMNS][MAX_LIST];
  aq_pq_cell cells[MAX_COLUMNS];
};

static aq_status fill(void *ctx, uint64_t offset, size_t size, uint8_t *out, uint32_t worker, aq_error *err) {
  const struct slice *slice = ctx;
  (void)worker;
  return aq_file_read(&slice->file, slice->offset + offset, size, out, err);
}

static aq_status file_cell(const json_t *json, struct slice *slice, aq_buffer *bytes, aq_pq_cell *cell, aq_error *err) {
  const char *path = json_string_value(json_object_get(json, "file"));
  AQ_FAIL_IF(path == NULL, AQ_ERR_ARGUMENT, "a cell without file");
  AQ_TRY(aq_file_open(&slice->file, path, err));
  slice->offset = (uint64_t)json_integer_value(json_object_get(json, "offset"));
  const uint64_t size = (uint64_t)json_integer_value(json_object_get(json, "size"));
  if (json_is_true(json_object_get(json, "fill"))) {
    *cell = (aq_pq_cell){.fill = fill, .fill_ctx = slice, .size = size};
    return AQ_OK;
  }
  AQ_TRY(aq_buffer_reserve(bytes, (size_t)size, err));
  AQ_TRY(aq_file_read(&slice->file, slice->offset, (size_t)size, bytes->data, err));
  bytes->size = (size_t)size;
  *cell = (aq_pq_cell){.take = bytes, .bytes = bytes->data, .size = size};
  return AQ_OK;
}

static aq_status make_cell(const json_t *json, struct row *row, size_t i, aq_error *err) {
  aq_pq_cell *cell = &row->cells[i];
  *cell = (aq_pq_cell){.is_null = json_is_null(json)};
  if (json_is_integer(json)) cell->integer = (int64_t)json_integer_value(json);
  if (json_is_string(json)) {
    cell->bytes = json_string_value(json);
    cell->size = json_string_length(json);
  }
  if (json_is_array(json)) {
    cell->list_length = json_array_size(json);
    AQ_FAIL_IF(cell->list_length > MAX_LIST, AQ_ERR_ARGUMENT, "a list is too long");
    for (size_t k = 0; k < cell->list_length; k++) {
      row->lists[i][k] = (int32_t)json_integer_value(json_array_get(json, k));
      row->floats[i][k] = (float)json_number_value(json_array_get(json, k));
    }
    cell->list = row->lists[i];
    cell->floats = row->floats[i];
  }
  return json_is_object(json) ? file_cell(json, &row->slices[i], &row->bytes[i], cell, err) : AQ_OK;
}

static aq_status add_row(aq_pq_writer *writer, const json_t *json, size_t columns, aq_error *err) {
  AQ_FAIL_IF(json_array_size(json) != columns, AQ_ERR_ARGUMENT, "a row has %zu cells", json_array_size(json));
  struct row *row = aq_calloc(1, sizeof *row);
  if (row == NULL) return aq_fail_memory(err, sizeof *row);
  for (size_t i = 0; i < columns; i++) row->slices[i].file.fd = -1;
  aq_status status = AQ_OK;
  for (size_t i = 0; i < columns && status == AQ_OK; i++) status = make_cell(json_array_get(json, i), row, i, err);
  if (status == AQ_OK) status = aq_pq_writer_add(writer, row->cells, err);
  for (size_t i = 0; i < columns; i++) {
    if (row->slices[i].file.fd >= 0) aq_file_close(&row->slices[i].file);
    aq_buffer_reset(&row->bytes[i]);
  }
  aq_free(row);
  return status;
}

static aq_pq_kind kind_of(const char *name) {
  static const char *const names[] = {"string", "binary", "int32", "int64", "list", "floats"};
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    if (name != NULL && strcmp(name, names[i]) == 0) return (aq_pq_kind)i;
  }
  return AQ_PQ_OTHER;
}

static aq_status write_rows(aq_pq_writer *writer, const json_t *spec, size_t columns, aq_error *err) {
  const json_t *rows = json_object_get(spec, "rows");
  for (size_t i = 0; i < json_array_size(rows); i++) AQ_TRY(add_row(writer, json_array_get(rows, i), columns, err));
  const char *key;
  json_t *value;
  json_object_foreach(json_object_get(spec, "metadata"), key, value) {
    AQ_TRY(aq_pq_writer_metadata(writer, key, json_string_value(value), err));
  }
  return AQ_OK;
}

static aq_status write_file(const json_t *spec, const char *path, aq_pool *pool, aq_error *err) {
  const json_t *list = json_object_get(spec, "columns");
  const size_t count = json_array_size(list);
  AQ_FAIL_IF(count > MAX_COLUMNS, AQ_ERR_ARGUMENT, "%zu columns", count);
  aq_pq_column_def columns[MAX_COLUMNS];
  for (size_t i = 0; i < count; i++) {
    const json_t *column = json_array_get(list, i);
    columns[i] = (aq_pq_column_def){json_string_value(json_object_get(column, "name")),
                                    kind_of(json_string_value(json_object_get(column, "kind"))),
                                    json_is_true(json_object_get(column, "blob"))};
  }
  aq_pq_writer_options options = {
      .row_group_bytes = (uint64_t)json_integer_value(json_object_get(spec, "row_group_bytes")),
      .created_by = "arrowquant version " AQ_VERSION_STRING,
      .force = true,
      .pool = pool};
  AQ_TRY(
      aq_pq_codec_parse(json_string_value(json_object_get(spec, "codec")), &options.codec, &options.codec_level, err));
  aq_pq_writer *writer;
  AQ_TRY(aq_pq_writer_create(path, columns, count, &options, &writer, err));
  const aq_status status = write_rows(writer, spec, count, err);
  if (status != AQ_OK) {
    aq_pq_writer_abort(writer);
    return status;
  }
  return aq_pq_writer_commit(writer, NULL, err);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  json_error_t json_error;
  json_t *spec = json_load_file(argv[1], 0, &json_error);
  if (spec == NULL) {
    (void)fprintf(stderr, "%s: %s\n", argv[1], json_error.text);
    return 2;
  }
  aq_error err;
  aq_error_clear(&err);
  aq_pool *pool;
  aq_status status = aq_pool_create((uint32_t)json_integer_value(json_object_get(spec, "threads")), &pool, &err);
  if (status == AQ_OK) status = write_file(spec, argv[2], pool, &err);
  aq_pool_free(pool);
  json_decref(spec);
  if (status == AQ_OK) return 0;
  char line[1024];
  (void)aq_error_format(&err, line, sizeof line);
  (void)fprintf(stderr, "%s\n", line);
  return 1;
}
