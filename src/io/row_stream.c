/* row_stream.c - rounds of as many blocks as keep all workers busy. */
#include "io/row_stream.h"

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

enum { LEAST_BLOCKS = 8 }; /* that are filled side by side */

typedef struct filled_blocks {
  const aq_row *row;
  uint64_t first; /* offset of the first one */
  uint8_t *room;  /* AQ_FILL_BLOCK for each */
} filled_blocks;

static size_t block_size(const aq_row *row, uint64_t offset) {
  return (size_t)AQ_MIN(row->data_bytes - offset, (uint64_t)AQ_FILL_BLOCK);
}

static aq_status fill_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const filled_blocks *f = ctx;
  const uint64_t offset = f->first + item * AQ_FILL_BLOCK;
  return f->row->fill(f->row->fill_ctx, offset, block_size(f->row, offset), f->room + item * AQ_FILL_BLOCK, worker,
                      err);
}

static aq_status fill_blocks(const aq_row_stream *s, filled_blocks *f, uint64_t count, aq_error *err) {
  if (s->pool != NULL) return aq_pool_run(s->pool, count, fill_block, f, err);
  for (uint64_t i = 0; i < count; i++) AQ_TRY(fill_block(f, i, 0, err));
  return AQ_OK;
}

static aq_status need_room(aq_row_stream *s, aq_error *err) {
  if (s->room != NULL) return AQ_OK;
  s->blocks = AQ_MAX(2 * (size_t)(s->pool != NULL ? aq_pool_threads(s->pool) : 1), (size_t)LEAST_BLOCKS);
  s->room = aq_malloc(s->blocks * AQ_FILL_BLOCK);
  return s->room != NULL ? AQ_OK : aq_fail_memory(err, s->blocks * AQ_FILL_BLOCK);
}

aq_status aq_row_stream_write(aq_row_stream *stream, const aq_row *row, aq_row_stream_write_fn write, void *ctx,
                              aq_error *err) {
  AQ_TRY(need_room(stream, err));
  filled_blocks f = {.row = row, .room = stream->room};
  while (f.first < row->data_bytes) {
    const uint64_t size = AQ_MIN(row->data_bytes - f.first, (uint64_t)(stream->blocks * AQ_FILL_BLOCK));
    AQ_TRY(fill_blocks(stream, &f, aq_div_up(size, AQ_FILL_BLOCK), err));
    AQ_TRY(write(ctx, f.room, (size_t)size, err));
    f.first += size;
  }
  return AQ_OK;
}

void aq_row_stream_reset(aq_row_stream *stream) {
  aq_free(stream->room);
  stream->room = NULL;
}
