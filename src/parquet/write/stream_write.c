/* stream_write.c - one large value as a column chunk of its own.
 *
 * Blocks are filled and compressed two a thread at a time and written in order, so that memory is
 * 2 * threads * 2 * AQ_PQ_BLOCK at most. Sizes and CRC are known at the end only; the page header therefore comes last,
 * into a gap that was left for it, right before the page. Bytes in front of a page that belong to nothing are legal:
 * readers find the page by its offset in the footer. */
#include "parquet/write/stream_write.h"

#include "core/checked.h"
#include "core/compiler.h"
#include "core/crc32.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"

/* No page header of ours is longer. */
#define HEADER_ROOM 48
/* Of a value, these are tried to settle the codec. */
#define MIN_SAMPLES 4
#define MAX_SAMPLES 16
#define SAMPLE_BYTES ((size_t)64 << 10)

struct slot {
  aq_buffer raw, packed;
  uint32_t crc;
};

struct stream {
  const aq_blob *blob;
  int codec, level;
  aq_pool *pool;
  aq_compressor *compressors;
  aq_outfile *file;
  struct slot *slots;
  size_t slot_count;
  uint64_t first_block, block_stride; /* of the round: slot i is block first_block + i * block_stride */
  size_t pack_limit;                  /* bytes of a block that are compressed */
  uint64_t packed_bytes;
  uint32_t crc;
};

static uint64_t block_count(const aq_blob *blob) { return aq_div_up(blob->size, AQ_PQ_BLOCK); }

static aq_status fill_item(void *ctx, uint64_t index, uint32_t worker, aq_error *err) {
  const struct stream *s = ctx;
  struct slot *slot = &s->slots[index];
  const uint64_t offset = (s->first_block + index * s->block_stride) * AQ_PQ_BLOCK;
  const size_t size = (size_t)AQ_MIN(s->blob->size - offset, (uint64_t)AQ_PQ_BLOCK);
  slot->raw.size = 0;
  AQ_TRY(aq_buffer_reserve(&slot->raw, size, err));
  AQ_TRY(s->blob->fill(s->blob->fill_ctx, offset, size, slot->raw.data, worker, err));
  slot->raw.size = size;
  const aq_buffer *stored = &slot->raw;
  if (s->codec != AQ_PQ_UNCOMPRESSED) {
    const aq_page_part part = offset + size == s->blob->size ? AQ_PAGE_END : AQ_PAGE_INSIDE;
    AQ_TRY(aq_compress(&s->compressors[worker], s->codec, s->level, part, slot->raw.data, AQ_MIN(size, s->pack_limit),
                       &slot->packed, err));
    stored = &slot->packed;
  }
  slot->crc = aq_crc32(0, stored->data, stored->size);
  return AQ_OK;
}

/* Bytes of evenly spaced blocks, and what they take in the codec. */
static aq_status pack_samples(struct stream *s, uint64_t *raw, uint64_t *packed, aq_error *err) {
  const uint64_t blocks = block_count(s->blob);
  const uint64_t wanted = AQ_MIN(AQ_MAX(blocks / 16, MIN_SAMPLES), MAX_SAMPLES);
  const uint64_t samples = AQ_MIN(wanted, blocks);
  *raw = *packed = 0;
  s->block_stride = blocks / samples;
  s->pack_limit = SAMPLE_BYTES;
  for (uint64_t done = 0; done < samples;) {
    const uint64_t n = AQ_MIN(samples - done, s->slot_count);
    s->first_block = s->block_stride * done;
    AQ_TRY(aq_run_items(s->pool, n, fill_item, s, err));
    for (uint64_t i = 0; i < n; i++) {
      *raw += AQ_MIN(s->slots[i].raw.size, SAMPLE_BYTES);
      *packed += s->slots[i].packed.size;
    }
    done += n;
  }
  return AQ_OK;
}

/* By samples, as the whole value cannot be undone once it is in the file: zstd instead of brotli where it is smaller,
 * none where the codec would save too little. */
static aq_status settle_codec(struct stream *s, aq_error *err) {
  uint64_t raw, packed, in_zstd;
  AQ_TRY(pack_samples(s, &raw, &packed, err));
  if (s->codec == AQ_PQ_BROTLI) {
    s->codec = AQ_PQ_ZSTD;
    AQ_TRY(pack_samples(s, &raw, &in_zstd, err));
    if (in_zstd >= packed) s->codec = AQ_PQ_BROTLI;
    packed = AQ_MIN(packed, in_zstd);
  }
  if (!aq_saves_percent(raw, packed, AQ_WORTH_PERCENT)) s->codec = AQ_PQ_UNCOMPRESSED;
  return AQ_OK;
}

static aq_status append(struct stream *s, const aq_buffer *bytes, uint32_t crc, aq_error *err) {
  AQ_TRY(aq_outfile_write(s->file, bytes->data, bytes->size, err));
  s->crc = aq_crc32_combine(s->crc, crc, bytes->size);
  s->packed_bytes += bytes->size;
  return AQ_OK;
}

/* Levels and length: as they are, or as a block of their own. */
static aq_status write_head(struct stream *s, const aq_buffer *head, aq_error *err) {
  if (s->codec == AQ_PQ_UNCOMPRESSED) return append(s, head, aq_crc32(0, head->data, head->size), err);
  aq_buffer packed = {NULL, 0, 0};
  const aq_page_part part = s->blob->size > 0 ? AQ_PAGE_BEGIN : AQ_PAGE_WHOLE;
  aq_status status = aq_compress(&s->compressors[0], s->codec, s->level, part, head->data, head->size, &packed, err);
  if (status == AQ_OK) status = append(s, &packed, aq_crc32(0, packed.data, packed.size), err);
  aq_buffer_reset(&packed);
  return status;
}

static aq_status write_blocks(struct stream *s, aq_error *err) {
  const uint64_t blocks = block_count(s->blob);
  s->block_stride = 1;
  s->pack_limit = SIZE_MAX;
  for (s->first_block = 0; s->first_block < blocks;) {
    const uint64_t n = AQ_MIN(blocks - s->first_block, s->slot_count);
    AQ_TRY(aq_run_items(s->pool, n, fill_item, s, err));
    for (uint64_t i = 0; i < n; i++) {
      const struct slot *slot = &s->slots[i];
      AQ_TRY(append(s, s->codec == AQ_PQ_UNCOMPRESSED ? &slot->raw : &slot->packed, slot->crc, err));
    }
    s->first_block += n;
  }
  return AQ_OK;
}

/* Room for the header, so that an uncompressed value begins at its alignment. */
static aq_status write_gap(const struct stream *s, size_t head_size, aq_error *err) {
  const uint64_t value_offset = aq_outfile_offset(s->file) + HEADER_ROOM + head_size;
  const size_t padding = s->codec == AQ_PQ_UNCOMPRESSED ? (size_t)((0 - value_offset) % AQ_VALUE_ALIGNMENT) : 0;
  return aq_gap_write(s->file, HEADER_ROOM + padding, err);
}

static aq_status write_page(struct stream *s, aq_buffer *head, aq_chunk_place *place, aq_error *err) {
  AQ_TRY(aq_blob_head(false, (size_t)s->blob->size, head, err));
  AQ_TRY(write_gap(s, head->size, err));
  const uint64_t body_offset = aq_outfile_offset(s->file);
  AQ_TRY(write_head(s, head, err));
  AQ_TRY(write_blocks(s, err));
  const uint64_t raw_bytes = head->size + s->blob->size;
  aq_buffer header = {NULL, 0, 0};
  AQ_TRY(aq_page_header(1, raw_bytes, s->packed_bytes, s->crc, &header, err));
  *place = (aq_chunk_place){.codec = s->codec,
                            .offset = body_offset - header.size,
                            .value_count = 1,
                            .raw_bytes = header.size + raw_bytes,
                            .packed_bytes = header.size + s->packed_bytes};
  const aq_status status = header.size <= HEADER_ROOM
                               ? aq_outfile_write_at(s->file, place->offset, header.data, header.size, err)
                               : aq_fail(err, AQ_ERR_INTERNAL, "a page header of %zu bytes", header.size);
  aq_buffer_reset(&header);
  return status;
}

aq_status aq_stream_write(const aq_blob *blob, const aq_chunk *chunk, aq_pool *pool, aq_compressor *compressors,
                          aq_outfile *file, aq_chunk_place *place, aq_error *err) {
  const size_t threads = pool != NULL ? aq_pool_threads(pool) : 1;
  struct stream s = {.blob = blob,
                     .codec = chunk->codec,
                     .level = chunk->level,
                     .pool = pool,
                     .compressors = compressors,
                     .file = file,
                     .slot_count = 2 * threads};
  aq_buffer head = {NULL, 0, 0};
  s.slots = aq_calloc(s.slot_count, sizeof *s.slots);
  if (s.slots == NULL) return aq_fail_memory(err, s.slot_count * sizeof *s.slots);
  aq_status status = AQ_OK;
  if (chunk->decide && s.codec != AQ_PQ_UNCOMPRESSED && blob->size > 0) status = settle_codec(&s, err);
  if (status == AQ_OK) status = write_page(&s, &head, place, err);
  aq_buffer_reset(&head);
  for (size_t i = 0; i < s.slot_count; i++) {
    aq_buffer_reset(&s.slots[i].raw);
    aq_buffer_reset(&s.slots[i].packed);
  }
  aq_free(s.slots);
  return status;
}
