/* page_write.c - a page's header, and writing the pages of a column chunk one after another.
 *
 * Pages are data pages V1: the levels are compressed together with the values. The CRC in each header is that of the
 * page's bytes in the file, without the header (parquet.thrift, PageHeader.crc), put together from the CRCs of its
 * blocks. */
#include "parquet/write/page_write.h"

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/crc32.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"
#include "parquet/write/level_write.h"
#include "parquet/write/thrift_write.h"

aq_status aq_page_header(uint32_t value_count, uint64_t raw_size, uint64_t packed_size, uint32_t crc, aq_buffer *out,
                         aq_error *err) {
  if (raw_size > INT32_MAX || packed_size > INT32_MAX) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "a page of %llu bytes (%llu compressed) is too large; Parquet ends at 2^31-1",
                  (unsigned long long)raw_size, (unsigned long long)packed_size);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Cut large tensors into smaller parts, or use codec none");
  }
  aq_thrift_out header;
  aq_thrift_out_begin(&header, err);
  aq_thrift_put_i32(&header, 1, AQ_PQ_PAGE_DATA);
  aq_thrift_put_i32(&header, 2, (int32_t)raw_size);
  aq_thrift_put_i32(&header, 3, (int32_t)packed_size);
  aq_thrift_put_i32(&header, 4, (int32_t)crc);
  aq_thrift_put_struct_begin(&header, 5); /* DataPageHeader */
  aq_thrift_put_i32(&header, 1, (int32_t)value_count);
  aq_thrift_put_i32(&header, 2, AQ_PQ_ENC_PLAIN);
  aq_thrift_put_i32(&header, 3, AQ_PQ_ENC_RLE); /* definition levels */
  aq_thrift_put_i32(&header, 4, AQ_PQ_ENC_RLE); /* repetition levels */
  aq_thrift_put_struct_end(&header);
  AQ_TRY(aq_thrift_out_end(&header));
  aq_buffer_reset(out);
  *out = header.bytes;
  return AQ_OK;
}

aq_status aq_blob_head(bool is_null, size_t size, aq_buffer *out, aq_error *err) {
  const uint8_t level = is_null ? 0 : 1;
  AQ_TRY(aq_levels_append(&level, 1, 1, out, err));
  if (is_null) return AQ_OK;
  uint8_t length[4];
  aq_store_u32(length, (uint32_t)size);
  return aq_buffer_append(out, length, sizeof length, err);
}

aq_status aq_gap_write(aq_outfile *file, size_t size, aq_error *err) {
  static const uint8_t zeros[AQ_VALUE_ALIGNMENT] = {0};
  while (size > 0) {
    const size_t n = AQ_MIN(size, sizeof zeros);
    AQ_TRY(aq_outfile_write(file, zeros, n, err));
    size -= n;
  }
  return AQ_OK;
}

static const aq_block *block_at(const aq_chunk *chunk, const aq_page *page, size_t i) {
  return &chunk->blocks[page->first_block + i];
}

static uint64_t block_stored_size(const aq_chunk *chunk, const aq_block *block) {
  return chunk->codec == AQ_PQ_UNCOMPRESSED ? block->head_size + block->size : block->packed.size;
}

static aq_status write_block(const aq_chunk *chunk, const aq_block *block, aq_outfile *file, aq_error *err) {
  if (chunk->codec != AQ_PQ_UNCOMPRESSED) return aq_outfile_write(file, block->packed.data, block->packed.size, err);
  AQ_TRY(aq_outfile_write(file, block->head, block->head_size, err));
  return aq_outfile_write(file, block->bytes, block->size, err);
}

/* Puts the first value of an uncompressed chunk at its alignment. */
static aq_status align_first(const aq_chunk *chunk, size_t header_size, aq_outfile *file, aq_error *err) {
  const aq_page *page = &chunk->pages[0];
  if (!chunk->align || chunk->codec != AQ_PQ_UNCOMPRESSED || page->value_size == 0) return AQ_OK;
  const uint64_t value_offset = aq_outfile_offset(file) + header_size + page->head.size;
  return aq_gap_write(file, (size_t)((0 - value_offset) % AQ_VALUE_ALIGNMENT), err);
}

static aq_status write_page(const aq_chunk *chunk, size_t index, aq_outfile *file, aq_buffer *header,
                            aq_chunk_place *place, aq_error *err) {
  const aq_page *page = &chunk->pages[index];
  uint64_t packed = 0;
  uint32_t crc = 0;
  for (size_t i = 0; i < page->block_count; i++) {
    const aq_block *block = block_at(chunk, page, i);
    const uint64_t stored = block_stored_size(chunk, block);
    crc = aq_crc32_combine(crc, block->crc, stored);
    packed += stored;
  }
  const uint64_t raw = (uint64_t)page->head.size + page->value_size;
  AQ_TRY(aq_page_header(page->value_count, raw, packed, crc, header, err));
  if (index == 0) AQ_TRY(align_first(chunk, header->size, file, err));
  if (index == 0) place->offset = aq_outfile_offset(file);
  place->value_count += page->value_count;
  AQ_TRY(aq_outfile_write(file, header->data, header->size, err));
  for (size_t i = 0; i < page->block_count; i++) AQ_TRY(write_block(chunk, block_at(chunk, page, i), file, err));
  place->raw_bytes += header->size + raw;
  place->packed_bytes += header->size + packed;
  return AQ_OK;
}

aq_status aq_chunk_write(const aq_chunk *chunk, aq_outfile *file, aq_chunk_place *place, aq_error *err) {
  *place = (aq_chunk_place){.codec = chunk->codec};
  aq_buffer header = {NULL, 0, 0};
  aq_status status = AQ_OK;
  for (size_t i = 0; i < chunk->page_count && status == AQ_OK; i++) {
    status = write_page(chunk, i, file, &header, place, err);
  }
  aq_buffer_reset(&header);
  return status;
}

void aq_chunk_reset(aq_chunk *chunk) {
  for (size_t i = 0; i < chunk->page_count; i++) aq_buffer_reset(&chunk->pages[i].head);
  for (size_t i = 0; i < chunk->block_count; i++) aq_buffer_reset(&chunk->blocks[i].packed);
  aq_free(chunk->pages);
  aq_free(chunk->blocks);
  *chunk = (aq_chunk){.pages = NULL};
}

/* A checksum that takes as many bytes as any. */
#define LONGEST_CRC 0x80000000U

aq_status aq_blob_page_bytes(aq_pool *pool, aq_compressor *compressors, int codec, int level, const uint8_t *value,
                             size_t size, uint64_t *bytes, aq_error *err) {
  aq_page page = {.value_count = 1, .value = value, .value_size = size};
  aq_chunk chunk = {.pages = &page, .page_count = 1, .codec = codec, .level = level};
  aq_buffer header = {NULL, 0, 0};
  aq_status status = aq_blob_head(false, size, &page.head, err);
  if (status == AQ_OK) status = aq_chunk_cut(&chunk, err);
  if (status == AQ_OK) status = aq_chunks_compress(&chunk, 1, pool, compressors, err);
  uint64_t packed = codec == AQ_PQ_UNCOMPRESSED ? chunk.raw_bytes : 0;
  for (size_t i = 0; chunk.blocks != NULL && i < chunk.block_count; i++) {
    packed += chunk.blocks[i].packed.size;
    aq_buffer_reset(&chunk.blocks[i].packed);
  }
  if (status == AQ_OK) status = aq_page_header(1, chunk.raw_bytes, packed, LONGEST_CRC, &header, err);
  *bytes = packed + header.size;
  aq_buffer_reset(&header);
  aq_buffer_reset(&page.head);
  aq_free(chunk.blocks);
  return status;
}
