/* column_chunk.c - finding a column chunk and refusing what cannot be read; the limits and words every reading call
 * shares. */
#include "core/checked.h"
#include "core/error.h"
#include "parquet/codec/decompress.h"
#include "parquet/read/reader.h"

static aq_status check_chunk(const aq_pq_column_chunk *chunk, aq_error *err) {
  const char *name = chunk->schema->name;
  AQ_FAIL_IF(chunk->meta->is_encrypted, AQ_ERR_UNSUPPORTED,
             "column '%.100s' is encrypted; encrypted columns cannot be read", name);
  AQ_FAIL_IF(chunk->meta->is_external, AQ_ERR_UNSUPPORTED, "column '%.100s' is kept in another file", name);
  AQ_FAIL_IF(chunk->schema->kind != AQ_PQ_OTHER && chunk->meta->type != chunk->schema->type, AQ_ERR_FORMAT,
             "column '%.100s' has the type %d in the schema and %d in a row group", name, (int)chunk->schema->type,
             (int)chunk->meta->type);
  return aq_pq_codec_check(chunk->meta->codec, err);
}

aq_status aq_pq_column_chunk_find(aq_pq_reader *reader, size_t group, size_t column, size_t leaf,
                                  aq_pq_column_chunk *chunk, aq_error *err) {
  const aq_pq_footer *footer = &reader->footer;
  AQ_FAIL_IF(
      group >= footer->group_count || column >= footer->column_count || leaf >= footer->columns[column].leaf_count,
      AQ_ERR_ARGUMENT, "there is no column %zu in row group %zu", column, group);
  *chunk = (aq_pq_column_chunk){.reader = reader, .group = group, .column = column};
  chunk->schema = &footer->columns[column];
  chunk->leaf = chunk->schema->first_leaf + leaf;
  chunk->meta = &footer->groups[group].chunks[chunk->leaf];
  return check_chunk(chunk, err);
}

aq_status aq_pq_check_memory(const aq_pq_reader *reader, uint64_t bytes, aq_error *err) {
  const uint64_t limit = reader->options.max_memory != 0 ? reader->options.max_memory : AQ_PQ_CEILING;
  if (bytes <= limit) return AQ_OK;
  aq_fail(err, AQ_ERR_MEMORY, "%llu bytes of memory are needed and %llu are allowed", (unsigned long long)bytes,
          (unsigned long long)limit);
  return aq_error_hint(err, AQ_ERR_MEMORY, "Allow more memory, if the file can be trusted");
}

uint64_t aq_pq_small_limit(const aq_pq_reader *reader) {
  uint64_t rows;
  return aq_mul_ok(reader->footer.rows, AQ_PQ_SMALL_ROW, &rows) && rows < AQ_PQ_CEILING ? AQ_PQ_SMALL_BYTES + rows
                                                                                        : AQ_PQ_CEILING;
}

aq_status aq_pq_check_unpacked(const aq_pq_column_chunk *chunk, uint64_t bytes, aq_error *err) {
  AQ_FAIL_IF(chunk->most != 0 && bytes > chunk->most, AQ_ERR_CORRUPT,
             "column '%.100s' would take %llu bytes of memory; its rows and shapes account for %llu at most",
             chunk->schema->name, (unsigned long long)bytes, (unsigned long long)chunk->most);
  return AQ_OK;
}

aq_status aq_pq_add_context(const aq_pq_reader *reader, size_t group, aq_status status, aq_error *err) {
  if (status == AQ_OK || err == NULL) return status;
  if (err->row_group < 0 && group < reader->footer.group_count) err->row_group = (int32_t)group;
  return aq_error_in_file(err, status, reader->file.path);
}

bool aq_pq_in_map(const aq_pq_reader *reader, const uint8_t *data) {
  const uintptr_t first = (uintptr_t)reader->file.map, at = (uintptr_t)data;
  return at >= first && at - first < reader->file.size;
}
