/* chunk_compress.c - cutting the pages of a row group into blocks, compressing the blocks on all threads, and settling
 * the codec of each column chunk.
 *
 * A chunk has one codec. Where it is ours to choose, zstd is kept when it saves AQ_WORTH_PERCENT of the chunk; so is
 * brotli, or zstd where that is smaller. Both go by the budgeted pages where there are some. A large chunk is sampled
 * first, at places that depend on its sizes alone, so that data which cannot be compressed costs a sixteenth of the
 * work or less. A value longer than HEAD_APART becomes several zstd frames, the head (levels and length) one and then
 * each AQ_PQ_BLOCK bytes one: concatenated frames are a legal zstd stream (RFC 8878, section 3), all threads work on
 * one value, a reader can decode any range of it, and it learns the length at once. With brotli these are blocks of one
 * stream. */
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/crc32.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"
#include "parquet/parquet.h"
#include "parquet/write/page_write.h"

#define SAMPLES 16
#define SAMPLE_BYTES ((size_t)64 << 10)
/* Smaller chunks are compressed without asking a sample first. */
#define SAMPLED_CHUNK ((uint64_t)4 << 20)
/* Below, a frame for the head would cost more than decoding the value to its first bytes. */
#define HEAD_APART ((size_t)64 << 10)
/* What a sample must promise before the whole chunk is tried: less than AQ_WORTH_PERCENT, for samples err. */
#define SAMPLE_PERCENT 1

aq_status aq_run_items(aq_pool *pool, uint64_t count, aq_pool_fn fn, void *ctx, aq_error *err) {
  if (pool != NULL) return aq_pool_run(pool, count, fn, ctx, err);
  for (uint64_t i = 0; i < count; i++) AQ_TRY(fn(ctx, i, 0, err));
  return AQ_OK;
}

/* lz4 and snappy pages are one block each. */
static size_t page_block_count(const aq_chunk *chunk, const aq_page *page) {
  if (!aq_codec_joins(chunk->codec) || page->value_size <= HEAD_APART) return 1;
  return 1 + (size_t)aq_div_up(page->value_size, AQ_PQ_BLOCK);
}

static void cut_page(const aq_page *page, aq_block *blocks) {
  blocks[0].head = page->head.data;
  blocks[0].head_size = page->head.size;
  blocks[0].part = AQ_PAGE_BEGIN;
  blocks[page->block_count - 1].part |= AQ_PAGE_END;
  if (page->block_count == 1) {
    blocks[0].bytes = page->value;
    blocks[0].size = page->value_size;
  }
  for (size_t i = 1; i < page->block_count; i++) {
    const size_t begin = (i - 1) * AQ_PQ_BLOCK;
    blocks[i].bytes = page->value + begin;
    blocks[i].size = AQ_MIN(AQ_PQ_BLOCK, page->value_size - begin);
  }
}

aq_status aq_chunk_cut(aq_chunk *chunk, aq_error *err) {
  size_t count = 0;
  chunk->raw_bytes = 0;
  for (size_t i = 0; i < chunk->page_count; i++) {
    aq_page *page = &chunk->pages[i];
    page->first_block = count;
    page->block_count = page_block_count(chunk, page);
    count += page->block_count;
    chunk->raw_bytes += (uint64_t)page->head.size + page->value_size;
  }
  chunk->blocks = aq_calloc(count, sizeof *chunk->blocks);
  if (chunk->blocks == NULL) return aq_fail_memory(err, count * sizeof *chunk->blocks);
  chunk->block_count = count;
  for (size_t i = 0; i < chunk->page_count; i++) {
    cut_page(&chunk->pages[i], chunk->blocks + chunk->pages[i].first_block);
  }
  return AQ_OK;
}

/* Whether a page has a say in the codec of its chunk. */
static bool decides(const aq_chunk *chunk, const aq_page *page) { return page->budgeted || !chunk->budgeted; }

/* Of the pages that decide, before and after compression. */
static uint64_t deciding_raw_bytes(const aq_chunk *chunk) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < chunk->page_count; i++) {
    const aq_page *page = &chunk->pages[i];
    if (decides(chunk, page)) bytes += (uint64_t)page->head.size + page->value_size;
  }
  return bytes;
}

static uint64_t deciding_packed_bytes(const aq_chunk *chunk) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < chunk->page_count; i++) {
    const aq_page *page = &chunk->pages[i];
    for (size_t b = 0; b < page->block_count && decides(chunk, page); b++)
      bytes += chunk->blocks[page->first_block + b].packed.size;
  }
  return bytes;
}

/* A block of some chunk, or the sample of one. */
struct work_item {
  const aq_chunk *chunk;
  aq_block *block;
  size_t raw, packed; /* of a sample */
};

struct work {
  struct work_item *items;
  size_t count;
  aq_compressor *compressors;
};

static aq_status work_create(struct work *work, size_t capacity, aq_compressor *compressors, aq_error *err) {
  *work = (struct work){aq_calloc(capacity, sizeof *work->items), 0, compressors};
  return work->items != NULL ? AQ_OK : aq_fail_memory(err, capacity * sizeof *work->items);
}

static aq_status pack_sample(const struct work *work, uint32_t worker, int codec, struct work_item *item,
                             aq_error *err) {
  const aq_block *block = item->block;
  aq_buffer packed = {NULL, 0, 0};
  const aq_status status = aq_compress(&work->compressors[worker], codec, item->chunk->level, AQ_PAGE_WHOLE,
                                       block->size == 0 ? block->head : block->bytes, item->raw, &packed, err);
  item->packed = AQ_MIN(item->packed, packed.size);
  aq_buffer_reset(&packed);
  return status;
}

static aq_status sample_item(void *ctx, uint64_t index, uint32_t worker, aq_error *err) {
  const struct work *work = ctx;
  struct work_item *item = &work->items[index];
  const int codec = item->chunk->codec;
  item->raw = AQ_MIN(item->block->size == 0 ? item->block->head_size : item->block->size, SAMPLE_BYTES);
  item->packed = SIZE_MAX;
  AQ_TRY(pack_sample(work, worker, codec, item, err));
  return codec == AQ_PQ_BROTLI ? pack_sample(work, worker, AQ_PQ_ZSTD, item, err) : AQ_OK;
}

/* Adds the blocks of a page in which evenly spaced bytes, `step` apart, lie. end: of the blocks before. */
static void choose_blocks(const aq_chunk *chunk, const aq_page *page, uint64_t step, uint64_t *end, size_t *sample,
                          struct work *work) {
  for (size_t i = 0; i < page->block_count && *sample < SAMPLES; i++) {
    aq_block *block = &chunk->blocks[page->first_block + i];
    *end += block->head_size + block->size;
    bool chosen = false;
    while (*sample < SAMPLES && step * *sample < *end) {
      chosen = true;
      ++*sample;
    }
    if (chosen) work->items[work->count++] = (struct work_item){chunk, block, 0, 0};
  }
}

/* Adds the blocks in which SAMPLES evenly spaced bytes of the pages that decide lie, each once. */
static void choose_samples(const aq_chunk *chunk, struct work *work) {
  const uint64_t step = deciding_raw_bytes(chunk) / SAMPLES;
  uint64_t end = 0;
  size_t sample = 0;
  for (size_t i = 0; i < chunk->page_count; i++) {
    if (decides(chunk, &chunk->pages[i])) choose_blocks(chunk, &chunk->pages[i], step, &end, &sample, work);
  }
}

/* Sets the codec of those chunks to none whose sample promises nothing. */
static aq_status settle_by_samples(aq_chunk *chunks, size_t count, aq_pool *pool, aq_compressor *compressors,
                                   aq_error *err) {
  struct work work;
  AQ_TRY(work_create(&work, count * SAMPLES, compressors, err));
  for (size_t i = 0; i < count; i++) {
    if (chunks[i].decide && deciding_raw_bytes(&chunks[i]) > SAMPLED_CHUNK) choose_samples(&chunks[i], &work);
  }
  const aq_status status = aq_run_items(pool, work.count, sample_item, &work, err);
  for (size_t i = 0, item = 0; i < count && status == AQ_OK; i++) {
    uint64_t raw = 0, packed = 0;
    for (; item < work.count && work.items[item].chunk == &chunks[i]; item++) {
      raw += work.items[item].raw;
      packed += work.items[item].packed;
    }
    if (raw > 0 && !aq_saves_percent(raw, packed, SAMPLE_PERCENT)) chunks[i].codec = AQ_PQ_UNCOMPRESSED;
  }
  aq_free(work.items);
  return status;
}

/* Head and bytes of a block in one piece: a view, or `joined`. */
static aq_status block_bytes(const aq_block *block, aq_buffer *joined, const uint8_t **bytes, aq_error *err) {
  *bytes = block->size == 0 ? block->head : block->bytes;
  if (block->size == 0 || block->head_size == 0) return AQ_OK;
  AQ_TRY(aq_buffer_reserve(joined, block->head_size + block->size, err));
  memcpy(joined->data, block->head, block->head_size);
  memcpy(joined->data + block->head_size, block->bytes, block->size);
  *bytes = joined->data;
  return AQ_OK;
}

static aq_status compress_item(void *ctx, uint64_t index, uint32_t worker, aq_error *err) {
  const struct work *work = ctx;
  const aq_chunk *chunk = work->items[index].chunk;
  aq_block *block = work->items[index].block;
  if (chunk->codec == AQ_PQ_UNCOMPRESSED) {
    const uint32_t crc = aq_crc32(0, block->head, block->head_size);
    block->crc = block->size > 0 ? aq_crc32(crc, block->bytes, block->size) : crc;
    return AQ_OK;
  }
  aq_buffer joined = {NULL, 0, 0};
  const uint8_t *bytes;
  aq_status status = block_bytes(block, &joined, &bytes, err);
  if (status == AQ_OK) {
    status = aq_compress(&work->compressors[worker], chunk->codec, chunk->level, block->part, bytes,
                         block->head_size + block->size, &block->packed, err);
  }
  if (status == AQ_OK) block->crc = aq_crc32(0, block->packed.data, block->packed.size);
  aq_buffer_reset(&joined);
  return status;
}

/* Compresses, or only sums, the blocks of all chunks, or of those that `again` marks. */
static aq_status run_blocks(const aq_chunk *chunks, size_t count, const bool *again, aq_pool *pool,
                            aq_compressor *compressors, aq_error *err) {
  size_t blocks = 0;
  for (size_t i = 0; i < count; i++) blocks += chunks[i].block_count;
  struct work work;
  AQ_TRY(work_create(&work, blocks, compressors, err));
  for (size_t i = 0; i < count; i++) {
    for (size_t b = 0; b < chunks[i].block_count && (again == NULL || again[i]); b++) {
      work.items[work.count++] = (struct work_item){&chunks[i], &chunks[i].blocks[b], 0, 0};
    }
  }
  const aq_status status = aq_run_items(pool, work.count, compress_item, &work, err);
  aq_free(work.items);
  return status;
}

/* Drops the compressed form of a chunk in which it saves too little; true when it did. A chunk without blocks is one
 * that will be streamed, and settles its codec then. */
static bool drop_if_not_worth(aq_chunk *chunk) {
  if (!chunk->decide || chunk->block_count == 0 || chunk->codec == AQ_PQ_UNCOMPRESSED) return false;
  if (aq_saves_percent(deciding_raw_bytes(chunk), deciding_packed_bytes(chunk), AQ_WORTH_PERCENT)) return false;
  for (size_t i = 0; i < chunk->block_count; i++) aq_buffer_reset(&chunk->blocks[i].packed);
  chunk->codec = AQ_PQ_UNCOMPRESSED;
  return true;
}

/* The same pages in zstd. Brotli's literals are better on codes, zstd's matches on scales, which repeat. */
static aq_status in_zstd(const aq_chunk *chunk, aq_pool *pool, aq_compressor *compressors, aq_chunk *out,
                         aq_error *err) {
  *out = *chunk;
  out->codec = AQ_PQ_ZSTD;
  out->level = AQ_ZSTD_OWN_SETTINGS;
  out->blocks = aq_calloc(chunk->block_count, sizeof *out->blocks);
  if (out->blocks == NULL) return aq_fail_memory(err, chunk->block_count * sizeof *out->blocks);
  for (size_t i = 0; i < chunk->block_count; i++) {
    out->blocks[i] = chunk->blocks[i];
    out->blocks[i].packed = (aq_buffer){NULL, 0, 0};
  }
  return run_blocks(out, 1, NULL, pool, compressors, err);
}

static void drop_blocks(aq_chunk *chunk) {
  for (size_t i = 0; chunk->blocks != NULL && i < chunk->block_count; i++) aq_buffer_reset(&chunk->blocks[i].packed);
  aq_free(chunk->blocks);
}

static aq_status keep_smaller(aq_chunk *chunk, aq_pool *pool, aq_compressor *compressors, aq_error *err) {
  if (!chunk->decide || chunk->codec != AQ_PQ_BROTLI || chunk->block_count == 0) return AQ_OK;
  aq_chunk other;
  const aq_status status = in_zstd(chunk, pool, compressors, &other, err);
  const bool better = status == AQ_OK && deciding_packed_bytes(&other) < deciding_packed_bytes(chunk);
  drop_blocks(better ? chunk : &other);
  if (better) *chunk = other;
  return status;
}

aq_status aq_chunks_compress(aq_chunk *chunks, size_t count, aq_pool *pool, aq_compressor *compressors, aq_error *err) {
  AQ_TRY(settle_by_samples(chunks, count, pool, compressors, err));
  AQ_TRY(run_blocks(chunks, count, NULL, pool, compressors, err));
  for (size_t i = 0; i < count; i++) AQ_TRY(keep_smaller(&chunks[i], pool, compressors, err));
  bool *again = aq_calloc(count, sizeof *again);
  if (again == NULL) return aq_fail_memory(err, count * sizeof *again);
  for (size_t i = 0; i < count; i++) again[i] = drop_if_not_worth(&chunks[i]);
  const aq_status status = run_blocks(chunks, count, again, pool, compressors, err);
  aq_free(again);
  return status;
}
