/* value.c - one string or binary value: its size, and its bytes. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"
#include "parquet/read/decoded.h"
#include "parquet/read/value_location.h"

/* What a value of a shared page takes in the file: the page's bytes by size for values written out one after another,
 * and in equal parts where they are indices into a dictionary. */
static uint64_t share(const aq_pq_decoded *decoded, const aq_pq_span *span) {
  const aq_pq_page *page = decoded->page;
  const uint64_t bytes = aq_pq_page_bytes(page);
  const int32_t encoding = page->header.encoding;
  if (encoding == AQ_PQ_ENC_PLAIN_DICTIONARY || encoding == AQ_PQ_ENC_RLE_DICTIONARY)
    return bytes / page->header.values;
  const double part = (double)(span->size + 4) / (double)decoded->plain_size;
  return span->data != NULL ? (uint64_t)((double)bytes * part) : 0;
}

static aq_status size_of(const aq_pq_value_location *location, uint64_t *size, uint64_t *stored, aq_error *err) {
  aq_pq_value_prefix prefix;
  if (aq_pq_value_prefix_read(location, &prefix)) {
    *size = prefix.is_null ? AQ_PQ_NULL_SIZE : prefix.size;
    *stored = aq_pq_page_bytes(location->page);
    return AQ_OK;
  }
  aq_pq_decoded *decoded = NULL;
  AQ_TRY(aq_pq_decoded_get(&location->chunk, location->pages, location->page, &decoded, err));
  const aq_pq_span *span = &decoded->spans[location->index];
  *size = span->data != NULL ? span->size : AQ_PQ_NULL_SIZE;
  *stored = location->page->header.values == 1 ? aq_pq_page_bytes(location->page) : share(decoded, span);
  aq_pq_decoded_put(&location->chunk, decoded, false);
  return AQ_OK;
}

aq_status aq_pq_value_size(aq_pq_reader *reader, size_t group, size_t column, uint64_t row, uint64_t *size,
                           uint64_t *stored, aq_error *err) {
  aq_pq_value_location location;
  aq_status status = aq_pq_value_locate(reader, group, column, row, &location, err);
  if (status == AQ_OK) status = size_of(&location, size, stored, err);
  return aq_pq_add_context(reader, group, status, err);
}

/* Hands out a span: as a view where it lies in the file, with the page's memory when that is all its own (`take`), else
 * as a copy. */
static aq_status hand_out(const aq_pq_value_location *location, aq_pq_decoded *decoded, bool take, aq_pq_value *out,
                          aq_error *err) {
  const aq_pq_reader *reader = location->chunk.reader;
  const aq_pq_span *span = &decoded->spans[location->index];
  *out = (aq_pq_value){.data = span->data, .size = span->size};
  if (span->data == NULL) return AQ_OK;
  const bool in_body = decoded->body.owned != NULL && decoded->dictionary.count == 0 && decoded->scratch == NULL;
  if (aq_pq_in_map(reader, span->data)) {
    out->is_view = true;
    out->file_offset = (uint64_t)(span->data - reader->file.map);
  } else if (take && in_body) {
    out->owned = decoded->body.owned;
    decoded->body.owned = NULL;
  } else {
    AQ_TRY(aq_pq_check_memory(reader, decoded->page->header.plain_size + span->size, err));
    uint8_t *copy = aq_malloc((size_t)span->size);
    if (copy == NULL) return aq_fail_memory(err, (size_t)span->size);
    memcpy(copy, span->data, (size_t)span->size);
    out->owned = copy;
    out->data = copy;
  }
  return AQ_OK;
}

/* A page with one value is not worth keeping: its memory goes to the caller. */
static aq_status read_value(const aq_pq_value_location *location, aq_pq_value *out, aq_error *err) {
  const bool only = location->page->header.values == 1;
  aq_pq_decoded *decoded = NULL;
  if (only)
    AQ_TRY(aq_pq_decoded_make(&location->chunk, location->pages, location->page, NULL, &decoded, err));
  else
    AQ_TRY(aq_pq_decoded_get(&location->chunk, location->pages, location->page, &decoded, err));
  const aq_status status = hand_out(location, decoded, only, out, err);
  if (only)
    aq_pq_decoded_free(decoded);
  else
    aq_pq_decoded_put(&location->chunk, decoded, false);
  return status;
}

aq_status aq_pq_read_value(aq_pq_reader *reader, size_t group, size_t column, uint64_t row, aq_pq_value *out,
                           aq_error *err) {
  aq_pq_value_location location;
  *out = (aq_pq_value){0};
  aq_status status = aq_pq_value_locate(reader, group, column, row, &location, err);
  if (status == AQ_OK) status = read_value(&location, out, err);
  return aq_pq_add_context(reader, group, status, err);
}

void aq_pq_value_reset(aq_pq_value *value) {
  aq_free(value->owned);
  *value = (aq_pq_value){0};
}
