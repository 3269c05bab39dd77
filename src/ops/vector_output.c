/* vector_output.c - vectors as lines of JSON, as an array of NumPy (format 1.0, numpy.lib.format), or as a table in
 * Parquet: text (string), embedding (list<element: float>; readers that know Arrow see a list of fixed size). */
#include "ops/vector_output.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/arrow/arrow_message.h"
#include "io/listing.h"
#include "report/report.h"

#define REAL_DIGITS 9 /* enough to read back the same FP32 */
#define HEADER_SIZE 128
/* Rows of a table are held until their group is full: 10,000 vectors of 384. */
#define TABLE_GROUP_BYTES ((uint64_t)16 << 20)

/* Magic, version 1.0, length of the rest, a Python dictionary, spaces and a line feed: its size does not depend on the
 * count, so that it can be written again when the count is known. */
static aq_status write_header(aq_vector_output *out, aq_error *err) {
  char header[HEADER_SIZE + 1] = "\x93NUMPY\x01";
  const size_t fixed = 10, rest = HEADER_SIZE - fixed;
  header[8] = (char)rest;
  const int n = snprintf(header + fixed, rest + 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %u), }",
                         (unsigned long long)out->count, out->dimension);
  memset(header + fixed + n, ' ', rest - (size_t)n);
  header[HEADER_SIZE - 1] = '\n';
  if (aq_outfile_offset(out->file) == 0) return aq_outfile_write(out->file, header, HEADER_SIZE, err);
  return aq_outfile_write_at(out->file, 0, header, HEADER_SIZE, err);
}

static aq_status open_table(aq_vector_output *out, const char *path, bool force, aq_error *err) {
  static const aq_pq_column_def columns[] = {{"text", AQ_PQ_STRING, false}, {"embedding", AQ_PQ_LIST_FLOAT, false}};
  const aq_pq_writer_options options = {.codec = AQ_PQ_CODEC_AUTO,
                                        .row_group_bytes = TABLE_GROUP_BYTES,
                                        .force = force,
                                        .created_by = "arrowquant version " AQ_VERSION_STRING};
  char *schema;
  AQ_TRY(aq_pq_writer_create(path, columns, AQ_COUNT_OF(columns), &options, &out->table, err));
  AQ_TRY(aq_arrow_message_make(columns[0].name, columns[1].name, out->dimension, &schema, err));
  const aq_status status = aq_pq_writer_metadata(out->table, AQ_ARROW_SCHEMA_KEY, schema, err);
  aq_free(schema);
  return status;
}

static aq_vector_form form_of(const char *path) {
  if (aq_ends_with(path, ".npy")) return AQ_VECTORS_ARRAY;
  return aq_ends_with(path, ".parquet") ? AQ_VECTORS_TABLE : AQ_VECTORS_LINES;
}

aq_status aq_vector_output_open(aq_vector_output *out, const char *path, bool force, uint32_t dimension,
                                aq_error *err) {
  out->dimension = dimension;
  if (path == NULL) return AQ_OK;
  out->form = form_of(path);
  if (out->form == AQ_VECTORS_TABLE) return open_table(out, path, force, err);
  AQ_TRY(aq_outfile_create(path, force, &out->file, err));
  return out->form == AQ_VECTORS_ARRAY ? write_header(out, err) : AQ_OK;
}

static int append(const char *bytes, size_t size, void *buffer) {
  return aq_buffer_append(buffer, bytes, size, NULL) == AQ_OK ? 0 : -1;
}

static json_t *vector_json(const float *vector, uint32_t dimension) {
  json_t *array = json_array();
  for (uint32_t i = 0; array != NULL && i < dimension; i++) {
    if (json_array_append_new(array, aq_json_real((double)vector[i])) == 0) continue;
    json_decref(array);
    array = NULL;
  }
  return array;
}

/* The text, with U+FFFD for what is not UTF-8; NULL when memory is out. */
static json_t *text_json(const char *text, size_t length) {
  json_t *string = json_stringn(text, length);
  return string != NULL ? string : aq_json_string(text);
}

static aq_status make_line(aq_vector_output *out, const char *text, size_t length, const float *vector, aq_error *err) {
  json_t *line =
      json_pack("{s:o, s:o}", "text", text_json(text, length), "embedding", vector_json(vector, out->dimension));
  out->line.size = 0;
  const int failed =
      line == NULL ? -1 : json_dump_callback(line, append, &out->line, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
  json_decref(line);
  if (failed != 0) return aq_fail_memory(err, length + out->dimension * (size_t)16);
  return aq_buffer_append_byte(&out->line, '\n', err);
}

static aq_status add_row(aq_vector_output *out, const char *text, size_t length, const float *vector, aq_error *err) {
  json_t *string = text_json(text, length);
  if (string == NULL) return aq_fail_memory(err, length);
  const aq_pq_cell cells[] = {{.bytes = json_string_value(string), .size = json_string_length(string)},
                              {.floats = vector, .list_length = out->dimension}};
  const aq_status status = aq_pq_writer_add(out->table, cells, err);
  json_decref(string);
  return status;
}

aq_status aq_vector_output_add(aq_vector_output *out, const char *text, size_t length, const float *vector,
                               aq_error *err) {
  out->count++;
  if (out->form == AQ_VECTORS_TABLE) return add_row(out, text, length, vector, err);
  if (out->form == AQ_VECTORS_ARRAY) return aq_outfile_write(out->file, vector, out->dimension * sizeof *vector, err);
  AQ_TRY(make_line(out, text, length, vector, err));
  if (out->file != NULL) return aq_outfile_write(out->file, out->line.data, out->line.size, err);
  return out->write(out->write_ctx, out->line.data, out->line.size, err);
}

aq_status aq_vector_output_commit(aq_vector_output *out, aq_error *err) {
  if (out->form == AQ_VECTORS_TABLE) {
    aq_pq_writer *table = out->table;
    out->table = NULL;
    return aq_pq_writer_commit(table, NULL, err);
  }
  if (out->file == NULL) return AQ_OK;
  if (out->form == AQ_VECTORS_ARRAY) AQ_TRY(write_header(out, err));
  aq_outfile *file = out->file;
  out->file = NULL;
  return aq_outfile_commit(file, err);
}

void aq_vector_output_reset(aq_vector_output *out) {
  aq_pq_writer_abort(out->table);
  out->table = NULL;
  aq_outfile_abort(out->file);
  aq_buffer_reset(&out->line);
  out->file = NULL;
}
