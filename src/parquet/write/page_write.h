/* page_write.h - pages and column chunks on their way into a file: compressed by many threads, written in order. */
#ifndef AQ_PARQUET_WRITE_PAGE_WRITE_H
#define AQ_PARQUET_WRITE_PAGE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/file.h"
#include "core/pool.h"
#include "parquet/codec/compress.h"

/* In the file, the first byte of a blob chunk's first value lies at a multiple of this when it is not compressed. */
#define AQ_VALUE_ALIGNMENT 64

/* Where a column chunk came to lie, for the footer. Sizes include page headers, not the gap before the first page. */
typedef struct aq_chunk_place {
  int codec;
  uint64_t offset;      /* of the first page */
  uint64_t value_count; /* levels: nulls count too */
  uint64_t raw_bytes, packed_bytes;
} aq_chunk_place;

/* A data page, PLAIN: `head` followed by `value`: levels, lengths and small values in head, at most one blob in value.
 * Where a chunk has budgeted pages, those whose compressed size somebody counted on, its codec is decided for them
 * alone: other values, of which there may be many more, must not make them larger. */
typedef struct aq_page {
  uint32_t value_count;
  aq_buffer head;       /* owned */
  const uint8_t *value; /* borrowed */
  size_t value_size;
  size_t first_block, block_count; /* in the chunk */
  bool budgeted;
} aq_page;

/* What is compressed at one go, and is one zstd frame or some meta-blocks of brotli: a whole page, or its head, or
 * AQ_PQ_BLOCK bytes of its value. */
typedef struct aq_block {
  unsigned part; /* aq_page_part */
  const uint8_t *head, *bytes;
  size_t head_size, size;
  aq_buffer packed; /* empty when not compressed */
  uint32_t crc;     /* of the bytes that go into the file */
} aq_block;

typedef struct aq_chunk {
  aq_page *pages; /* owned */
  size_t page_count;
  aq_block *blocks; /* owned */
  size_t block_count;
  int codec; /* AQ_PQ_* */
  int level;
  bool decide;        /* codec only where it saves AQ_WORTH_PERCENT */
  bool budgeted;      /* some of the pages are */
  bool align;         /* keep AQ_VALUE_ALIGNMENT */
  uint64_t raw_bytes; /* of all pages, without headers */
} aq_chunk;

/* Takes page_count pages (an array of the chunk's own) apart into blocks and leaves the codec as set. */
AQ_MUST_CHECK aq_status aq_chunk_cut(aq_chunk *chunk, aq_error *err);

/* Compresses the chunks of a row group on the pool (NULL: on the calling thread) and settles their codecs. compressors:
 * one a worker. */
AQ_MUST_CHECK aq_status aq_chunks_compress(aq_chunk *chunks, size_t count, aq_pool *pool, aq_compressor *compressors,
                                           aq_error *err);

/* Appends the chunk to the file. */
AQ_MUST_CHECK aq_status aq_chunk_write(const aq_chunk *chunk, aq_outfile *file, aq_chunk_place *place, aq_error *err);

void aq_chunk_reset(aq_chunk *chunk);

/* Header of a PLAIN data page, into `out`, which is replaced. A page past 2^31-1 bytes, before or after compression, is
 * AQ_ERR_ARGUMENT. */
AQ_MUST_CHECK aq_status aq_page_header(uint32_t value_count, uint64_t raw_size, uint64_t packed_size, uint32_t crc,
                                       aq_buffer *out, aq_error *err);

/* Appends zero bytes. */
AQ_MUST_CHECK aq_status aq_gap_write(aq_outfile *file, size_t size, aq_error *err);

/* Levels and length of a page that holds one value of an optional column: what precedes the value itself. */
AQ_MUST_CHECK aq_status aq_blob_head(bool is_null, size_t size, aq_buffer *out, aq_error *err);

/* Bytes in the file of a page of one value in this codec, header, levels and length included, as the writer makes it;
 * the checksum may take fewer. compressors: one, or with a pool one a worker. */
AQ_MUST_CHECK aq_status aq_blob_page_bytes(aq_pool *pool, aq_compressor *compressors, int codec, int level,
                                           const uint8_t *value, size_t size, uint64_t *bytes, aq_error *err);

/* aq_pool_run, or the same without a pool. */
AQ_MUST_CHECK aq_status aq_run_items(aq_pool *pool, uint64_t count, aq_pool_fn fn, void *ctx, aq_error *err);

#endif
