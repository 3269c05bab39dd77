/* pqdump.c - prints what the library's Parquet reader finds in a file, as JSON lines, for the interop tests.
 *
 *     pqdump FILE [PIECE_SIZE [MAX_MEMORY]]
 *
 * First {"rows": N, "groups": N, "created_by": S, "columns": {NAME: KIND}, "metadata": {K: V}, "pages": N, "crcs": N}
 * after a deep verification of every chunk, then an object a row with every column of a known kind. A binary is given
 * as {"size", "crc", "stored", "view"}, its CRC-32 being that of the value read whole; pieces of PIECE_SIZE bytes must
 * give the same, in order and then backwards, else the program fails. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/parquet.h"

/* One column of the row group being printed. */
struct loaded {
  char **strings;
  int64_t *integers;
  uint8_t *valid;
  aq_pq_lists lists;
  uint64_t next; /* element of lists */
};

static size_t piece_size = 1000;

static aq_status load(aq_pq_reader *r, size_t group, size_t column, struct loaded *out, aq_error *err) {
  memset(out, 0, sizeof *out);
  switch (aq_pq_column_kind(r, column)) {
    case AQ_PQ_STRING:
      return aq_pq_read_strings(r, group, column, &out->strings, err);
    case AQ_PQ_INT32:
    case AQ_PQ_INT64:
      return aq_pq_read_integers(r, group, column, &out->integers, &out->valid, err);
    case AQ_PQ_LIST_INT32:
      return aq_pq_read_lists(r, group, column, &out->lists, err);
    case AQ_PQ_BINARY:
    case AQ_PQ_LIST_FLOAT:
    case AQ_PQ_REAL:
    case AQ_PQ_LIST_REAL:
    case AQ_PQ_OTHER:
      break;
  }
  return AQ_OK;
}

static void unload(struct loaded *l) {
  aq_free(l->strings);
  aq_free(l->integers);
  aq_free(l->valid);
  aq_pq_lists_reset(&l->lists);
}

static json_t *list_of(struct loaded *l, uint64_t row) {
  if (l->lists.lengths[row] < 0) return json_null();
  json_t *list = json_array();
  for (int32_t i = 0; i < l->lists.lengths[row]; i++)
    json_array_append_new(list, json_integer(l->lists.values[l->next++]));
  return list;
}

/* Reads [from, to) of a value by pieces and compares it with `whole`. */
static aq_status compare_pieces(aq_pq_reader *r, size_t group, size_t column, uint64_t row, const aq_pq_value *whole,
                                bool backwards, aq_error *err) {
  const uint64_t pieces = whole->size == 0 ? 1 : (whole->size + piece_size - 1) / piece_size;
  uint8_t *piece = malloc(piece_size);
  aq_status status = piece != NULL ? AQ_OK : aq_fail_memory(err, piece_size);
  for (uint64_t i = 0; i < pieces && status == AQ_OK; i++) {
    const uint64_t at = (backwards ? pieces - 1 - i : i) * piece_size;
    const size_t size = (size_t)AQ_MIN(whole->size - at, piece_size);
    status = aq_pq_read_value_range(r, group, column, row, at, size, piece, err);
    if (status == AQ_OK && memcmp(piece, whole->data + at, size) != 0)
      status = aq_fail(err, AQ_ERR_INTERNAL, "the piece at %" PRIu64 " differs from the value", at);
  }
  free(piece);
  return status;
}

static aq_status binary_of(aq_pq_reader *r, size_t group, size_t column, uint64_t row, json_t **out, aq_error *err) {
  uint64_t size = 0, stored = 0;
  aq_pq_value value;
  AQ_TRY(aq_pq_value_size(r, group, column, row, &size, &stored, err));
  AQ_TRY(aq_pq_read_value(r, group, column, row, &value, err));
  if (value.data == NULL) {
    *out = json_null();
    return size == AQ_PQ_NULL_SIZE ? AQ_OK : aq_fail(err, AQ_ERR_INTERNAL, "a null value has a size");
  }
  aq_status status = size == value.size ? AQ_OK : aq_fail(err, AQ_ERR_INTERNAL, "value_size and the value differ");
  if (status == AQ_OK) status = compare_pieces(r, group, column, row, &value, false, err);
  if (status == AQ_OK) status = compare_pieces(r, group, column, row, &value, true, err);
  const uint32_t crc = (uint32_t)crc32_z(0, value.data, value.size);
  if (status == AQ_OK)
    *out = json_pack("{s:I,s:I,s:I,s:b}", "size", (json_int_t)size, "crc", (json_int_t)crc, "stored",
                     (json_int_t)stored, "view", (int)value.is_view);
  aq_pq_value_reset(&value);
  return status;
}

static aq_status cell_of(aq_pq_reader *r, size_t group, size_t column, uint64_t row, struct loaded *l, json_t **out,
                         aq_error *err) {
  *out = NULL;
  switch (aq_pq_column_kind(r, column)) {
    case AQ_PQ_STRING:
      *out = l->strings[row] != NULL ? json_string(l->strings[row]) : json_null();
      break;
    case AQ_PQ_INT32:
    case AQ_PQ_INT64:
      *out = l->valid[row] ? json_integer(l->integers[row]) : json_null();
      break;
    case AQ_PQ_LIST_INT32:
      *out = list_of(l, row);
      break;
    case AQ_PQ_BINARY:
      return binary_of(r, group, column, row, out, err);
    case AQ_PQ_LIST_FLOAT:
    case AQ_PQ_REAL:
    case AQ_PQ_LIST_REAL:
    case AQ_PQ_OTHER:
      break;
  }
  return AQ_OK;
}

static void print_line(json_t *line) {
  json_dumpf(line, stdout, JSON_COMPACT);
  putchar('\n');
  json_decref(line);
}

static aq_status print_rows(aq_pq_reader *r, size_t group, struct loaded *loaded, aq_error *err) {
  for (uint64_t row = 0; row < aq_pq_row_group_rows(r, group); row++) {
    json_t *line = json_object();
    aq_status status = AQ_OK;
    for (size_t c = 0; c < aq_pq_column_count(r) && status == AQ_OK; c++) {
      json_t *cell = NULL;
      status = cell_of(r, group, c, row, &loaded[c], &cell, err);
      if (cell != NULL) json_object_set_new(line, aq_pq_column_name(r, c), cell);
    }
    print_line(line);
    AQ_TRY(status);
  }
  return AQ_OK;
}

static aq_status print_group(aq_pq_reader *r, size_t group, aq_error *err) {
  const size_t columns = aq_pq_column_count(r);
  struct loaded *loaded = calloc(columns + 1, sizeof *loaded);
  if (loaded == NULL) return aq_fail_memory(err, columns * sizeof *loaded);
  aq_status status = AQ_OK;
  for (size_t c = 0; c < columns && status == AQ_OK; c++) status = load(r, group, c, &loaded[c], err);
  if (status == AQ_OK) status = print_rows(r, group, loaded, err);
  for (size_t c = 0; c < columns; c++) unload(&loaded[c]);
  free(loaded);
  return status;
}

static aq_status verify(aq_pq_reader *r, uint64_t *pages, uint64_t *crcs, aq_error *err) {
  for (size_t g = 0; g < aq_pq_row_group_count(r); g++) {
    for (size_t c = 0; c < aq_pq_column_count(r); c++) {
      aq_pq_check check;
      AQ_TRY(aq_pq_verify_chunk(r, g, c, true, &check, err));
      *pages += check.pages;
      *crcs += check.pages_with_crc;
    }
  }
  return AQ_OK;
}

static aq_status print_summary(aq_pq_reader *r, aq_error *err) {
  static const char *const kinds[] = {
      [AQ_PQ_STRING] = "string", [AQ_PQ_BINARY] = "binary",   [AQ_PQ_INT32] = "int32",
      [AQ_PQ_INT64] = "int64",   [AQ_PQ_LIST_INT32] = "list", [AQ_PQ_LIST_FLOAT] = "floats",
      [AQ_PQ_OTHER] = "other",   [AQ_PQ_REAL] = "real",       [AQ_PQ_LIST_REAL] = "reals"};
  uint64_t pages = 0, crcs = 0;
  AQ_TRY(verify(r, &pages, &crcs, err));
  json_t *columns = json_object(), *metadata = json_object();
  for (size_t c = 0; c < aq_pq_column_count(r); c++)
    json_object_set_new(columns, aq_pq_column_name(r, c), json_string(kinds[aq_pq_column_kind(r, c)]));
  for (size_t i = 0; i < aq_pq_metadata_count(r); i++)
    json_object_set_new(metadata, aq_pq_metadata_key(r, i), json_string(aq_pq_metadata_value(r, i)));
  const char *by = aq_pq_created_by(r);
  print_line(json_pack("{s:I,s:I,s:s?,s:o,s:o,s:I,s:I}", "rows", (json_int_t)aq_pq_row_count(r), "groups",
                       (json_int_t)aq_pq_row_group_count(r), "created_by", by, "columns", columns, "metadata", metadata,
                       "pages", (json_int_t)pages, "crcs", (json_int_t)crcs));
  return AQ_OK;
}

static aq_status dump(const char *path, uint64_t max_memory, aq_error *err) {
  const aq_pq_reader_options options = {.max_memory = max_memory};
  aq_pq_reader *r = NULL;
  AQ_TRY(aq_pq_reader_open(path, &options, &r, err));
  aq_status status = print_summary(r, err);
  for (size_t g = 0; g < aq_pq_row_group_count(r) && status == AQ_OK; g++) status = print_group(r, g, err);
  aq_pq_reader_close(r);
  return status;
}

int main(int argc, char **argv) {
  aq_error err;
  aq_error_clear(&err);
  if (argc < 2 || argc > 4) {
    fprintf(stderr, "usage: pqdump FILE [PIECE_SIZE [MAX_MEMORY]]\n");
    return 2;
  }
  if (argc > 2) piece_size = (size_t)strtoull(argv[2], NULL, 10);
  const aq_status status = dump(argv[1], argc > 3 ? strtoull(argv[3], NULL, 10) : 0, &err);
  if (status == AQ_OK) return 0;
  char line[2048];
  aq_error_format(&err, line, sizeof line);
  fprintf(stderr, "%s: %s\n", aq_status_name(status), line);
  return 3;
}
