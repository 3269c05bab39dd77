/* chunk_pages.c - the list of a chunk's pages.
 *
 * Nothing in a file says how many pages a chunk has, so the list is made by reading a header, skipping its body, and so
 * on until the chunk's values are all there. Page indexes, where a file has them, are not needed for that. */
#include "parquet/read/chunk_pages.h"

#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"

uint64_t aq_pq_page_bytes(const aq_pq_page *page) {
  return page->body_offset - page->header_offset + page->header.stored_size;
}

bool aq_pq_page_is_stored_plain(const aq_pq_column_chunk *chunk, const aq_pq_page *page) {
  return chunk->meta->codec == AQ_PQ_UNCOMPRESSED ||
         (page->header.type == AQ_PQ_PAGE_DATA_V2 && !page->header.is_compressed);
}

static aq_status read_page(const aq_pq_column_chunk *chunk, uint64_t at, aq_pq_page *page, aq_error *err) {
  size_t used = 0;
  const uint64_t left = chunk->meta->end - at;
  AQ_TRY(aq_pq_page_header_read(chunk->reader->file.map + at, (size_t)left, &page->header, &used, err));
  page->header_offset = at;
  page->body_offset = at + used;
  page->frames = NULL;
  page->is_verified = !page->header.has_crc;
  AQ_FAIL_IF(page->header.stored_size > left - used, AQ_ERR_FORMAT,
             "a page claims %lu bytes where its column chunk has %llu left", (unsigned long)page->header.stored_size,
             (unsigned long long)(left - used));
  return AQ_OK;
}

static aq_status add_page(aq_pq_pages *pages, size_t *capacity, const aq_pq_page *page, aq_error *err) {
  if (pages->count == *capacity) {
    const size_t wanted = *capacity == 0 ? 4 : *capacity * 2;
    aq_pq_page *bigger = aq_realloc_array(pages->data, wanted, sizeof *bigger);
    if (bigger == NULL) return aq_fail_memory(err, wanted * sizeof *bigger);
    pages->data = bigger;
    *capacity = wanted;
  }
  pages->data[pages->count++] = *page;
  return AQ_OK;
}

static aq_status take_page(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, size_t *capacity, aq_pq_page *page,
                           uint64_t *values, aq_error *err) {
  const aq_pq_page_header *h = &page->header;
  const bool is_flat = chunk->schema->kind != AQ_PQ_OTHER && chunk->schema->max_rep == 0;
  if (h->type == AQ_PQ_PAGE_DICTIONARY) {
    AQ_FAIL_IF(pages->has_dictionary || pages->count > 0, AQ_ERR_FORMAT,
               "a column chunk has a second dictionary page, or one after its data");
    pages->has_dictionary = true;
    pages->dictionary = *page;
  } else if (h->type == AQ_PQ_PAGE_DATA || h->type == AQ_PQ_PAGE_DATA_V2) {
    AQ_FAIL_IF(h->values > chunk->meta->values - *values, AQ_ERR_FORMAT,
               "the pages of a column chunk hold more than its %llu values", (unsigned long long)chunk->meta->values);
    AQ_FAIL_IF(h->type == AQ_PQ_PAGE_DATA_V2 && is_flat && h->rows != h->values, AQ_ERR_FORMAT,
               "a page of a flat column has %lu values in %lu rows", (unsigned long)h->values, (unsigned long)h->rows);
    page->first_value = *values;
    *values += h->values;
    return add_page(pages, capacity, page, err);
  } else {
    AQ_FAIL_IF(h->type != AQ_PQ_PAGE_INDEX, AQ_ERR_UNSUPPORTED, "a page of the unknown type %d", (int)h->type);
  }
  return AQ_OK;
}

static aq_status walk(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_error *err) {
  size_t capacity = 0;
  uint64_t at = chunk->meta->start, values = 0;
  while (values < chunk->meta->values) {
    aq_pq_page page = {.first_value = 0};
    AQ_FAIL_IF(at >= chunk->meta->end, AQ_ERR_FORMAT, "a column chunk ends after %llu of its %llu values",
               (unsigned long long)values, (unsigned long long)chunk->meta->values);
    aq_status status = read_page(chunk, at, &page, err);
    if (status == AQ_OK) status = take_page(chunk, pages, &capacity, &page, &values, err);
    if (status == AQ_OK) status = aq_pq_check_memory(chunk->reader, capacity * sizeof page, err);
    if (status != AQ_OK) return aq_error_at(err, status, (int64_t)at);
    at = page.body_offset + page.header.stored_size;
  }
  return AQ_OK;
}

static aq_status check_values(const aq_pq_column_chunk *chunk, aq_error *err) {
  const uint64_t rows = chunk->reader->footer.groups[chunk->group].rows, values = chunk->meta->values;
  const bool known = chunk->schema->kind != AQ_PQ_OTHER;
  AQ_FAIL_IF(known && (chunk->schema->max_rep == 0 ? values != rows : values < rows), AQ_ERR_FORMAT,
             "column '%.100s' has %llu values for %llu rows", chunk->schema->name, (unsigned long long)values,
             (unsigned long long)rows);
  return AQ_OK;
}

static aq_status make_pages(const aq_pq_column_chunk *chunk, aq_pq_pages **out, aq_error *err) {
  AQ_TRY(check_values(chunk, err));
  aq_pq_pages *pages = aq_calloc(1, sizeof *pages);
  if (pages == NULL) return aq_fail_memory(err, sizeof *pages);
  const aq_status status = walk(chunk, pages, err);
  if (status != AQ_OK) {
    aq_pq_pages_free(pages);
    return status;
  }
  *out = pages;
  return AQ_OK;
}

aq_status aq_pq_pages_get(const aq_pq_column_chunk *chunk, aq_pq_pages **out, aq_error *err) {
  aq_pq_reader *reader = chunk->reader;
  aq_pq_pages **kept = &reader->pages[chunk->group * reader->footer.leaf_count + chunk->leaf];
  aq_status status = AQ_OK;
  aq_lock_take(&reader->lock);
  if (*kept == NULL) status = make_pages(chunk, kept, err);
  *out = *kept;
  aq_lock_release(&reader->lock);
  return status;
}

void aq_pq_pages_free(aq_pq_pages *pages) {
  if (pages == NULL) return;
  aq_free(pages->data);
  aq_free(pages);
}

aq_pq_page *aq_pq_pages_find(const aq_pq_pages *pages, uint64_t value) {
  size_t low = 0, high = pages->count;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (pages->data[middle].first_value <= value)
      low = middle;
    else
      high = middle;
  }
  return &pages->data[low];
}
