/* frame_index.c - the zstd frames of a page, so that a piece of a large value costs a piece of the page.
 *
 * A zstd stream is any number of frames one after another (RFC 8878), and each can be decompressed alone. Our writer
 * makes one of every AQ_PQ_BLOCK bytes; other writers make one of the whole page, which then is not usable this way.
 * What is asked of the frames: each states the size of its content, which is at most MOST_PLAIN, and together they give
 * what the page header claims. */
#include "parquet/read/frame_index.h"

#include <string.h>
#include <zstd.h>

#include "core/crc32.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"
#include "parquet/read/page_body.h"

#define MOST_PLAIN ((size_t)1 << 21)
#define WINDOW (MOST_PLAIN + (MOST_PLAIN >> 7)) /* more than such a frame can take */

/* Reading through a page. */
typedef struct pass {
  const aq_pq_value_location *location;
  aq_pq_frame_index *frames;
  size_t capacity;
  uint8_t *window;
  size_t begin, held;      /* bytes in the window: where they begin, how many; the first of them is at `at` */
  uint64_t at, end, plain; /* offsets in the file; decompressed bytes so far */
  uint32_t crc;
} pass;

/* Fills the window as far as the page goes. Only here are bytes moved: a page may have a frame every 9 bytes. */
static aq_status fill(pass *p, aq_error *err) {
  memmove(p->window, p->window + p->begin, p->held);
  p->begin = 0;
  const uint64_t left = p->end - p->at - p->held;
  const size_t more = left < WINDOW - p->held ? (size_t)left : WINDOW - p->held;
  AQ_TRY(aq_file_read(&p->location->chunk.reader->file, p->at + p->held, more, p->window + p->held, err));
  p->held += more;
  return AQ_OK;
}

static void consume(pass *p, size_t size) {
  p->crc = aq_crc32(p->crc, p->window + p->begin, size);
  p->begin += size;
  p->held -= size;
  p->at += size;
}

static aq_status add_frame(pass *p, size_t stored, size_t plain, aq_error *err) {
  aq_pq_frame_index *f = p->frames;
  if (f->count == p->capacity) {
    const size_t wanted = p->capacity == 0 ? 16 : p->capacity * 2;
    aq_pq_frame *bigger = aq_realloc_array(f->frames, wanted, sizeof *bigger);
    if (bigger == NULL) return aq_fail_memory(err, wanted * sizeof *bigger);
    f->frames = bigger;
    p->capacity = wanted;
  }
  f->frames[f->count++] = (aq_pq_frame){p->at, p->plain, (uint32_t)stored, (uint32_t)plain};
  p->plain += plain;
  return AQ_OK;
}

/* Size of the frame at the window's start; 0: none that is of use. The window is refilled only for a frame that does
 * not lie in it whole. */
static aq_status measure(pass *p, size_t *stored, size_t *plain, aq_error *err) {
  size_t size = ZSTD_findFrameCompressedSize(p->window + p->begin, p->held);
  if (ZSTD_isError(size)) {
    AQ_TRY(fill(p, err));
    size = ZSTD_findFrameCompressedSize(p->window + p->begin, p->held);
  }
  *stored = 0;
  if (ZSTD_isError(size)) return AQ_OK;
  const unsigned long long content = ZSTD_getFrameContentSize(p->window + p->begin, p->held);
  if (content > MOST_PLAIN) return AQ_OK; /* unknown and error are the largest numbers */
  *stored = size;
  *plain = (size_t)content;
  return AQ_OK;
}

/* *usable: the whole page was read, and is made of usable frames. */
static aq_status read_through(pass *p, bool *usable, aq_error *err) {
  const aq_pq_page_header *h = &p->location->page->header;
  const size_t levels = h->type == AQ_PQ_PAGE_DATA_V2 ? (size_t)h->rep_size + h->def_size : 0;
  *usable = false;
  AQ_TRY(fill(p, err));
  if (levels > p->held) return AQ_OK;
  consume(p, levels);
  p->plain = levels;
  while (p->at < p->end) {
    size_t stored = 0, plain = 0;
    AQ_TRY(measure(p, &stored, &plain, err));
    if (stored == 0 || plain > h->plain_size - p->plain) return AQ_OK;
    if (plain > 0) AQ_TRY(add_frame(p, stored, plain, err));
    consume(p, stored);
  }
  *usable = p->plain == h->plain_size;
  return AQ_OK;
}

static aq_status index_page(const aq_pq_value_location *location, aq_pq_frame_index *frames, aq_error *err) {
  aq_pq_page *page = location->page;
  if (location->chunk.meta->codec != AQ_PQ_ZSTD || !aq_pq_value_prefix_read(location, &frames->prefix)) return AQ_OK;
  AQ_TRY(aq_pq_check_memory(location->chunk.reader, WINDOW, err));
  pass p = {.location = location, .frames = frames, .at = page->body_offset};
  p.end = page->body_offset + page->header.stored_size;
  p.window = aq_malloc(WINDOW);
  if (p.window == NULL) return aq_fail_memory(err, WINDOW);
  aq_status status = read_through(&p, &frames->is_usable, err);
  aq_free(p.window);
  if (status == AQ_OK && frames->is_usable && aq_pq_page_needs_crc(&location->chunk, page)) {
    if (p.crc != page->header.crc) return aq_pq_page_fail_crc(page, p.crc, err);
    aq_pq_page_set_verified(&location->chunk, page);
  }
  return status;
}

static aq_pq_frame_index *kept_frames(const aq_pq_value_location *location) {
  aq_lock_take(&location->chunk.reader->lock);
  aq_pq_frame_index *kept = location->page->frames;
  aq_lock_release(&location->chunk.reader->lock);
  return kept;
}

static aq_status make_frames(const aq_pq_value_location *location, aq_error *err) {
  aq_pq_frame_index *frames = aq_calloc(1, sizeof *frames);
  if (frames == NULL) return aq_fail_memory(err, sizeof *frames);
  const aq_status status = index_page(location, frames, err);
  if (status != AQ_OK) {
    aq_pq_frame_index_free(frames);
    return status;
  }
  if (!frames->is_usable) {
    aq_free(frames->frames);
    frames->frames = NULL;
    frames->count = 0;
  }
  aq_lock_take(&location->chunk.reader->lock);
  location->page->frames = frames;
  aq_lock_release(&location->chunk.reader->lock);
  return AQ_OK;
}

/* The column's slot is locked meanwhile, so that one thread reads the page through and the others wait for it. */
aq_status aq_pq_frame_index_get(const aq_pq_value_location *location, const aq_pq_frame_index **out, aq_error *err) {
  aq_pq_slot *slot = &location->chunk.reader->slots[location->chunk.column];
  aq_status status = AQ_OK;
  *out = kept_frames(location);
  if (*out != NULL) return AQ_OK;
  aq_lock_take(&slot->lock);
  if (kept_frames(location) == NULL) status = make_frames(location, err);
  *out = kept_frames(location);
  aq_lock_release(&slot->lock);
  return status;
}

void aq_pq_frame_index_free(aq_pq_frame_index *frames) {
  if (frames == NULL) return;
  aq_free(frames->frames);
  aq_free(frames);
}

/* The frame that holds decompressed byte `start`. */
static const aq_pq_frame *find_frame(const aq_pq_frame_index *frames, uint64_t start) {
  size_t low = 0, high = frames->count;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (frames->frames[middle].plain_start <= start)
      low = middle;
    else
      high = middle;
  }
  return &frames->frames[low];
}

/* Decompresses a frame into `plain`, by way of `stored`. */
static aq_status read_frame(const aq_pq_value_location *location, const aq_pq_frame *frame, uint8_t *stored,
                            uint8_t *plain, aq_error *err) {
  AQ_TRY(aq_file_read(&location->chunk.reader->file, frame->file_offset, frame->stored_size, stored, err));
  aq_pq_contexts *contexts = &location->chunk.reader->contexts;
  ZSTD_DCtx *context = aq_pq_context_take(contexts);
  if (context == NULL) return aq_fail(err, AQ_ERR_MEMORY, "there is no memory for a zstd context");
  const size_t size = ZSTD_decompressDCtx(context, plain, frame->plain_size, stored, frame->stored_size);
  aq_pq_context_give(contexts, context);
  if (size == frame->plain_size) return AQ_OK;
  aq_fail(err, AQ_ERR_CORRUPT, "a zstd frame of %lu bytes does not decompress to the %lu bytes that it claims",
          (unsigned long)frame->stored_size, (unsigned long)frame->plain_size);
  return aq_error_at(err, AQ_ERR_CORRUPT, (int64_t)frame->file_offset);
}

static aq_status read_pieces(const aq_pq_value_location *location, const aq_pq_frame_index *frames, uint64_t start,
                             size_t size, uint8_t *out, uint8_t *scratch, aq_error *err) {
  uint8_t *const stored = scratch, *const plain = scratch + WINDOW;
  const aq_pq_frame *frame = find_frame(frames, start);
  while (size > 0) {
    const uint64_t skip = start - frame->plain_start, left = frame->plain_size - skip;
    const size_t take = left < size ? (size_t)left : size;
    const bool direct = take == frame->plain_size;
    AQ_TRY(read_frame(location, frame, stored, direct ? out : plain, err));
    if (!direct) memcpy(out, plain + skip, take);
    out += take;
    start += take;
    size -= take;
    frame++;
  }
  return AQ_OK;
}

aq_status aq_pq_frame_index_read(const aq_pq_value_location *location, const aq_pq_frame_index *frames, uint64_t start,
                                 size_t size, uint8_t *out, aq_error *err) {
  AQ_TRY(aq_pq_check_memory(location->chunk.reader, WINDOW + MOST_PLAIN, err));
  uint8_t *scratch = aq_malloc(WINDOW + MOST_PLAIN);
  if (scratch == NULL) return aq_fail_memory(err, WINDOW + MOST_PLAIN);
  const aq_status status = read_pieces(location, frames, start, size, out, scratch, err);
  aq_free(scratch);
  return status;
}
