/* page_body.c - what is in a page: repetition levels, definition levels, encoded values.
 *
 *   DATA        compressed { [u32 size, rep levels] [u32 size, def levels] values }
 *   DATA_V2     rep levels, def levels, compressed { values }
 *   DICTIONARY  compressed { values }
 *
 * The CRC is that of zlib over the body as it is stored, levels included. */
#include "parquet/read/page_body.h"

#include <string.h>

#include "core/bytes.h"
#include "core/crc32.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/codec/decompress.h"
#include "parquet/format.h"
#include "parquet/read/chunk_pages.h"
#include "parquet/read/rle.h"

bool aq_pq_page_needs_crc(const aq_pq_column_chunk *chunk, aq_pq_page *page) {
  if (chunk->reader->options.skip_checksums) return false;
  aq_lock_take(&chunk->reader->lock);
  const bool needs = !page->is_verified;
  aq_lock_release(&chunk->reader->lock);
  return needs;
}

void aq_pq_page_set_verified(const aq_pq_column_chunk *chunk, aq_pq_page *page) {
  aq_lock_take(&chunk->reader->lock);
  page->is_verified = true;
  aq_lock_release(&chunk->reader->lock);
}

aq_status aq_pq_page_fail_crc(const aq_pq_page *page, uint32_t found, aq_error *err) {
  aq_fail(err, AQ_ERR_CORRUPT, "a page's checksum is %08lx but its bytes give %08lx", (unsigned long)page->header.crc,
          (unsigned long)found);
  aq_error_at(err, AQ_ERR_CORRUPT, (int64_t)page->header_offset);
  return aq_error_hint(err, AQ_ERR_CORRUPT, "The file is damaged: copy or write it again");
}

static aq_status check_crc(const aq_pq_column_chunk *chunk, aq_pq_page *page, const uint8_t *stored, aq_error *err) {
  if (!aq_pq_page_needs_crc(chunk, page)) return AQ_OK;
  const uint32_t found = aq_crc32(0, stored, page->header.stored_size);
  if (found != page->header.crc) return aq_pq_page_fail_crc(page, found, err);
  aq_pq_page_set_verified(chunk, page);
  return AQ_OK;
}

/* Takes one part of a DATA page off the front. BIT_PACKED levels have no size: the count of values says it. */
static aq_status cut_levels(const aq_pq_page_header *h, int32_t encoding, uint8_t max, const uint8_t *bytes,
                            uint64_t size, uint64_t *at, const uint8_t **part, uint64_t *part_size, aq_error *err) {
  *part = bytes + *at;
  *part_size = 0;
  if (max == 0) return AQ_OK;
  if (encoding == AQ_PQ_ENC_BIT_PACKED) {
    *part_size = ((uint64_t)h->values * aq_bit_width(max) + 7) / 8;
  } else {
    AQ_FAIL_IF(encoding != AQ_PQ_ENC_RLE, AQ_ERR_FORMAT, "levels cannot have the encoding %d", (int)encoding);
    AQ_FAIL_IF(size - *at < 4, AQ_ERR_FORMAT, "a page ends within its levels");
    *part_size = aq_load_u32(bytes + *at);
    *at += 4;
    *part += 4;
  }
  AQ_FAIL_IF(*part_size > size - *at, AQ_ERR_FORMAT, "a page ends within its levels");
  *at += *part_size;
  return AQ_OK;
}

aq_status aq_pq_body_cut(const aq_pq_column_chunk *chunk, const aq_pq_page_header *h, const uint8_t *bytes,
                         uint64_t size, aq_pq_body *body, aq_error *err) {
  uint64_t at = 0;
  if (h->type == AQ_PQ_PAGE_DATA_V2) {
    body->rep = bytes;
    body->rep_size = h->rep_size;
    body->def = bytes + h->rep_size;
    body->def_size = h->def_size;
    at = (uint64_t)h->rep_size + h->def_size;
    AQ_FAIL_IF(at > size, AQ_ERR_FORMAT, "a page ends within its levels");
  } else if (h->type == AQ_PQ_PAGE_DATA) {
    AQ_TRY(cut_levels(h, h->rep_encoding, chunk->schema->max_rep, bytes, size, &at, &body->rep, &body->rep_size, err));
    AQ_TRY(cut_levels(h, h->def_encoding, chunk->schema->max_def, bytes, size, &at, &body->def, &body->def_size, err));
  }
  body->values = bytes + at;
  body->values_size = h->plain_size - at;
  return AQ_OK;
}

/* Decompresses what follows the first `levels` bytes, which are copied as they are. */
static aq_status decompress(const aq_pq_column_chunk *chunk, const aq_pq_page_header *h, const uint8_t *stored,
                            uint8_t **out, aq_error *err) {
  const uint32_t levels = h->type == AQ_PQ_PAGE_DATA_V2 ? h->rep_size + h->def_size : 0;
  const uint32_t from = h->stored_size - levels, to = h->plain_size - levels;
  /* Without a value there is nothing to decompress; writers differ in whether they compress it all the same. */
  if (to > 0) AQ_TRY(aq_pq_decompress_check(chunk->meta->codec, stored + levels, from, to, err));
  AQ_TRY(aq_pq_check_memory(chunk->reader, h->plain_size, err));
  uint8_t *plain = aq_malloc(h->plain_size);
  if (plain == NULL) return aq_fail_memory(err, h->plain_size);
  memcpy(plain, stored, levels);
  const aq_status status = to > 0 ? aq_pq_decompress(&chunk->reader->contexts, chunk->meta->codec, stored + levels,
                                                     from, plain + levels, to, err)
                                  : AQ_OK;
  if (status != AQ_OK) {
    aq_free(plain);
    return status;
  }
  *out = plain;
  return AQ_OK;
}

static aq_status load(const aq_pq_column_chunk *chunk, aq_pq_page *page, aq_pq_body *body, aq_error *err) {
  const aq_pq_page_header *h = &page->header;
  const uint8_t *stored = chunk->reader->file.map + page->body_offset;
  AQ_TRY(check_crc(chunk, page, stored, err));
  if (aq_pq_page_is_stored_plain(chunk, page)) {
    AQ_FAIL_IF(h->plain_size != h->stored_size, AQ_ERR_FORMAT, "an uncompressed page claims %lu bytes in %lu",
               (unsigned long)h->plain_size, (unsigned long)h->stored_size);
    return aq_pq_body_cut(chunk, h, stored, h->plain_size, body, err);
  }
  AQ_TRY(decompress(chunk, h, stored, &body->owned, err));
  return aq_pq_body_cut(chunk, h, body->owned, h->plain_size, body, err);
}

aq_status aq_pq_body_load(const aq_pq_column_chunk *chunk, aq_pq_page *page, aq_pq_body *body, aq_error *err) {
  *body = (aq_pq_body){0};
  const aq_status status = load(chunk, page, body, err);
  if (status == AQ_OK) return AQ_OK;
  aq_pq_body_reset(body);
  return aq_error_at(err, status, (int64_t)page->header_offset);
}

void aq_pq_body_reset(aq_pq_body *body) {
  aq_free(body->owned);
  *body = (aq_pq_body){0};
}

static aq_status decode_levels(const aq_pq_page *page, int32_t encoding, uint8_t max, const uint8_t *bytes,
                               uint64_t size, uint8_t *out, aq_error *err) {
  const bool v2 = page->header.type == AQ_PQ_PAGE_DATA_V2;
  const uint32_t width = aq_bit_width(max), values = page->header.values;
  const bool good = !v2 && encoding == AQ_PQ_ENC_BIT_PACKED
                        ? aq_bit_packed_decode_levels(bytes, (size_t)size, width, max, values, out)
                        : aq_rle_decode_levels(bytes, (size_t)size, width, max, values, out);
  if (good) return AQ_OK;
  aq_fail(err, AQ_ERR_FORMAT, "the levels of a page do not give %lu numbers of at most %u", (unsigned long)values, max);
  return aq_error_at(err, AQ_ERR_FORMAT, (int64_t)page->header_offset);
}

aq_status aq_pq_body_def_levels(const aq_pq_column_chunk *chunk, const aq_pq_page *page, const aq_pq_body *body,
                                uint8_t *out, aq_error *err) {
  const uint8_t max = chunk->schema->max_def;
  memset(out, max, page->header.values);
  if (max == 0) return AQ_OK;
  return decode_levels(page, page->header.def_encoding, max, body->def, body->def_size, out, err);
}

aq_status aq_pq_body_rep_levels(const aq_pq_column_chunk *chunk, const aq_pq_page *page, const aq_pq_body *body,
                                uint8_t *out, aq_error *err) {
  const uint8_t max = chunk->schema->max_rep;
  memset(out, 0, page->header.values);
  if (max == 0) return AQ_OK;
  return decode_levels(page, page->header.rep_encoding, max, body->rep, body->rep_size, out, err);
}
