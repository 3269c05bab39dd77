/* line_cache.c - two blocks, of which the one that was used last stays: where threads go from one block to the next, or
 * from a matrix to the next, some still need the one before. */
#include "io/prequantized/line_cache.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/fork.h"
#include "core/memory.h"

enum { BLOCKS = 2, WIDTH_STEP = 64 };

#define MOST ((uint64_t)16 << 20)
/* Fewer rows than these in a block are no gain. */
#define PIECES_LEAST ((uint64_t)4)
/* Lines below which a read for each is cheap. */
#define LINES_LEAST ((uint64_t)16)

typedef struct line_block {
  uint8_t *bytes; /* of all lines of the matrix, one after another */
  uint64_t room;
  size_t tensor;
  uint64_t at, begin, end; /* of the tensor, and of each line; end 0: there is nothing */
  uint64_t used;           /* when it was, by the count of reads */
} line_block;

struct aq_line_cache {
  uint64_t most; /* bytes of a block */
  uint64_t asked, loaded, reads;
  line_block blocks[BLOCKS];
  aq_lock lock; /* of all of it, while a block is read, too: others want the same one */
};

aq_status aq_line_cache_create(uint64_t most, aq_line_cache **out, aq_error *err) {
  *out = NULL;
  aq_line_cache *cache = aq_calloc(1, sizeof *cache);
  if (cache == NULL) return aq_fail_memory(err, sizeof *cache);
  const aq_status status = aq_lock_init(&cache->lock, AQ_LOCK_VALUE, err);
  if (status != AQ_OK) {
    aq_free(cache);
    return status;
  }
  cache->most = (most == 0 ? MOST : AQ_MIN(most, MOST)) / BLOCKS;
  *out = cache;
  return AQ_OK;
}

void aq_line_cache_free(aq_line_cache *cache) {
  if (cache == NULL) return;
  for (size_t i = 0; i < BLOCKS; i++) aq_free(cache->blocks[i].bytes);
  aq_lock_reset(&cache->lock);
  aq_free(cache);
}

static line_block *find_block(aq_line_cache *cache, const aq_line_piece *p) {
  for (size_t i = 0; i < BLOCKS; i++) {
    line_block *b = &cache->blocks[i];
    if (b->tensor == p->tensor && b->at == p->at && b->begin <= p->begin && p->end <= b->end) return b;
  }
  return NULL;
}

/* The bytes of each line that a block has which begins with the piece. False: it would not pay. */
static bool find_range(const aq_line_cache *cache, const aq_line_piece *p, uint64_t *begin, uint64_t *end) {
  const uint64_t width = cache->most / p->lines / WIDTH_STEP * WIDTH_STEP;
  *begin = width >= p->line_bytes ? 0 : p->begin / WIDTH_STEP * WIDTH_STEP;
  *end = width >= p->line_bytes ? p->line_bytes : AQ_MIN(*begin + width, p->line_bytes);
  if (width < PIECES_LEAST * (p->end - p->begin) || p->end > *end) return false;
  return cache->loaded + p->lines * (*end - *begin) <= 2 * cache->asked + cache->most;
}

static aq_status read_block(const aq_source *source, const aq_line_piece *p, line_block *b, aq_error *err) {
  const uint64_t width = b->end - b->begin;
  if (width == p->line_bytes) return aq_source_read_bytes(source, p->tensor, p->at, p->lines * width, b->bytes, err);
  for (uint64_t i = 0; i < p->lines; i++) {
    const uint64_t offset = p->at + i * p->line_bytes + b->begin;
    AQ_TRY(aq_source_read_bytes(source, p->tensor, offset, width, b->bytes + i * width, err));
  }
  return AQ_OK;
}

static line_block *oldest_block(aq_line_cache *cache) {
  line_block *oldest = &cache->blocks[0];
  for (size_t i = 1; i < BLOCKS; i++) {
    if (cache->blocks[i].used < oldest->used) oldest = &cache->blocks[i];
  }
  return oldest;
}

/* Memory that is not there is no failure: the pieces can be read without it. */
static aq_status load_block(aq_line_cache *cache, const aq_source *source, const aq_line_piece *p, line_block **out,
                            aq_error *err) {
  uint64_t begin, end;
  *out = NULL;
  if (!find_range(cache, p, &begin, &end)) return AQ_OK;
  line_block *b = oldest_block(cache);
  const uint64_t size = p->lines * (end - begin);
  b->end = 0;
  if (b->room < size) {
    aq_free(b->bytes);
    b->bytes = aq_malloc((size_t)size);
    b->room = b->bytes != NULL ? size : 0;
    if (b->bytes == NULL) return AQ_OK;
  }
  line_block made = {.bytes = b->bytes, .room = b->room, .tensor = p->tensor, .at = p->at, .begin = begin, .end = end};
  AQ_TRY(read_block(source, p, &made, err));
  cache->loaded += size;
  *b = made;
  *out = b;
  return AQ_OK;
}

static void copy_pieces(const line_block *b, const aq_line_piece *p, uint8_t *out) {
  const uint64_t width = b->end - b->begin;
  const size_t size = (size_t)(p->end - p->begin);
  const uint8_t *from = b->bytes + p->first * width + (p->begin - b->begin);
  for (uint64_t i = 0; i < p->count; i++) memcpy(out + i * size, from + i * width, size);
}

aq_status aq_line_cache_read(aq_line_cache *cache, const aq_source *source, const aq_line_piece *piece, uint8_t *out,
                             bool *is_done, aq_error *err) {
  aq_status status = AQ_OK;
  uint64_t all;
  *is_done = false;
  const bool fits = aq_mul_ok(piece->lines, piece->line_bytes, &all) && piece->end > piece->begin;
  if (!fits || piece->count < LINES_LEAST) return AQ_OK;
  aq_lock_take(&cache->lock);
  cache->asked += piece->count * (piece->end - piece->begin);
  line_block *block = find_block(cache, piece);
  if (block == NULL) status = load_block(cache, source, piece, &block, err);
  if (block != NULL) {
    block->used = ++cache->reads;
    copy_pieces(block, piece, out);
    *is_done = true;
  }
  aq_lock_release(&cache->lock);
  return status;
}
