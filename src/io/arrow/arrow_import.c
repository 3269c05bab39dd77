/* arrow_import.c - sources over the record batches of an Arrow stream.
 *
 * The batches of a source are fetched when it is made and kept; the bytes of a tensor are addresses in them. The
 * columns, the checks of a row and the joining of parts are those of every weight table (table_row.h). */
#include "io/arrow/arrow_import.h"

#include <errno.h>
#include <string.h>

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "io/arrow/arrow_column.h"
#include "io/source_memory.h"

static const char stream_name[] = "Arrow stream";

typedef struct batches {
  struct ArrowArray *arrays;
  size_t count, room;
} batches;

static void close_batches(aq_source *source) {
  batches *b = source->impl;
  for (size_t i = 0; i < b->count; i++) b->arrays[i].release(&b->arrays[i]);
  aq_free(b->arrays);
  aq_free(b);
}

static const aq_source_ops arrow_ops = {.close = close_batches, .read = aq_memory_read, .view = aq_memory_view};

struct aq_arrow_import {
  struct ArrowArrayStream stream; /* owned */
  aq_source *schema;              /* what the schema says */
  aq_source *source;              /* that rows are read for */
  aq_table_columns columns;
  int64_t column_count; /* of the stream */
  aq_arrow_column types[AQ_COLUMNS_V2];
  aq_table_rows rows;
  size_t row_room;
  aq_buffer texts[3]; /* name, dtype and quant_type of the row at hand */
};
typedef struct aq_arrow_import import;

static size_t wanted_columns(const import *in) { return in->columns.version == 2 ? AQ_COLUMNS_V2 : AQ_COLUMNS_V1; }

/* ---- the stream ---- */

static aq_status fail_stream(import *in, int code, const char *action, aq_error *err) {
  const char *words = in->stream.get_last_error != NULL ? in->stream.get_last_error(&in->stream) : NULL;
  const aq_status status = code == ENOMEM ? AQ_ERR_MEMORY : AQ_ERR_IO;
  return aq_fail(err, status, "the producer could not %s: %.300s", action, words != NULL ? words : strerror(code));
}

/* ---- the schema ---- */

/* One length-prefixed text of the metadata; NULL in *out when it is no C string of UTF-8. */
static aq_status take_text(const char **at, char **out, bool *usable, aq_error *err) {
  const int32_t size = (int32_t)aq_load_u32(*at);
  AQ_FAIL_IF(size < 0, AQ_ERR_CORRUPT, "the metadata of the schema are damaged");
  *out = aq_strndup(*at + sizeof size, (size_t)size);
  if (*out == NULL) return aq_fail_memory(err, (size_t)size);
  *usable = strlen(*out) == (size_t)size && aq_utf8_ok(*out);
  *at += sizeof size + (size_t)size;
  return AQ_OK;
}

static aq_status read_pair(aq_source *source, const char **at, aq_error *err) {
  char *key = NULL, *value = NULL;
  bool key_usable = false, value_usable = false;
  aq_status status = take_text(at, &key, &key_usable, err);
  if (status == AQ_OK) status = take_text(at, &value, &value_usable, err);
  if (status == AQ_OK && key_usable && value_usable) {
    status = aq_source_add_metadata(source, key, value, err);
  } else if (status == AQ_OK) {
    status = aq_source_add_note(source, err, "metadata '%.100s' is not text, ignored", key_usable ? key : "?");
  }
  aq_free(key);
  aq_free(value);
  return status;
}

/* C data interface, "metadata": int32 count, then for each pair int32 and bytes of the key, of the value. */
static aq_status read_metadata(aq_source *source, const char *metadata, aq_error *err) {
  if (metadata == NULL) return AQ_OK;
  const int32_t count = (int32_t)aq_load_u32(metadata);
  AQ_FAIL_IF(count < 0, AQ_ERR_CORRUPT, "the metadata of the schema are damaged");
  const char *at = metadata + sizeof count;
  for (int32_t i = 0; i < count; i++) AQ_TRY(read_pair(source, &at, err));
  return AQ_OK;
}

static aq_status locate_columns(import *in, const struct ArrowSchema *schema, aq_error *err) {
  const size_t count = (size_t)schema->n_children;
  const char **names = aq_calloc(count, sizeof *names);
  if (names == NULL) return aq_fail_memory(err, count * sizeof *names);
  bool whole = true;
  for (size_t i = 0; i < count; i++) {
    whole = whole && schema->children[i] != NULL;
    names[i] = whole && schema->children[i]->name != NULL ? schema->children[i]->name : "";
  }
  const aq_status status = whole ? aq_table_columns_locate(in->schema, names, count, &in->columns, err)
                                 : aq_fail(err, AQ_ERR_CORRUPT, "a column of the Arrow schema is not there");
  aq_free(names);
  return status;
}

static aq_status use_schema(import *in, const struct ArrowSchema *schema, aq_error *err) {
  AQ_FAIL_IF(schema->format == NULL || strcmp(schema->format, "+s") != 0, AQ_ERR_FORMAT,
             "is not a stream of record batches: its Arrow format is '%.40s', not '+s'",
             schema->format != NULL ? schema->format : "");
  AQ_FAIL_IF(schema->n_children < 0 || (schema->n_children > 0 && schema->children == NULL), AQ_ERR_CORRUPT,
             "the Arrow schema has no columns");
  in->column_count = schema->n_children;
  AQ_TRY(read_metadata(in->schema, schema->metadata, err));
  AQ_TRY(locate_columns(in, schema, err));
  for (size_t i = 0; i < wanted_columns(in); i++)
    AQ_TRY(aq_arrow_column_parse((aq_column)i, schema->children[in->columns.at[i]], &in->types[i], err));
  in->schema->schema_version = in->columns.version;
  in->schema->format = in->columns.version == 2 ? "Arrow V2" : "Arrow V1";
  return AQ_OK;
}

static aq_status read_schema(import *in, aq_error *err) {
  struct ArrowSchema schema = {0};
  const int code = in->stream.get_schema(&in->stream, &schema);
  if (code != 0) return fail_stream(in, code, "give its schema", err);
  AQ_FAIL_IF(schema.release == NULL, AQ_ERR_CORRUPT, "the producer gave no schema");
  const aq_status status = use_schema(in, &schema, err);
  schema.release(&schema);
  return status;
}

/* ---- rows ---- */

/* Column `column` of a batch. */
static const struct ArrowArray *child(const import *in, const struct ArrowArray *batch, aq_column column) {
  return batch->children[in->columns.at[column]];
}

/* A text as a C string in one of in->texts; NULL for a null. */
static aq_status get_text(import *in, const struct ArrowArray *batch, aq_column column, int64_t at, aq_buffer *text,
                          const char **out, aq_error *err) {
  aq_arrow_bytes bytes;
  *out = NULL;
  AQ_TRY(aq_arrow_get_bytes(&in->types[column], child(in, batch, column), at, &bytes, err));
  if (bytes.is_null) return AQ_OK;
  AQ_FAIL_IF(bytes.size > 0 && memchr(bytes.data, 0, (size_t)bytes.size) != NULL, AQ_ERR_FORMAT,
             "%s has a zero byte in it", aq_column_name(column));
  text->size = 0;
  if (bytes.size > 0) AQ_TRY(aq_buffer_append(text, bytes.data, (size_t)bytes.size, err));
  AQ_TRY(aq_buffer_append_byte(text, 0, err));
  *out = (const char *)text->data;
  return AQ_OK;
}

static aq_status get_blob(const import *in, const struct ArrowArray *batch, aq_column column, int64_t at,
                          uint64_t *size, uint64_t *where, aq_error *err) {
  aq_arrow_bytes bytes;
  AQ_TRY(aq_arrow_get_bytes(&in->types[column], child(in, batch, column), at, &bytes, err));
  *size = bytes.is_null ? AQ_CELL_NULL : bytes.size;
  *where = aq_address_of(bytes.data);
  return AQ_OK;
}

static aq_status get_integer(const import *in, const struct ArrowArray *batch, aq_column column, int64_t at,
                             int64_t *out, bool *valid, aq_error *err) {
  return aq_arrow_get_integer(&in->types[column], child(in, batch, column), at, out, valid, err);
}

static aq_status get_v2_cells(import *in, const struct ArrowArray *batch, int64_t at, aq_table_cells *c,
                              uint64_t *where, aq_error *err) {
  if (in->columns.version == 1) return AQ_OK;
  AQ_TRY(get_text(in, batch, AQ_COLUMN_QUANT_TYPE, at, &in->texts[2], &c->quant_type, err));
  AQ_TRY(get_blob(in, batch, AQ_COLUMN_SCALES, at, &c->scales_size, &where[AQ_PIECE_SCALES], err));
  AQ_TRY(get_blob(in, batch, AQ_COLUMN_ZERO_POINTS, at, &c->zero_points_size, &where[AQ_PIECE_ZERO_POINTS], err));
  AQ_TRY(get_integer(in, batch, AQ_COLUMN_QUANT_AXIS, at, &c->quant_axis, &c->has_quant_axis, err));
  return get_integer(in, batch, AQ_COLUMN_GROUP_SIZE, at, &c->group_size, &c->has_group_size, err);
}

/* Cell `at` of the columns. c->name is set as soon as it is known, for the error's sake. */
static aq_status read_row(import *in, const struct ArrowArray *batch, int64_t at, aq_table_cells *c, aq_table_row *row,
                          aq_error *err) {
  int32_t shape[AQ_MAX_RANK];
  c->shape = shape;
  AQ_TRY(get_text(in, batch, AQ_COLUMN_NAME, at, &in->texts[0], &c->name, err));
  AQ_TRY(get_text(in, batch, AQ_COLUMN_DTYPE, at, &in->texts[1], &c->dtype, err));
  AQ_TRY(aq_arrow_get_list(&in->types[AQ_COLUMN_SHAPE], child(in, batch, AQ_COLUMN_SHAPE), at, shape, AQ_MAX_RANK,
                           &c->rank, err));
  AQ_TRY(get_blob(in, batch, AQ_COLUMN_DATA, at, &c->data_size, &row->segment.where[AQ_PIECE_DATA], err));
  AQ_TRY(get_integer(in, batch, AQ_COLUMN_NUM_PARAMS, at, &c->num_params, &c->has_num_params, err));
  AQ_TRY(get_v2_cells(in, batch, at, c, row->segment.where, err));
  AQ_TRY(aq_table_row_check(in->columns.version, c, row, err));
  row->info.stored_bytes = c->data_size;
  if (in->columns.version == 2) row->info.stored_bytes += c->scales_size + c->zero_points_size;
  in->source->file_bytes += row->info.stored_bytes;
  return AQ_OK;
}

static aq_status need_rows(import *in, size_t more, aq_error *err) {
  const size_t needed = in->rows.count + more;
  AQ_FAIL_IF(needed > AQ_TABLE_ROWS_MAX, AQ_ERR_UNSUPPORTED, "has more than %llu rows, which are supported",
             (unsigned long long)AQ_TABLE_ROWS_MAX);
  if (needed <= in->row_room) return AQ_OK;
  const size_t room = AQ_MAX(needed, in->row_room * 2);
  aq_table_row *rows = aq_realloc_array(in->rows.rows, room, sizeof *rows);
  if (rows == NULL) return aq_fail_memory(err, room * sizeof *rows);
  in->rows.rows = rows;
  in->row_room = room;
  return AQ_OK;
}

static bool row_is_null(const struct ArrowArray *batch, int64_t at) {
  const uint8_t *bits = batch->buffers != NULL ? batch->buffers[0] : NULL;
  return batch->null_count != 0 && bits != NULL && (bits[at / 8] >> (at % 8) & 1) == 0;
}

static aq_status check_batch(const import *in, const struct ArrowArray *batch, aq_error *err) {
  AQ_FAIL_IF(batch->length < 0 || batch->offset < 0 || batch->length > INT32_MAX || batch->offset > INT64_MAX / 64,
             AQ_ERR_CORRUPT, "an Arrow batch has a length or an offset that cannot be");
  AQ_FAIL_IF(batch->n_children != in->column_count || batch->children == NULL, AQ_ERR_CORRUPT,
             "an Arrow batch has %lld columns, its schema %lld", (long long)batch->n_children,
             (long long)in->column_count);
  AQ_FAIL_IF(batch->n_buffers != 1 || batch->buffers == NULL, AQ_ERR_CORRUPT,
             "an Arrow batch does not have the buffers of its type");
  for (size_t i = 0; i < wanted_columns(in); i++) {
    const struct ArrowArray *array = child(in, batch, (aq_column)i);
    AQ_TRY(aq_arrow_column_check(&in->types[i], array, batch->offset, batch->length, err));
  }
  return AQ_OK;
}

static aq_status read_batch(import *in, const struct ArrowArray *batch, aq_error *err) {
  AQ_TRY(check_batch(in, batch, err));
  AQ_TRY(need_rows(in, (size_t)batch->length, err));
  for (int64_t i = 0; i < batch->length; i++) {
    const uint64_t number = in->rows.count;
    aq_table_row *row = &in->rows.rows[in->rows.count++];
    *row = (aq_table_row){0};
    aq_table_cells cells = {.rank = -1};
    const aq_status status = row_is_null(batch, batch->offset + i)
                                 ? aq_fail(err, AQ_ERR_FORMAT, "the row is null")
                                 : read_row(in, batch, batch->offset + i, &cells, row, err);
    if (status != AQ_OK) return aq_table_row_place(err, status, number, cells.name);
  }
  return AQ_OK;
}

/* ---- batches ---- */

/* Takes the batch over, whatever happens. */
static aq_status keep_batch(batches *b, struct ArrowArray *batch, aq_error *err) {
  if (b->count == b->room) {
    const size_t room = b->room == 0 ? 16 : b->room * 2;
    struct ArrowArray *arrays = aq_realloc_array(b->arrays, room, sizeof *arrays);
    if (arrays == NULL) {
      batch->release(batch);
      return aq_fail_memory(err, room * sizeof *arrays);
    }
    b->arrays = arrays;
    b->room = room;
  }
  b->arrays[b->count++] = *batch;
  return AQ_OK;
}

/* *last: the row that was read last, or NULL at the end of the stream. */
static aq_status read_next_batch(import *in, const aq_table_row **last, aq_error *err) {
  batches *b = in->source->impl;
  struct ArrowArray batch = {0};
  *last = NULL;
  do {
    const int code = in->stream.get_next(&in->stream, &batch);
    if (code != 0) return fail_stream(in, code, "give its next batch", err);
    if (batch.release == NULL) return AQ_OK; /* the end of the stream */
    AQ_TRY(keep_batch(b, &batch, err));
    AQ_TRY(read_batch(in, &b->arrays[b->count - 1], err));
  } while (in->rows.count == 0); /* batches without rows say nothing */
  *last = &in->rows.rows[in->rows.count - 1];
  return AQ_OK;
}

/* goes_on NULL: all of the stream. */
static aq_status read_batches(import *in, aq_arrow_goes_on goes_on, void *ctx, aq_error *err) {
  const aq_table_row *last;
  bool more;
  do {
    AQ_TRY(read_next_batch(in, &last, err));
    more =
        last != NULL && (goes_on == NULL || (last->is_part && goes_on(ctx, last->name, last->base_length, last->hi)));
  } while (more);
  return AQ_OK;
}

/* ---- sources ---- */

/* A source for the rows that come. */
static aq_status begin_source(import *in, aq_error *err) {
  in->source = NULL;
  aq_table_rows_reset(&in->rows);
  in->row_room = 0;
  AQ_TRY(aq_source_create_empty(&arrow_ops, stream_name, in->schema->format, &in->source, err));
  in->source->impl = aq_calloc(1, sizeof(batches));
  if (in->source->impl == NULL) {
    in->source->ops = NULL; /* nothing to close */
    return aq_fail_memory(err, sizeof(batches));
  }
  in->source->schema_version = in->schema->schema_version;
  return AQ_OK;
}

/* Hands the source out, or closes it. */
static aq_status end_source(import *in, aq_status status, aq_source **out) {
  if (status == AQ_OK) {
    *out = in->source;
  } else {
    aq_source_close(in->source);
  }
  in->source = NULL;
  return status;
}

void aq_arrow_import_close(aq_arrow_import *in) {
  if (in == NULL) return;
  if (in->stream.release != NULL) in->stream.release(&in->stream);
  aq_source_close(in->schema);
  aq_table_rows_reset(&in->rows);
  for (size_t i = 0; i < AQ_COUNT_OF(in->texts); i++) aq_buffer_reset(&in->texts[i]);
  aq_free(in);
}

aq_status aq_arrow_import_open(struct ArrowArrayStream *stream, aq_arrow_import **out, aq_error *err) {
  *out = NULL;
  import *in = aq_calloc(1, sizeof *in);
  if (in == NULL) {
    stream->release(stream);
    return aq_fail_memory(err, sizeof *in);
  }
  in->stream = *stream; /* C stream interface: a struct is moved by copying it */
  stream->release = NULL;
  aq_status status = aq_source_create_empty(NULL, stream_name, "Arrow V1", &in->schema, err);
  if (status == AQ_OK) status = read_schema(in, err);
  if (status == AQ_OK) {
    *out = in;
    return AQ_OK;
  }
  aq_arrow_import_close(in);
  return aq_error_in_file(err, status, stream_name);
}

const aq_source *aq_arrow_import_schema(const aq_arrow_import *in) { return in->schema; }

aq_status aq_arrow_import_next(aq_arrow_import *in, aq_arrow_goes_on goes_on, void *ctx, aq_source **out,
                               aq_error *err) {
  *out = NULL;
  aq_status status = begin_source(in, err);
  if (status == AQ_OK) status = read_batches(in, goes_on, ctx, err);
  if (status == AQ_OK && in->rows.count == 0) { /* the end */
    aq_source_close(in->source);
    in->source = NULL;
    return AQ_OK;
  }
  if (status == AQ_OK) status = aq_table_join(in->source, &in->rows, err);
  status = end_source(in, status, out);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, stream_name);
}

/* ---- all at once ---- */

static aq_status copy_schema(const aq_source *schema, aq_source *to, aq_error *err) {
  for (size_t i = 0; i < schema->metadata_count; i++) {
    AQ_TRY(aq_source_add_metadata(to, schema->metadata[2 * i], schema->metadata[2 * i + 1], err));
  }
  for (size_t i = 0; i < schema->note_count; i++) AQ_TRY(aq_source_add_note(to, err, "%s", schema->notes[i]));
  return AQ_OK;
}

static aq_status read_source(import *in, aq_source **out, aq_error *err) {
  aq_status status = begin_source(in, err);
  if (status == AQ_OK) status = copy_schema(in->schema, in->source, err);
  if (status == AQ_OK) status = read_batches(in, NULL, NULL, err);
  if (status == AQ_OK) status = aq_table_join(in->source, &in->rows, err);
  if (status == AQ_OK) status = aq_table_add_aliases(in->source, err);
  return end_source(in, status, out);
}

aq_status aq_source_open_arrow(struct ArrowArrayStream *stream, aq_source **out, aq_error *err) {
  import *in;
  *out = NULL;
  aq_error_clear(err);
  AQ_FAIL_IF(stream == NULL || stream->release == NULL, AQ_ERR_ARGUMENT, "the Arrow stream was released already");
  AQ_TRY(aq_arrow_import_open(stream, &in, err));
  const aq_status status = read_source(in, out, err);
  aq_arrow_import_close(in);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, stream_name);
}
