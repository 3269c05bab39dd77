/* column_buffer.c - collecting the values of a column until its row group is full.
 *
 * Definition levels: 0 null, 1 value; of a list 0 null, 1 empty, 3 element (2 would be a null element, which cannot be
 * written). Repetition level of a list: 0 at the first element of a row, 1 at the others. */
#include "parquet/write/column_buffer.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

/* Limit on a value that shares its page with others. */
#define SMALL_VALUE ((uint64_t)64 << 20)
/* An estimate of level, length and page header. */
#define VALUE_OVERHEAD 16
/* Bytes of a list's element, int32 or FP32. */
#define LIST_ELEMENT 4

static aq_status fail_size(const aq_column_buffer *column, uint64_t size, uint64_t limit, aq_error *err) {
  return aq_fail(err, AQ_ERR_ARGUMENT, "column '%s': a value of %llu bytes is too large; at most %llu", column->name,
                 (unsigned long long)size, (unsigned long long)limit);
}

static uint64_t cell_bytes(const aq_column_buffer *column, const aq_pq_cell *cell) {
  if (cell->is_null) return 0;
  if (column->is_blob && cell->fill == NULL && cell->take != NULL) return cell->take->size;
  switch (column->kind) {
    case AQ_PQ_INT32:
      return 4;
    case AQ_PQ_INT64:
      return 8;
    case AQ_PQ_LIST_INT32:
    case AQ_PQ_LIST_FLOAT:
      return cell->list_length > SMALL_VALUE ? UINT64_MAX : (uint64_t)cell->list_length * LIST_ELEMENT;
    default:
      return cell->size;
  }
}

aq_status aq_column_cell_size(const aq_column_buffer *column, const aq_pq_cell *cell, uint64_t *size, aq_error *err) {
  const uint64_t bytes = cell_bytes(column, cell);
  const uint64_t limit = column->is_blob ? AQ_PQ_MAX_VALUE : SMALL_VALUE;
  if (bytes > limit) return fail_size(column, bytes, limit, err);
  AQ_FAIL_IF(!cell->is_null && column->kind == AQ_PQ_INT32 && cell->integer != (int32_t)cell->integer, AQ_ERR_ARGUMENT,
             "column '%s': %lld does not fit 32 bits", column->name, (long long)cell->integer);
  *size = bytes + VALUE_OVERHEAD;
  return AQ_OK;
}

static aq_status add_blob(aq_column_buffer *column, const aq_pq_cell *cell, aq_error *err) {
  if (column->blob_count == column->blob_capacity) {
    const size_t capacity = column->blob_capacity == 0 ? 64 : column->blob_capacity * 2;
    aq_blob *blobs = aq_realloc_array(column->blobs, capacity, sizeof *blobs);
    if (blobs == NULL) return aq_fail_memory(err, capacity * sizeof *blobs);
    column->blobs = blobs;
    column->blob_capacity = capacity;
  }
  aq_blob blob = {.is_null = cell->is_null, .budgeted = cell->budgeted};
  if (!cell->is_null && cell->fill != NULL) {
    blob.fill = cell->fill;
    blob.fill_ctx = cell->fill_ctx;
    blob.size = cell->size;
  } else if (!cell->is_null && cell->take != NULL) {
    blob.bytes = *cell->take;
    *cell->take = (aq_buffer){NULL, 0, 0};
  } else if (!cell->is_null) {
    AQ_TRY(aq_buffer_append(&blob.bytes, cell->bytes, (size_t)cell->size, err));
  }
  column->blobs[column->blob_count++] = blob;
  return AQ_OK;
}

static aq_status add_list(aq_column_buffer *column, const aq_pq_cell *cell, aq_error *err) {
  if (cell->is_null || cell->list_length == 0) {
    AQ_TRY(aq_buffer_append_byte(&column->repeats, 0, err));
    return aq_buffer_append_byte(&column->levels, cell->is_null ? 0 : 1, err);
  }
  const size_t n = cell->list_length;
  AQ_TRY(aq_buffer_reserve(&column->repeats, n, err));
  AQ_TRY(aq_buffer_reserve(&column->levels, n, err));
  memset(column->repeats.data + column->repeats.size, 1, n);
  column->repeats.data[column->repeats.size] = 0;
  column->repeats.size += n;
  memset(column->levels.data + column->levels.size, 3, n);
  column->levels.size += n;
  column->values += n;
  const void *elements = column->kind == AQ_PQ_LIST_FLOAT ? (const void *)cell->floats : cell->list;
  return aq_buffer_append(&column->plain, elements, n * LIST_ELEMENT, err);
}

static aq_status add_bytes(aq_column_buffer *column, const aq_pq_cell *cell, aq_error *err) {
  uint8_t length[4];
  aq_store_u32(length, (uint32_t)cell->size);
  AQ_TRY(aq_buffer_append(&column->plain, length, sizeof length, err));
  return aq_buffer_append(&column->plain, cell->bytes, (size_t)cell->size, err);
}

aq_status aq_column_add(aq_column_buffer *column, const aq_pq_cell *cell, aq_error *err) {
  if (column->is_blob) return add_blob(column, cell, err);
  if (aq_pq_is_list(column->kind)) return add_list(column, cell, err);
  AQ_TRY(aq_buffer_append_byte(&column->levels, cell->is_null ? 0 : 1, err));
  if (cell->is_null) return AQ_OK;
  column->values++;
  if (column->kind != AQ_PQ_INT32 && column->kind != AQ_PQ_INT64) return add_bytes(column, cell, err);
  /* Little-endian, so the low half of an INT64 is the INT32. */
  return aq_buffer_append(&column->plain, &cell->integer, column->kind == AQ_PQ_INT32 ? 4 : 8, err);
}

void aq_column_clear(aq_column_buffer *column) {
  for (size_t i = 0; i < column->blob_count; i++) aq_buffer_reset(&column->blobs[i].bytes);
  column->blob_count = 0;
  column->levels.size = column->repeats.size = column->plain.size = 0;
  column->values = 0;
}

void aq_column_reset(aq_column_buffer *column) {
  aq_column_clear(column);
  aq_free(column->blobs);
  aq_buffer_reset(&column->levels);
  aq_buffer_reset(&column->repeats);
  aq_buffer_reset(&column->plain);
  aq_free(column->name);
  *column = (aq_column_buffer){.name = NULL};
}
