/* range.c - a piece of a value, in memory for about the piece.
 *
 * Three ways, by what the page allows:
 *   stored as it is   read at its offset in the file
 *   zstd frames       only the frames that hold the piece are decompressed
 *   anything else     the page is decompressed whole and kept in the column's slot until its last byte was read */
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/crc32.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/decoded.h"
#include "parquet/format.h"
#include "parquet/frames.h"
#include "parquet/page_body.h"
#include "parquet/value_find.h"

typedef struct piece {
  uint64_t offset;
  size_t size;
  uint8_t *out;
} piece;

static aq_status check_piece(const piece *p, bool is_null, uint64_t size, aq_error *err) {
  AQ_FAIL_IF(is_null, AQ_ERR_ARGUMENT, "a piece of a null value");
  AQ_FAIL_IF(!aq_range_ok(p->offset, p->size, size), AQ_ERR_ARGUMENT, "bytes %llu to %llu of a value of %llu",
             (unsigned long long)p->offset, (unsigned long long)(p->offset + p->size), (unsigned long long)size);
  return AQ_OK;
}

/* ---- stored as it is ---- */

/* CRC of the bytes that surround the value in its page: from `from` to `to`, offsets in the body. */
static aq_status crc_between(const aq_pq_spot *spot, uint64_t from, uint64_t to, uint32_t *crc, aq_error *err) {
  uint8_t block[512];
  while (from < to) {
    const size_t take = (size_t)AQ_MIN(to - from, sizeof block);
    AQ_TRY(aq_file_read(&spot->place.reader->file, spot->page->body_offset + from, take, block, err));
    *crc = aq_crc32(*crc, block, take);
    from += take;
  }
  return AQ_OK;
}

/* Goes on with the CRC of a page that passes by from its start to its end; a piece out of order is not looked at. */
static aq_status follow_crc(const aq_pq_spot *spot, const aq_pq_head *head, const piece *p, aq_error *err) {
  aq_pq_slot *slot = &spot->place.reader->slots[spot->place.column];
  aq_pq_running running = {spot->page, 0, 0};
  if (!aq_pq_page_needs_crc(&spot->place, spot->page)) return AQ_OK;
  if (p->offset == 0) {
    AQ_TRY(crc_between(spot, 0, head->start, &running.crc, err));
  } else {
    aq_lock_take(&slot->lock);
    running = slot->running;
    aq_lock_release(&slot->lock);
  }
  if (running.page != spot->page || running.next != p->offset) return AQ_OK;
  if (p->size > 0) running.crc = aq_crc32(running.crc, p->out, p->size);
  running.next += p->size;
  aq_lock_take(&slot->lock);
  slot->running = running;
  aq_lock_release(&slot->lock);
  if (running.next < head->size) return AQ_OK;
  AQ_TRY(crc_between(spot, head->start + head->size, spot->page->header.stored_size, &running.crc, err));
  if (running.crc != spot->page->header.crc) return aq_pq_page_fail_crc(spot->page, running.crc, err);
  aq_pq_page_set_verified(&spot->place, spot->page);
  return AQ_OK;
}

static aq_status read_stored(const aq_pq_spot *spot, const aq_pq_head *head, const piece *p, aq_error *err) {
  AQ_TRY(check_piece(p, head->is_null, head->size, err));
  AQ_TRY(
      aq_file_read(&spot->place.reader->file, spot->page->body_offset + head->start + p->offset, p->size, p->out, err));
  return follow_crc(spot, head, p, err);
}

/* ---- whole pages ---- */

static aq_status copy_piece(const aq_pq_spot *spot, const aq_pq_decoded *decoded, const piece *p, aq_error *err) {
  const aq_pq_reader *reader = spot->place.reader;
  const aq_pq_span *span = &decoded->spans[spot->index];
  AQ_TRY(check_piece(p, span->data == NULL, span->size, err));
  if (aq_pq_in_map(reader, span->data))
    return aq_file_read(&reader->file, (uint64_t)(span->data - reader->file.map) + p->offset, p->size, p->out, err);
  if (p->size > 0) memcpy(p->out, span->data + p->offset, p->size);
  return AQ_OK;
}

static aq_status read_whole(const aq_pq_spot *spot, const piece *p, aq_error *err) {
  aq_pq_decoded *decoded = NULL;
  AQ_TRY(aq_pq_decoded_get(&spot->place, spot->pages, spot->page, &decoded, err));
  const aq_status status = copy_piece(spot, decoded, p, err);
  const bool is_last = spot->index + 1 == spot->page->header.values;
  aq_pq_decoded_put(&spot->place, decoded, is_last && p->offset + p->size == decoded->spans[spot->index].size);
  return status;
}

static aq_status read_range(const aq_pq_spot *spot, const piece *p, aq_error *err) {
  aq_pq_head head;
  const aq_pq_frames *frames = NULL;
  if (aq_pq_page_is_stored_plain(&spot->place, spot->page) && aq_pq_head_read(spot, &head))
    return read_stored(spot, &head, p, err);
  if (spot->place.chunk->codec == AQ_PQ_ZSTD && spot->page->header.values == 1) {
    AQ_TRY(aq_pq_frames_get(spot, &frames, err));
    if (frames->is_usable) {
      AQ_TRY(check_piece(p, frames->head.is_null, frames->head.size, err));
      return aq_pq_frames_read(spot, frames, frames->head.start + p->offset, p->size, p->out, err);
    }
  }
  return read_whole(spot, p, err);
}

aq_status aq_pq_read_value_range(aq_pq_reader *reader, size_t group, size_t column, uint64_t row, uint64_t offset,
                                 size_t size, void *out, aq_error *err) {
  aq_pq_spot spot;
  const piece p = {offset, size, out};
  aq_status status = aq_pq_spot_find(reader, group, column, row, &spot, err);
  if (status == AQ_OK) status = read_range(&spot, &p, err);
  return aq_pq_where(reader, group, status, err);
}
