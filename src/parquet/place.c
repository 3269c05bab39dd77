/* place.c - finding a column chunk and refusing what cannot be read; the limits and words every reading call shares. */
#include "core/checked.h"
#include "core/error.h"
#include "parquet/decompress.h"
#include "parquet/reader.h"

static aq_status check_chunk(const aq_pq_place *place, aq_error *err) {
  const char *name = place->schema->name;
  AQ_FAIL_IF(place->chunk->is_encrypted, AQ_ERR_UNSUPPORTED,
             "column '%.100s' is encrypted; encrypted columns cannot be read", name);
  AQ_FAIL_IF(place->chunk->is_external, AQ_ERR_UNSUPPORTED, "column '%.100s' is kept in another file", name);
  AQ_FAIL_IF(place->schema->kind != AQ_PQ_OTHER && place->chunk->type != place->schema->type, AQ_ERR_FORMAT,
             "column '%.100s' has the type %d in the schema and %d in a row group", name, (int)place->schema->type,
             (int)place->chunk->type);
  return aq_pq_codec_check(place->chunk->codec, err);
}

aq_status aq_pq_place_find(aq_pq_reader *reader, size_t group, size_t column, size_t leaf, aq_pq_place *place,
                           aq_error *err) {
  const aq_pq_footer *footer = &reader->footer;
  AQ_FAIL_IF(
      group >= footer->group_count || column >= footer->column_count || leaf >= footer->columns[column].leaf_count,
      AQ_ERR_ARGUMENT, "there is no column %zu in row group %zu", column, group);
  *place = (aq_pq_place){.reader = reader, .group = group, .column = column};
  place->schema = &footer->columns[column];
  place->leaf = place->schema->first_leaf + leaf;
  place->chunk = &footer->groups[group].chunks[place->leaf];
  return check_chunk(place, err);
}

aq_status aq_pq_afford(const aq_pq_reader *reader, uint64_t bytes, aq_error *err) {
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

aq_status aq_pq_justify(const aq_pq_place *place, uint64_t bytes, aq_error *err) {
  AQ_FAIL_IF(place->most != 0 && bytes > place->most, AQ_ERR_CORRUPT,
             "column '%.100s' would take %llu bytes of memory; its rows and shapes account for %llu at most",
             place->schema->name, (unsigned long long)bytes, (unsigned long long)place->most);
  return AQ_OK;
}

aq_status aq_pq_where(const aq_pq_reader *reader, size_t group, aq_status status, aq_error *err) {
  if (status == AQ_OK || err == NULL) return status;
  if (err->row_group < 0 && group < reader->footer.group_count) err->row_group = (int32_t)group;
  return aq_error_in_file(err, status, reader->file.path);
}

bool aq_pq_in_map(const aq_pq_reader *reader, const uint8_t *data) {
  const uintptr_t first = (uintptr_t)reader->file.map, at = (uintptr_t)data;
  return at >= first && at - first < reader->file.size;
}
