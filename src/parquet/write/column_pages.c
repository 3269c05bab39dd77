/* column_pages.c - from the buffered values of a column to pages.
 *
 * A blob column has a page a value; every other column one data page. All are PLAIN: a dictionary for the few distinct
 * dtypes saves a hundred bytes at most once the page is compressed, and a string column that has one in some row groups
 * and none in others loses values in fastparquet (2026.9). */
#include "core/error.h"
#include "core/memory.h"
#include "parquet/write/column_buffer.h"
#include "parquet/write/level_write.h"

/* Levels, then the values. */
static aq_status data_page(const aq_column_buffer *column, aq_page *page, aq_error *err) {
  const bool is_list = aq_pq_is_list(column->kind);
  AQ_FAIL_IF(column->levels.size > INT32_MAX, AQ_ERR_ARGUMENT, "column '%s': a row group of %zu values is too large",
             column->name, column->levels.size);
  page->value_count = (uint32_t)column->levels.size;
  if (is_list) AQ_TRY(aq_levels_append(column->repeats.data, column->repeats.size, 1, &page->head, err));
  AQ_TRY(aq_levels_append(column->levels.data, column->levels.size, is_list ? 2 : 1, &page->head, err));
  return aq_buffer_append(&page->head, column->plain.data, column->plain.size, err);
}

static aq_status chunk_pages_create(aq_chunk *chunk, size_t count, aq_error *err) {
  chunk->pages = aq_calloc(count, sizeof *chunk->pages);
  if (chunk->pages == NULL) return aq_fail_memory(err, count * sizeof *chunk->pages);
  chunk->page_count = count;
  return AQ_OK;
}

static aq_status blob_pages(const aq_column_buffer *column, aq_chunk *chunk, aq_error *err) {
  AQ_TRY(chunk_pages_create(chunk, column->blob_count, err));
  chunk->align = true;
  for (size_t i = 0; i < column->blob_count; i++) {
    const aq_blob *blob = &column->blobs[i];
    aq_page *page = &chunk->pages[i];
    page->value_count = 1;
    page->value = blob->bytes.data;
    page->value_size = blob->bytes.size;
    page->budgeted = blob->budgeted;
    chunk->budgeted = chunk->budgeted || blob->budgeted;
    AQ_TRY(aq_blob_head(blob->is_null, blob->bytes.size, &page->head, err));
  }
  return AQ_OK;
}

aq_status aq_column_pages(const aq_column_buffer *column, aq_chunk *chunk, aq_error *err) {
  if (column->is_blob && column->blob_count == 1 && column->blobs[0].fill != NULL) return AQ_OK;
  if (column->is_blob) {
    AQ_TRY(blob_pages(column, chunk, err));
  } else {
    AQ_TRY(chunk_pages_create(chunk, 1, err));
    AQ_TRY(data_page(column, &chunk->pages[0], err));
  }
  return aq_chunk_cut(chunk, err);
}
