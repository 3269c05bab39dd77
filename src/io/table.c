/* table.c - the source for V1 and V2 weight tables in Parquet.
 *
 * Opening decodes the small columns and looks at the page headers of the blobs; no blob is read. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "io/table_rows.h"
#include "io/value_cache.h"
#include "parquet/parquet.h"

typedef struct table {
  aq_pq_reader *reader;
  aq_table_columns columns;
  aq_value_cache *cache; /* for compressed pages */
  bool is_ours;
} table;

static void close_table(aq_source *source) {
  table *t = source->impl;
  aq_value_cache_free(t->cache);
  aq_pq_reader_close(t->reader);
  aq_free(t);
}

static size_t column_of(const table *t, aq_piece piece) {
  static const aq_column columns[] = {[AQ_PIECE_DATA] = AQ_COLUMN_DATA,
                                      [AQ_PIECE_SCALES] = AQ_COLUMN_SCALES,
                                      [AQ_PIECE_ZERO_POINTS] = AQ_COLUMN_ZERO_POINTS};
  return t->columns.at[columns[piece]];
}

static uint64_t piece_bytes(const aq_segment *segment, aq_piece piece) {
  return piece == AQ_PIECE_DATA ? segment->data_bytes : segment->num_scales * sizeof(float);
}

static bool has_codec(const table *t, size_t group, size_t column, const char *codec) {
  return strcmp(aq_pq_chunk_codec(t->reader, group, column), codec) == 0;
}

/* segment->where: row group, row in it. */
static aq_status read_table(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const table *t = source->impl;
  const size_t group = (size_t)segment->where[0], column = column_of(t, piece);
  if (has_codec(t, group, column, "none"))
    return aq_pq_read_value_range(t->reader, group, column, segment->where[1], offset, size, out, err);
  /* Our own writer compresses in blocks with zstd. */
  const aq_cached_value value = {.group = group,
                                 .column = column,
                                 .row = segment->where[1],
                                 .size = piece_bytes(segment, piece),
                                 .in_blocks = t->is_ours && has_codec(t, group, column, "zstd")};
  return aq_value_cache_read(t->cache, &value, offset, size, out, err);
}

static aq_status view_table(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  const table *t = source->impl;
  const size_t group = (size_t)segment->where[0], column = column_of(t, piece);
  *view = NULL;
  /* A compressed page would be decoded here only to be decoded again by the reading that follows. */
  if (!has_codec(t, group, column, "none")) return AQ_OK;
  aq_pq_value value = {0};
  AQ_TRY(aq_pq_read_value(t->reader, group, column, segment->where[1], &value, err));
  if (value.is_view) *view = value.data;
  aq_pq_value_reset(&value);
  return AQ_OK;
}

static const aq_source_ops table_ops = {close_table, read_table, view_table};

static bool is_ours(const aq_pq_reader *reader) {
  const char *by = aq_pq_created_by(reader);
  return by != NULL && strncmp(by, "arrowquant", 10) == 0;
}

static aq_status fill(aq_source *source, aq_error *err) {
  table *t = source->impl;
  aq_table_rows rows;
  for (size_t i = 0; i < aq_pq_metadata_count(t->reader); i++)
    AQ_TRY(aq_source_add_metadata(source, aq_pq_metadata_key(t->reader, i), aq_pq_metadata_value(t->reader, i), err));
  AQ_TRY(aq_table_columns_find(source, t->reader, &t->columns, err));
  source->schema_version = t->columns.version;
  source->format = t->columns.version == 2 ? "table V2" : "table V1";
  AQ_TRY(aq_table_rows_read(t->reader, &t->columns, &rows, err));
  const aq_status status = aq_table_join(source, &rows, err);
  aq_table_rows_reset(&rows);
  return status == AQ_OK ? aq_table_add_aliases(source, err) : status;
}

static aq_status open_table(aq_source *source, const char *path, const aq_source_options *options, aq_error *err) {
  table *t = aq_calloc(1, sizeof *t);
  if (t == NULL) return aq_fail_memory(err, sizeof *t);
  source->impl = t;
  source->ops = &table_ops;
  const aq_pq_reader_options reading = {.max_memory = options->max_memory, .skip_checksums = options->skip_checksums};
  AQ_TRY(aq_pq_reader_open(path, &reading, &t->reader, err));
  source->file_bytes = aq_pq_file_bytes(t->reader);
  t->is_ours = is_ours(t->reader);
  AQ_TRY(aq_value_cache_create(t->reader, &t->cache, err));
  return fill(source, err);
}

aq_status aq_table_open(aq_source *source, const char *path, const aq_source_options *options, bool *mine,
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
