/* chunk_verify.c - going through every page of a column chunk. */

#include "core/compiler.h"
#include "core/crc32.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/read/chunk_pages.h"
#include "parquet/read/decoded.h"

#define BLOCK ((size_t)1 << 18)

/* Reads by position: a large file does not stay in memory. */
static aq_status check_page(const aq_pq_column_chunk *chunk, aq_pq_page *page, uint8_t *block, aq_pq_check *check,
                            aq_error *err) {
  check->pages++;
  check->bytes += aq_pq_page_bytes(page);
  if (!page->header.has_crc) return AQ_OK;
  check->pages_with_crc++;
  uint32_t crc = 0;
  for (uint64_t at = 0; at < page->header.stored_size;) {
    const size_t take = (size_t)AQ_MIN(page->header.stored_size - at, BLOCK);
    AQ_TRY(aq_file_read(&chunk->reader->file, page->body_offset + at, take, block, err));
    crc = aq_crc32(crc, block, take);
    at += take;
  }
  if (crc != page->header.crc) return aq_pq_page_fail_crc(page, crc, err);
  aq_pq_page_set_verified(chunk, page);
  return AQ_OK;
}

static aq_status check_pages(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_pq_check *check, aq_error *err) {
  uint8_t *block = aq_malloc(BLOCK);
  if (block == NULL) return aq_fail_memory(err, BLOCK);
  aq_status status = AQ_OK;
  if (pages->has_dictionary) status = check_page(chunk, &pages->dictionary, block, check, err);
  for (size_t p = 0; p < pages->count && status == AQ_OK; p++)
    status = check_page(chunk, &pages->data[p], block, check, err);
  aq_free(block);
  return status;
}

/* ---- deep ---- */

static aq_status decode_bytes(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_error *err) {
  aq_pq_dictionary dictionary;
  AQ_TRY(aq_pq_dictionary_load(chunk, pages, &dictionary, err));
  aq_status status = AQ_OK;
  for (size_t p = 0; p < pages->count && status == AQ_OK; p++) {
    aq_pq_decoded *decoded = NULL;
    status = aq_pq_decoded_make(chunk, pages, &pages->data[p], &dictionary, &decoded, err);
    if (status == AQ_OK) aq_pq_decoded_free(decoded);
  }
  aq_pq_dictionary_reset(&dictionary);
  return status;
}

static aq_status decode_integers(const aq_pq_column_chunk *chunk, aq_error *err) {
  int64_t *values = NULL;
  uint8_t *valid = NULL;
  AQ_TRY(aq_pq_read_integers(chunk->reader, chunk->group, chunk->column, &values, &valid, err));
  aq_free(values);
  aq_free(valid);
  return AQ_OK;
}

static aq_status decode_lists(const aq_pq_column_chunk *chunk, aq_error *err) {
  aq_pq_lists lists;
  AQ_TRY(aq_pq_read_lists(chunk->reader, chunk->group, chunk->column, &lists, err));
  aq_pq_lists_reset(&lists);
  return AQ_OK;
}

/* Columns that are none of ours are decompressed and left at that. */
static aq_status decompress_pages(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_error *err) {
  aq_pq_body body = {0};
  if (pages->has_dictionary) AQ_TRY(aq_pq_body_load(chunk, &pages->dictionary, &body, err));
  aq_pq_body_reset(&body);
  for (size_t p = 0; p < pages->count; p++) {
    AQ_TRY(aq_pq_body_load(chunk, &pages->data[p], &body, err));
    aq_pq_body_reset(&body);
  }
  return AQ_OK;
}

static aq_status decode_chunk(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_error *err) {
  switch (chunk->schema->kind) {
    case AQ_PQ_STRING:
    case AQ_PQ_BINARY:
      return decode_bytes(chunk, pages, err);
    case AQ_PQ_INT32:
    case AQ_PQ_INT64:
      return decode_integers(chunk, err);
    case AQ_PQ_LIST_INT32:
      return decode_lists(chunk, err);
    case AQ_PQ_LIST_FLOAT:
    case AQ_PQ_REAL: /* which need not be whole numbers where the column is none of ours */
    case AQ_PQ_LIST_REAL:
    case AQ_PQ_OTHER:
      break;
  }
  return decompress_pages(chunk, pages, err);
}

static aq_status verify_leaf(const aq_pq_column_chunk *chunk, bool deep, aq_pq_check *out, aq_error *err) {
  aq_pq_pages *pages = NULL;
  AQ_TRY(aq_pq_pages_get(chunk, &pages, err));
  AQ_TRY(check_pages(chunk, pages, out, err));
  return deep ? decode_chunk(chunk, pages, err) : AQ_OK;
}

aq_status aq_pq_verify_chunk(aq_pq_reader *reader, size_t group, size_t column, bool deep, aq_pq_check *out,
                             aq_error *err) {
  *out = (aq_pq_check){0, 0, 0};
  aq_status status = AQ_OK;
  const size_t leaves = column < reader->footer.column_count ? reader->footer.columns[column].leaf_count : 1;
  for (size_t leaf = 0; leaf < leaves && status == AQ_OK; leaf++) {
    aq_pq_column_chunk chunk;
    status = aq_pq_column_chunk_find(reader, group, column, leaf, &chunk, err);
    if (status == AQ_OK) status = verify_leaf(&chunk, deep, out, err);
  }
  return aq_pq_add_context(reader, group, status, err);
}
