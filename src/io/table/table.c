/* table.c - the source for V1 and V2 weight tables in Parquet, in one file or in the parts that a folder holds.
 *
 * Opening decodes the small columns and looks at the page headers of the blobs; no blob is read. */
#include <jansson.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/source.h"
#include "io/table/table_parts.h"
#include "io/table/table_rows.h"
#include "io/table/table_sink.h"
#include "io/table/value_cache.h"
#include "parquet/parquet.h"

/* One file: the table, or a part of it. */
typedef struct part {
  char *path;
  aq_pq_reader *reader;
  aq_table_columns columns;
  aq_value_cache *cache; /* for compressed pages */
  bool is_ours;
} part;

typedef struct table {
  part *parts;
  size_t count;
} table;

static void close_table(aq_source *source) {
  table *t = source->impl;
  for (size_t i = 0; i < t->count; i++) {
    aq_value_cache_free(t->parts[i].cache);
    aq_pq_reader_close(t->parts[i].reader);
    aq_free(t->parts[i].path);
  }
  aq_free(t->parts);
  aq_free(t);
}

/* segment->where: row group, row in it, part. */
static const part *part_of(const aq_source *source, const aq_segment *segment) {
  const table *t = source->impl;
  return &t->parts[segment->where[2]];
}

static size_t column_of(const part *p, aq_piece piece) {
  static const aq_column columns[] = {[AQ_PIECE_DATA] = AQ_COLUMN_DATA,
                                      [AQ_PIECE_SCALES] = AQ_COLUMN_SCALES,
                                      [AQ_PIECE_ZERO_POINTS] = AQ_COLUMN_ZERO_POINTS};
  return p->columns.at[columns[piece]];
}

static uint64_t piece_bytes(const aq_segment *segment, aq_piece piece) {
  return piece == AQ_PIECE_DATA ? segment->data_bytes : segment->num_scales * sizeof(float);
}

static bool has_codec(const part *p, size_t group, size_t column, const char *codec) {
  return strcmp(aq_pq_chunk_codec(p->reader, group, column), codec) == 0;
}

static aq_status read_table(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const part *p = part_of(source, segment);
  const size_t group = (size_t)segment->where[0], column = column_of(p, piece);
  if (has_codec(p, group, column, "none"))
    return aq_pq_read_value_range(p->reader, group, column, segment->where[1], offset, size, out, err);
  /* Our own writer compresses in blocks with zstd. */
  const aq_cached_value value = {.group = group,
                                 .column = column,
                                 .row = segment->where[1],
                                 .size = piece_bytes(segment, piece),
                                 .in_blocks = p->is_ours && has_codec(p, group, column, "zstd")};
  return aq_value_cache_read(p->cache, &value, offset, size, out, err);
}

static aq_status view_table(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  const part *p = part_of(source, segment);
  const size_t group = (size_t)segment->where[0], column = column_of(p, piece);
  *view = NULL;
  /* A compressed page would be decoded here only to be decoded again by the reading that follows. */
  if (!has_codec(p, group, column, "none")) return AQ_OK;
  aq_pq_value value = {0};
  AQ_TRY(aq_pq_read_value(p->reader, group, column, segment->where[1], &value, err));
  if (value.is_view) *view = value.data;
  aq_pq_value_reset(&value);
  return AQ_OK;
}

static const aq_source_ops table_ops = {.close = close_table, .read = read_table, .view = view_table};

static bool is_ours(const aq_pq_reader *reader) {
  const char *by = aq_pq_created_by(reader);
  return by != NULL && strncmp(by, "arrowquant", 10) == 0;
}

static const char source_key[] = "arrowquant.source";

static const char *find_metadata(const aq_source *source, const char *key) {
  for (size_t i = 0; i < source->metadata_count; i++) {
    if (strcmp(source->metadata[2 * i], key) == 0) return source->metadata[2 * i + 1];
  }
  return NULL;
}

/* Parts repeat each other's metadata; the first value of a key is kept. Of one table, they tell of one source. */
static aq_status add_metadata(aq_source *source, const part *p, bool is_first, aq_error *err) {
  for (size_t i = 0; i < aq_pq_metadata_count(p->reader); i++) {
    const char *key = aq_pq_metadata_key(p->reader, i), *value = aq_pq_metadata_value(p->reader, i);
    const char *known = is_first ? NULL : find_metadata(source, key);
    AQ_FAIL_IF(known != NULL && strcmp(key, source_key) == 0 && strcmp(known, value) != 0, AQ_ERR_FORMAT,
               "is a part of another table than those before it: its %s differs", source_key);
    if (known == NULL) AQ_TRY(aq_source_add_metadata(source, key, value, err));
  }
  return AQ_OK;
}

static aq_status read_part(aq_source *source, size_t number, aq_table_rows *rows, aq_error *err) {
  table *t = source->impl;
  part *p = &t->parts[number];
  AQ_TRY(add_metadata(source, p, number == 0, err));
  AQ_TRY(aq_table_columns_find(number == 0 ? source : NULL, p->reader, &p->columns, err));
  AQ_FAIL_IF(p->columns.version != t->parts[0].columns.version, AQ_ERR_FORMAT,
             "is a V%d table, and the first part is V%d", p->columns.version, t->parts[0].columns.version);
  return aq_table_rows_read(p->reader, &p->columns, number, rows, err);
}

/* A table that lost rows on its way through another tool is not its model any more. */
static aq_status note_lost_rows(aq_source *source, aq_error *err) {
  const char *text = find_metadata(source, source_key);
  json_t *said = text != NULL ? json_loads(text, 0, NULL) : NULL;
  const json_int_t count = json_integer_value(json_object_get(said, "tensors"));
  json_decref(said);
  if (count <= 0 || (uint64_t)count <= source->tensor_count) return AQ_OK;
  return aq_source_add_note(source, err, "the table has %zu of the %lld tensors of the model that it was made from",
                            source->tensor_count, (long long)count);
}

static aq_status fill(aq_source *source, aq_error *err) {
  const table *t = source->impl;
  aq_table_rows rows = {NULL, 0};
  aq_status status = AQ_OK;
  for (size_t i = 0; i < t->count && status == AQ_OK; i++) {
    status = read_part(source, i, &rows, err);
    if (status != AQ_OK) (void)aq_error_in_file(err, status, t->parts[i].path);
  }
  if (status == AQ_OK) {
    source->schema_version = t->parts[0].columns.version;
    source->format = source->schema_version == 2 ? "table V2" : "table V1";
    status = aq_table_join(source, &rows, err);
  }
  aq_table_rows_reset(&rows);
  if (status == AQ_OK) status = aq_table_add_aliases(source, err);
  return status == AQ_OK ? note_lost_rows(source, err) : status;
}

static aq_status open_part(aq_source *source, const char *path, const aq_source_options *options, aq_error *err) {
  table *t = source->impl;
  part *p = &t->parts[t->count++];
  const aq_pq_reader_options reading = {.max_memory = options->max_memory, .skip_checksums = options->skip_checksums};
  p->path = aq_strdup(path);
  if (p->path == NULL) return aq_fail_memory(err, strlen(path));
  AQ_TRY(aq_pq_reader_open(path, &reading, &p->reader, err));
  AQ_TRY(aq_source_note_file(source, path, err));
  source->file_bytes += aq_pq_file_bytes(p->reader);
  p->is_ours = is_ours(p->reader);
  return aq_value_cache_create(p->reader, &p->cache, err);
}

static aq_status create_table(aq_source *source, size_t parts, aq_error *err) {
  table *t = aq_calloc(1, sizeof *t);
  if (t == NULL) return aq_fail_memory(err, sizeof *t);
  source->impl = t;
  source->ops = &table_ops;
  t->parts = aq_calloc(parts, sizeof *t->parts);
  return t->parts != NULL ? AQ_OK : aq_fail_memory(err, parts * sizeof *t->parts);
}

static aq_status open_table(aq_source *source, const char *path, const aq_source_options *options, aq_error *err) {
  AQ_TRY(create_table(source, 1, err));
  AQ_TRY(open_part(source, path, options, err));
  return fill(source, err);
}

static aq_status open_parts(aq_source *source, const char *folder, const aq_listing *names,
                            const aq_source_options *options, aq_error *err) {
  AQ_TRY(create_table(source, names->count, err));
  for (size_t i = 0; i < names->count; i++) {
    char *path = aq_path_join(folder, names->names[i]);
    if (path == NULL) return aq_fail_memory(err, strlen(folder));
    const aq_status status = open_part(source, path, options, err);
    aq_free(path);
    if (status != AQ_OK) return status;
  }
  AQ_TRY(aq_source_add_note(source, err, "one table, read from the %zu Parquet files of the folder", names->count));
  return fill(source, err);
}

aq_status aq_table_open_folder(aq_source *source, const char *folder, const aq_source_options *options, aq_error *err) {
  aq_listing names;
  AQ_TRY(aq_table_parts(folder, &names, err));
  const aq_status status = open_parts(source, folder, &names, options, err);
  aq_listing_reset(&names);
  return status;
}

size_t aq_table_file_count(const aq_source *source) {
  return source->ops == &table_ops ? ((const table *)source->impl)->count : 0;
}

const char *aq_table_file(const aq_source *source, size_t i) { return ((const table *)source->impl)->parts[i].path; }

static aq_status open_file(aq_source *source, const char *path, const aq_source_options *options, bool *mine,
                           aq_error *err) {
  aq_file file;
  uint8_t magic[4] = {0};
  *mine = false;
  AQ_TRY(aq_file_open(&file, path, err));
  const aq_status status = aq_file_read(&file, 0, (size_t)AQ_MIN(file.size, (uint64_t)sizeof magic), magic, err);
  aq_file_close(&file);
  if (status != AQ_OK) return status;
  /* PARE: the footer is encrypted; the reader says so. */
  *mine = memcmp(magic, "PAR1", 4) == 0 || memcmp(magic, "PARE", 4) == 0;
  return *mine ? open_table(source, path, options, err) : AQ_OK;
}

const aq_file_format aq_table_format = {
    .name = "parquet", .suffix = {".parquet"}, .open = open_file, .write = &aq_table_sink};
