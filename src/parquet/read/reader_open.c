/* reader_open.c - opening a Parquet file and telling what is in it. */
#include "parquet/read/reader.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "parquet/codec/decompress.h"
#include "parquet/read/chunk_pages.h"
#include "parquet/read/decoded.h"
#include "parquet/read/frame_index.h"

static aq_status make_slots(aq_pq_reader *reader, aq_error *err) {
  const size_t columns = reader->footer.column_count;
  reader->slots = aq_calloc(columns, sizeof *reader->slots);
  if (reader->slots == NULL) return aq_fail_memory(err, columns * sizeof *reader->slots);
  for (size_t c = 0; c < columns; c++, reader->slot_count++) {
    AQ_TRY(aq_lock_init(&reader->slots[c].lock, AQ_LOCK_COLUMN, err));
  }
  return AQ_OK;
}

static aq_status open_reader(aq_pq_reader *reader, const char *path, aq_error *err) {
  AQ_TRY(aq_file_open(&reader->file, path, err));
  AQ_TRY(aq_file_map(&reader->file, err));
  AQ_TRY(aq_pq_footer_read(&reader->file, &reader->footer, err));
  const size_t chunks = reader->footer.group_count * reader->footer.leaf_count;
  reader->pages = aq_calloc(chunks, sizeof *reader->pages);
  if (reader->pages == NULL) return aq_fail_memory(err, chunks * sizeof *reader->pages);
  return make_slots(reader, err);
}

aq_status aq_pq_reader_open(const char *path, const aq_pq_reader_options *options, aq_pq_reader **out, aq_error *err) {
  *out = NULL;
  aq_pq_reader *reader = aq_calloc(1, sizeof *reader);
  if (reader == NULL) return aq_fail_memory(err, sizeof *reader);
  reader->file.fd = -1;
  aq_status status = aq_lock_init(&reader->lock, AQ_LOCK_FILE, err);
  if (status != AQ_OK) {
    aq_free(reader);
    return status;
  }
  status = aq_pq_contexts_init(&reader->contexts, err);
  if (status != AQ_OK) {
    aq_lock_reset(&reader->lock);
    aq_free(reader);
    return status;
  }
  if (options != NULL) reader->options = *options;
  status = open_reader(reader, path, err);
  if (status != AQ_OK) {
    aq_pq_reader_close(reader);
    return aq_error_in_file(err, status, path);
  }
  *out = reader;
  return AQ_OK;
}

static void free_pages(aq_pq_pages *pages) {
  for (size_t i = 0; pages != NULL && i < pages->count; i++) aq_pq_frame_index_free(pages->data[i].frames);
  aq_pq_pages_free(pages);
}

void aq_pq_reader_close(aq_pq_reader *reader) {
  if (reader == NULL) return;
  for (size_t c = 0; c < reader->slot_count; c++) {
    aq_pq_decoded_free(reader->slots[c].page);
    aq_lock_reset(&reader->slots[c].lock);
  }
  const size_t chunks = reader->pages != NULL ? reader->footer.group_count * reader->footer.leaf_count : 0;
  for (size_t i = 0; i < chunks; i++) free_pages(reader->pages[i]);
  aq_free(reader->slots);
  aq_free(reader->pages);
  aq_pq_footer_reset(&reader->footer);
  aq_pq_contexts_reset(&reader->contexts);
  aq_lock_reset(&reader->lock);
  aq_file_close(&reader->file);
  aq_free(reader);
}

uint64_t aq_pq_file_bytes(const aq_pq_reader *reader) { return reader->file.size; }

const char *aq_pq_created_by(const aq_pq_reader *reader) { return reader->footer.created_by; }

size_t aq_pq_row_group_count(const aq_pq_reader *reader) { return reader->footer.group_count; }

uint64_t aq_pq_row_group_rows(const aq_pq_reader *reader, size_t group) {
  return group < reader->footer.group_count ? reader->footer.groups[group].rows : 0;
}

uint64_t aq_pq_row_count(const aq_pq_reader *reader) { return reader->footer.rows; }

size_t aq_pq_column_count(const aq_pq_reader *reader) { return reader->footer.column_count; }

const char *aq_pq_column_name(const aq_pq_reader *reader, size_t column) {
  return column < reader->footer.column_count ? reader->footer.columns[column].name : NULL;
}

aq_pq_kind aq_pq_column_kind(const aq_pq_reader *reader, size_t column) {
  return column < reader->footer.column_count ? reader->footer.columns[column].kind : AQ_PQ_OTHER;
}

int64_t aq_pq_column_find(const aq_pq_reader *reader, const char *name) {
  for (size_t c = 0; c < reader->footer.column_count; c++) {
    if (strcmp(reader->footer.columns[c].name, name) == 0) return (int64_t)c;
  }
  return -1;
}

/* The chunks of a column, one a leaf; NULL when out of range or the column has none. */
static const aq_pq_chunk *chunks_of(const aq_pq_reader *reader, size_t group, size_t column, uint32_t *count) {
  *count = 0;
  if (group >= reader->footer.group_count || column >= reader->footer.column_count) return NULL;
  const aq_pq_column *schema = &reader->footer.columns[column];
  *count = schema->leaf_count;
  return *count > 0 ? &reader->footer.groups[group].chunks[schema->first_leaf] : NULL;
}

uint64_t aq_pq_chunk_bytes(const aq_pq_reader *reader, size_t group, size_t column) {
  uint32_t count = 0;
  uint64_t bytes = 0;
  const aq_pq_chunk *chunks = chunks_of(reader, group, column, &count);
  for (uint32_t i = 0; i < count; i++) bytes += chunks[i].end - chunks[i].start;
  return bytes;
}

const char *aq_pq_chunk_codec(const aq_pq_reader *reader, size_t group, size_t column) {
  uint32_t count = 0;
  const aq_pq_chunk *chunks = chunks_of(reader, group, column, &count);
  return aq_pq_codec_name(chunks != NULL ? chunks[0].codec : -1);
}

size_t aq_pq_metadata_count(const aq_pq_reader *reader) { return reader->footer.pair_count; }

const char *aq_pq_metadata_key(const aq_pq_reader *reader, size_t i) {
  return i < reader->footer.pair_count ? reader->footer.pairs[i].key : NULL;
}

const char *aq_pq_metadata_value(const aq_pq_reader *reader, size_t i) {
  return i < reader->footer.pair_count ? reader->footer.pairs[i].value : NULL;
}
