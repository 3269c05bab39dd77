/* value_limits.c - pages of values checked by what their rows say, before anything is unpacked. */
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "parquet/parquet.h"
#include "parquet/read/chunk_pages.h"

/* Levels and lengths, and what writers leave in a page besides; a dictionary may have entries that no row has. */
#define VALUE_BYTES ((uint64_t)64)
#define PAGE_BYTES ((uint64_t)1 << 20)

/* What `count` rows from `first` on account for. */
static uint64_t add_up(const uint64_t *sizes, uint64_t first, uint64_t count) {
  uint64_t total = PAGE_BYTES;
  for (uint64_t i = first; i < first + count; i++) {
    if (!aq_add_ok(total, VALUE_BYTES, &total) || !aq_add_ok(total, sizes[i], &total)) return UINT64_MAX;
  }
  return total;
}

static aq_status check_pages(aq_pq_column_chunk *chunk, const uint64_t *sizes, aq_error *err) {
  aq_pq_pages *pages = NULL;
  const uint64_t rows = chunk->reader->footer.groups[chunk->group].rows;
  AQ_TRY(aq_pq_pages_get(chunk, &pages, err));
  if (pages->has_dictionary) {
    chunk->most = add_up(sizes, 0, rows);
    AQ_TRY(aq_pq_check_unpacked(chunk, pages->dictionary.header.plain_size, err));
  }
  for (size_t p = 0; p < pages->count; p++) {
    const aq_pq_page *page = &pages->data[p];
    const uint64_t left = page->first_value < rows ? rows - page->first_value : 0;
    chunk->most = add_up(sizes, page->first_value, AQ_MIN((uint64_t)page->header.values, left));
    AQ_TRY(aq_pq_check_unpacked(chunk, page->header.plain_size, err));
  }
  return AQ_OK;
}

aq_status aq_pq_check_sizes(aq_pq_reader *reader, size_t group, size_t column, const uint64_t *sizes, aq_error *err) {
  aq_pq_column_chunk chunk;
  aq_status status = aq_pq_column_chunk_find(reader, group, column, 0, &chunk, err);
  if (status == AQ_OK) status = check_pages(&chunk, sizes, err);
  return aq_pq_add_context(reader, group, status, err);
}
