/* footer.c - the footer of a Parquet file (FileMetaData), checked and in our own terms.
 *
 *   file  =  "PAR1"  pages  FileMetaData  u32 size of FileMetaData  "PAR1"
 *
 * "PARE" in place of the last "PAR1" is an encrypted footer. The arrays below grow as elements are read, so that a
 * count in the file cannot make us allocate what the file does not hold. */
#include "parquet/read/footer.h"

#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"

#define TAIL_SIZE 8 /* u32 footer size, magic */
#define MAX_ROWS_OF_GROUP ((int64_t)INT32_MAX)

typedef struct raw_footer {
  aq_pq_footer *footer;
  aq_pq_schema_node *nodes;
  size_t node_count, node_capacity, group_capacity, pair_capacity;
  size_t chunk_count, chunk_capacity; /* of the row group being read */
  size_t chunks_of_group;             /* in the first one */
  int64_t rows;
  aq_error *err;
  aq_status status; /* of what Thrift does not know about: memory, wrong numbers */
} raw_footer;

/* Makes room for one more element; false, with the error set, when there is none. */
static bool grow(raw_footer *raw, void **array, size_t count, size_t *capacity, size_t element_size) {
  if (raw->status != AQ_OK) return false;
  if (count < *capacity) return true;
  const size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
  void *bigger = aq_realloc_array(*array, wanted, element_size);
  if (bigger == NULL) {
    raw->status = aq_fail_memory(raw->err, wanted * element_size);
    return false;
  }
  *array = bigger;
  *capacity = wanted;
  return true;
}

static char *copy_text(raw_footer *raw, aq_thrift_text text) {
  char *copy = aq_strndup(text.bytes, text.size);
  if (copy == NULL) raw->status = aq_fail_memory(raw->err, text.size);
  return copy;
}

static void read_node(aq_thrift *t, raw_footer *raw) {
  void *array = raw->nodes;
  if (!grow(raw, &array, raw->node_count, &raw->node_capacity, sizeof *raw->nodes)) return;
  raw->nodes = array;
  aq_pq_schema_node_read(t, &raw->nodes[raw->node_count++]);
}

static void read_pair(aq_thrift *t, raw_footer *raw) {
  aq_thrift_text key = {"", 0}, value = {"", 0};
  void *array = raw->footer->pairs;
  if (!aq_thrift_enter(t, NULL)) return;
  if (!grow(raw, &array, raw->footer->pair_count, &raw->pair_capacity, sizeof *raw->footer->pairs)) return;
  raw->footer->pairs = array;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    if (f.id == 1)
      key = aq_thrift_binary(t, &f);
    else if (f.id == 2)
      value = aq_thrift_binary(t, &f);
    else
      aq_thrift_skip(t, &f);
  }
  aq_thrift_leave(t);
  aq_pq_pair *pair = &raw->footer->pairs[raw->footer->pair_count++];
  pair->key = copy_text(raw, key);
  pair->value = copy_text(raw, value);
}

/* ColumnMetaData as it stands in the file; numbers are checked in place_chunk. */
typedef struct raw_chunk {
  aq_pq_chunk chunk;
  int64_t values, size, data_offset, dictionary_offset;
  bool has_metadata;
} raw_chunk;

static void read_column_metadata(aq_thrift *t, const aq_thrift_field *field, raw_chunk *raw) {
  if (!aq_thrift_enter(t, field)) return;
  raw->has_metadata = true;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    switch (f.id) {
      case 1:
        raw->chunk.type = aq_thrift_i32(t, &f);
        break;
      case 4:
        raw->chunk.codec = aq_thrift_i32(t, &f);
        break;
      case 5:
        raw->values = aq_thrift_i64(t, &f);
        break;
      case 7:
        raw->size = aq_thrift_i64(t, &f);
        break;
      case 9:
        raw->data_offset = aq_thrift_i64(t, &f);
        break;
      case 11:
        raw->dictionary_offset = aq_thrift_i64(t, &f);
        break;
      default:
        aq_thrift_skip(t, &f);
        break;
    }
  }
  aq_thrift_leave(t);
}

/* The first page starts at the smaller of the two offsets: writers differ in which of them they give, and some name
 * the dictionary page as the first data page. */
static aq_status place_chunk(const raw_chunk *raw, uint64_t limit, aq_pq_chunk *chunk, aq_error *err) {
  *chunk = raw->chunk;
  if (chunk->is_encrypted || chunk->is_external) return AQ_OK;
  AQ_FAIL_IF(!raw->has_metadata || raw->values < 0 || raw->size < 0, AQ_ERR_FORMAT,
             "a column chunk has no metadata, or negative counts");
  chunk->values = (uint64_t)raw->values;
  if (raw->values == 0) return AQ_OK;
  int64_t start = raw->data_offset;
  if (raw->dictionary_offset >= 4 && (start < 4 || raw->dictionary_offset < start)) start = raw->dictionary_offset;
  AQ_FAIL_IF(start < 4 || !aq_range_ok((uint64_t)start, (uint64_t)raw->size, limit), AQ_ERR_FORMAT,
             "a column chunk of %lld bytes at offset %lld does not lie between the file's head and its footer",
             (long long)raw->size, (long long)start);
  chunk->start = (uint64_t)start;
  chunk->end = chunk->start + (uint64_t)raw->size;
  return AQ_OK;
}

static void read_chunk(aq_thrift *t, raw_footer *raw, aq_pq_chunk *chunk) {
  raw_chunk c = {.chunk = {.type = -1, .codec = -1}};
  if (!aq_thrift_enter(t, NULL)) return;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    switch (f.id) {
      case 1:
        c.chunk.is_external = aq_thrift_binary(t, &f).size != 0;
        break;
      case 3:
        read_column_metadata(t, &f, &c);
        break;
      case 8: /* ColumnCryptoMetaData; 9: encrypted ColumnMetaData */
      case 9:
        c.chunk.is_encrypted = true;
        aq_thrift_skip(t, &f);
        break;
      default:
        aq_thrift_skip(t, &f);
        break;
    }
  }
  aq_thrift_leave(t);
  if (t->problem == NULL && raw->status == AQ_OK) raw->status = place_chunk(&c, raw->footer->start, chunk, raw->err);
}

/* The chunks of one row group. */
static void read_chunks(aq_thrift *t, const aq_thrift_field *field, raw_footer *raw, aq_pq_group *group) {
  const uint32_t count = aq_thrift_list(t, field, AQ_TH_STRUCT);
  for (uint32_t i = 0; i < count && t->problem == NULL && raw->status == AQ_OK; i++) {
    void *array = group->chunks;
    if (!grow(raw, &array, raw->chunk_count, &raw->chunk_capacity, sizeof *group->chunks)) return;
    group->chunks = array;
    read_chunk(t, raw, &group->chunks[raw->chunk_count++]);
  }
}

static aq_status check_group(const raw_footer *raw, aq_pq_group *group, int64_t rows, aq_error *err) {
  AQ_FAIL_IF(rows < 0 || rows > MAX_ROWS_OF_GROUP, AQ_ERR_FORMAT, "a row group claims %lld rows", (long long)rows);
  group->rows = (uint64_t)rows;
  /* The schema comes before the row groups in every file seen, but nothing demands it: compared at the end. */
  AQ_FAIL_IF(raw->footer->group_count > 1 && raw->chunk_count != raw->chunks_of_group, AQ_ERR_FORMAT,
             "a row group has %zu column chunks and the first one %zu", raw->chunk_count, raw->chunks_of_group);
  return AQ_OK;
}

static void read_group(aq_thrift *t, raw_footer *raw) {
  aq_pq_footer *footer = raw->footer;
  void *array = footer->groups;
  if (!aq_thrift_enter(t, NULL)) return;
  if (!grow(raw, &array, footer->group_count, &raw->group_capacity, sizeof *footer->groups)) return;
  footer->groups = array;
  aq_pq_group *group = &footer->groups[footer->group_count++];
  *group = (aq_pq_group){0};
  raw->chunk_count = raw->chunk_capacity = 0;
  int64_t rows = -1;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    if (f.id == 1)
      read_chunks(t, &f, raw, group);
    else if (f.id == 3)
      rows = aq_thrift_i64(t, &f);
    else
      aq_thrift_skip(t, &f);
  }
  aq_thrift_leave(t);
  if (footer->group_count == 1) raw->chunks_of_group = raw->chunk_count;
  if (t->problem == NULL && raw->status == AQ_OK) raw->status = check_group(raw, group, rows, raw->err);
}

static void read_created_by(aq_thrift *t, const aq_thrift_field *field, raw_footer *raw) {
  aq_free(raw->footer->created_by);
  raw->footer->created_by = copy_text(raw, aq_thrift_binary(t, field));
}

static void read_list(aq_thrift *t, const aq_thrift_field *field, raw_footer *raw,
                      void (*read)(aq_thrift *, raw_footer *)) {
  const uint32_t count = aq_thrift_list(t, field, AQ_TH_STRUCT);
  for (uint32_t i = 0; i < count && t->problem == NULL && raw->status == AQ_OK; i++) read(t, raw);
}

static void read_file_metadata(aq_thrift *t, raw_footer *raw) {
  for (aq_thrift_field f = {0, 0}; raw->status == AQ_OK && aq_thrift_next(t, &f);) {
    switch (f.id) {
      case 2:
        read_list(t, &f, raw, read_node);
        break;
      case 3:
        raw->rows = aq_thrift_i64(t, &f);
        break;
      case 4:
        read_list(t, &f, raw, read_group);
        break;
      case 5:
        read_list(t, &f, raw, read_pair);
        break;
      case 6:
        read_created_by(t, &f, raw);
        break;
      default:
        aq_thrift_skip(t, &f);
        break;
    }
  }
}

/* What can be compared only when all is read. */
static aq_status finish(raw_footer *raw, aq_error *err) {
  aq_pq_footer *footer = raw->footer;
  AQ_TRY(aq_pq_columns_make(raw->nodes, raw->node_count, &footer->columns, &footer->column_count, &footer->leaf_count,
                            err));
  AQ_FAIL_IF(footer->group_count > 0 && raw->chunks_of_group != footer->leaf_count, AQ_ERR_FORMAT,
             "row groups have %zu column chunks but the schema %zu columns", raw->chunks_of_group, footer->leaf_count);
  uint64_t rows = 0;
  for (size_t g = 0; g < footer->group_count; g++) rows += footer->groups[g].rows; /* each below 2^31 */
  AQ_FAIL_IF(raw->rows < 0 || rows != (uint64_t)raw->rows, AQ_ERR_FORMAT,
             "the footer claims %lld rows but its row groups add up to %llu", (long long)raw->rows,
             (unsigned long long)rows);
  footer->rows = rows;
  return AQ_OK;
}

static aq_status parse(const aq_file *file, uint32_t size, aq_pq_footer *footer, aq_error *err) {
  raw_footer raw = {.footer = footer, .rows = -1, .err = err};
  aq_thrift t;
  aq_thrift_init(&t, file->map + footer->start, size);
  read_file_metadata(&t, &raw);
  aq_status status = raw.status;
  if (t.problem != NULL && status == AQ_OK) {
    status = aq_fail(err, AQ_ERR_FORMAT, "the footer %s", t.problem);
    aq_error_at(err, status, (int64_t)(footer->start + aq_thrift_used(&t)));
  } else if (status != AQ_OK) {
    aq_error_at(err, status, (int64_t)footer->start);
    if (err != NULL && footer->group_count > 0) err->row_group = (int32_t)AQ_MIN(footer->group_count - 1, INT32_MAX);
  }
  if (status == AQ_OK) status = finish(&raw, err);
  aq_free(raw.nodes);
  return status;
}

/* Head and tail of the file; *size is that of FileMetaData. */
static aq_status check_frame(const aq_file *file, uint32_t *size, aq_error *err) {
  AQ_FAIL_IF(file->size < 4 + TAIL_SIZE || (memcmp(file->map, "PAR1", 4) != 0 && memcmp(file->map, "PARE", 4) != 0),
             AQ_ERR_FORMAT, "not a Parquet file: it does not begin with PAR1");
  const uint8_t *tail = file->map + file->size - TAIL_SIZE;
  if (memcmp(tail + 4, "PARE", 4) == 0)
    return aq_fail(err, AQ_ERR_UNSUPPORTED, "the footer is encrypted (PARE); encrypted files cannot be read");
  if (memcmp(tail + 4, "PAR1", 4) != 0) {
    aq_fail(err, AQ_ERR_CORRUPT, "the file does not end with PAR1: it was cut off or never finished");
    return aq_error_hint(err, AQ_ERR_CORRUPT, "Copy or write it again");
  }
  *size = aq_load_u32(tail);
  AQ_FAIL_IF(*size > file->size - 4 - TAIL_SIZE, AQ_ERR_CORRUPT, "the footer claims %lu bytes, more than the file has",
             (unsigned long)*size);
  return AQ_OK;
}

aq_status aq_pq_footer_read(const aq_file *file, aq_pq_footer *footer, aq_error *err) {
  *footer = (aq_pq_footer){0};
  uint32_t size = 0;
  aq_status status = check_frame(file, &size, err);
  if (status == AQ_OK) {
    footer->start = file->size - TAIL_SIZE - size;
    status = parse(file, size, footer, err);
  }
  if (status != AQ_OK) aq_pq_footer_reset(footer);
  return status;
}

void aq_pq_footer_reset(aq_pq_footer *footer) {
  for (size_t g = 0; g < footer->group_count; g++) aq_free(footer->groups[g].chunks);
  for (size_t i = 0; i < footer->pair_count; i++) {
    aq_free(footer->pairs[i].key);
    aq_free(footer->pairs[i].value);
  }
  aq_free(footer->groups);
  aq_free(footer->pairs);
  aq_free(footer->created_by);
  aq_pq_columns_free(footer->columns, footer->column_count);
  *footer = (aq_pq_footer){0};
}
