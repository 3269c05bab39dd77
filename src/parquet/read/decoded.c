/* decoded.c - a page of strings or binaries, decoded to one span a row, and the last such page of each column.
 *
 * Other writers put many tensors into one page. Reading them one by one would decode that page for each of them; a slot
 * a column keeps the last one. It is held under the slot's lock while it is made, so that two threads which want the
 * same page decode it once. */
#include "parquet/read/decoded.h"

#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"

/* Moves the spans of the values that are there to their rows, from the back, and puts nulls between them. */
static void spread(const uint8_t *levels, uint8_t max, uint64_t present, uint64_t rows, aq_pq_span *spans) {
  for (uint64_t i = rows; i-- > 0;) spans[i] = levels[i] == max ? spans[--present] : (aq_pq_span){NULL, 0};
}

static uint64_t count_present(const uint8_t *levels, uint8_t max, uint64_t rows) {
  uint64_t present = 0;
  for (uint64_t i = 0; i < rows; i++) present += levels[i] == max;
  return present;
}

static aq_status decode_spans(const aq_pq_column_chunk *chunk, const aq_pq_dictionary *dictionary, aq_pq_decoded *d,
                              uint8_t *levels, aq_error *err) {
  const uint64_t rows = d->page->header.values;
  const uint8_t max = chunk->schema->max_def;
  AQ_TRY(aq_pq_body_def_levels(chunk, d->page, &d->body, levels, err));
  const uint64_t present = count_present(levels, max, rows);
  AQ_TRY(aq_pq_values_spans(chunk, d->page, &d->body, dictionary, present, d->spans, &d->scratch, err));
  for (uint64_t i = 0; i < present; i++) d->plain_size += d->spans[i].size + 4;
  spread(levels, max, present, rows, d->spans);
  return AQ_OK;
}

static bool is_indexed(const aq_pq_page *page) {
  return page->header.encoding == AQ_PQ_ENC_PLAIN_DICTIONARY || page->header.encoding == AQ_PQ_ENC_RLE_DICTIONARY;
}

static aq_status decode(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_pq_page *page,
                        const aq_pq_dictionary *dictionary, aq_pq_decoded *d, aq_error *err) {
  const uint64_t rows = page->header.values;
  d->page = page;
  AQ_TRY(aq_pq_body_load(chunk, page, &d->body, err));
  if (dictionary == NULL && is_indexed(page)) AQ_TRY(aq_pq_dictionary_load(chunk, pages, &d->dictionary, err));
  if (dictionary == NULL) dictionary = &d->dictionary;
  AQ_TRY(aq_pq_check_memory(chunk->reader, page->header.plain_size + rows * (sizeof *d->spans + 1), err));
  uint8_t *levels = aq_malloc((size_t)rows);
  d->spans = aq_realloc_array(NULL, (size_t)rows, sizeof *d->spans);
  const aq_status status = levels != NULL && d->spans != NULL ? decode_spans(chunk, dictionary, d, levels, err)
                                                              : aq_fail_memory(err, (size_t)rows * sizeof *d->spans);
  aq_free(levels);
  return status;
}

aq_status aq_pq_decoded_make(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_pq_page *page,
                             const aq_pq_dictionary *dictionary, aq_pq_decoded **out, aq_error *err) {
  aq_pq_decoded *d = aq_calloc(1, sizeof *d);
  if (d == NULL) return aq_fail_memory(err, sizeof *d);
  const aq_status status = decode(chunk, pages, page, dictionary, d, err);
  if (status != AQ_OK) {
    aq_pq_decoded_free(d);
    return status;
  }
  d->refs = 1;
  *out = d;
  return AQ_OK;
}

void aq_pq_decoded_free(aq_pq_decoded *decoded) {
  if (decoded == NULL) return;
  aq_pq_body_reset(&decoded->body);
  aq_pq_dictionary_reset(&decoded->dictionary);
  aq_free(decoded->scratch);
  aq_free(decoded->spans);
  aq_free(decoded);
}

/* Takes one hold off; the slot's lock is held. */
static void release(aq_pq_decoded *decoded) {
  if (decoded != NULL && --decoded->refs == 0) aq_pq_decoded_free(decoded);
}

aq_status aq_pq_decoded_get(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_pq_page *page, aq_pq_decoded **out,
                            aq_error *err) {
  aq_pq_slot *slot = &chunk->reader->slots[chunk->column];
  aq_status status = AQ_OK;
  aq_lock_take(&slot->lock);
  if (slot->page == NULL || slot->page->page != page) {
    release(slot->page); /* first, so that never two are there */
    slot->page = NULL;
    status = aq_pq_decoded_make(chunk, pages, page, NULL, &slot->page, err);
  }
  if (status == AQ_OK) slot->page->refs++;
  *out = slot->page;
  aq_lock_release(&slot->lock);
  return status;
}

void aq_pq_decoded_put(const aq_pq_column_chunk *chunk, aq_pq_decoded *decoded, bool forget) {
  aq_pq_slot *slot = &chunk->reader->slots[chunk->column];
  aq_lock_take(&slot->lock);
  if (forget && slot->page == decoded) {
    slot->page = NULL;
    release(decoded);
  }
  release(decoded);
  aq_lock_release(&slot->lock);
}
