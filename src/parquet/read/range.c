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
#include "parquet/format.h"
#include "parquet/read/decoded.h"
#include "parquet/read/frame_index.h"
#include "parquet/read/page_body.h"
#include "parquet/read/value_location.h"

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
static aq_status crc_between(const aq_pq_value_location *location, uint64_t from, uint64_t to, uint32_t *crc,
                             aq_error *err) {
  uint8_t block[512];
  while (from < to) {
    const size_t take = (size_t)AQ_MIN(to - from, sizeof block);
    AQ_TRY(aq_file_read(&location->chunk.reader->file, location->page->body_offset + from, take, block, err));
    *crc = aq_crc32(*crc, block, take);
    from += take;
  }
  return AQ_OK;
}

/* Goes on with the CRC of a page that passes by from its start to its end; a piece out of order is not looked at. */
static aq_status follow_crc(const aq_pq_value_location *location, const aq_pq_value_prefix *prefix, const piece *p,
                            aq_error *err) {
  aq_pq_slot *slot = &location->chunk.reader->slots[location->chunk.column];
  aq_pq_running running = {location->page, 0, 0};
  if (!aq_pq_page_needs_crc(&location->chunk, location->page)) return AQ_OK;
  if (p->offset == 0) {
    AQ_TRY(crc_between(location, 0, prefix->start, &running.crc, err));
  } else {
    aq_lock_take(&slot->lock);
    running = slot->running;
    aq_lock_release(&slot->lock);
  }
  if (running.page != location->page || running.next != p->offset) return AQ_OK;
  if (p->size > 0) running.crc = aq_crc32(running.crc, p->out, p->size);
  running.next += p->size;
  aq_lock_take(&slot->lock);
  slot->running = running;
  aq_lock_release(&slot->lock);
  if (running.next < prefix->size) return AQ_OK;
  AQ_TRY(crc_between(location, prefix->start + prefix->size, location->page->header.stored_size, &running.crc, err));
  if (running.crc != location->page->header.crc) return aq_pq_page_fail_crc(location->page, running.crc, err);
  aq_pq_page_set_verified(&location->chunk, location->page);
  return AQ_OK;
}

static aq_status read_stored(const aq_pq_value_location *location, const aq_pq_value_prefix *prefix, const piece *p,
                             aq_error *err) {
  AQ_TRY(check_piece(p, prefix->is_null, prefix->size, err));
  AQ_TRY(aq_file_read(&location->chunk.reader->file, location->page->body_offset + prefix->start + p->offset, p->size,
                      p->out, err));
  return follow_crc(location, prefix, p, err);
}

/* ---- whole pages ---- */

static aq_status copy_piece(const aq_pq_value_location *location, const aq_pq_decoded *decoded, const piece *p,
                            aq_error *err) {
  const aq_pq_reader *reader = location->chunk.reader;
  const aq_pq_span *span = &decoded->spans[location->index];
  AQ_TRY(check_piece(p, span->data == NULL, span->size, err));
  if (aq_pq_in_map(reader, span->data))
    return aq_file_read(&reader->file, (uint64_t)(span->data - reader->file.map) + p->offset, p->size, p->out, err);
  if (p->size > 0) memcpy(p->out, span->data + p->offset, p->size);
  return AQ_OK;
}

static aq_status read_whole(const aq_pq_value_location *location, const piece *p, aq_error *err) {
  aq_pq_decoded *decoded = NULL;
  AQ_TRY(aq_pq_decoded_get(&location->chunk, location->pages, location->page, &decoded, err));
  const aq_status status = copy_piece(location, decoded, p, err);
  const bool is_last = location->index + 1 == location->page->header.values;
  aq_pq_decoded_put(&location->chunk, decoded, is_last && p->offset + p->size == decoded->spans[location->index].size);
  return status;
}

static aq_status read_range(const aq_pq_value_location *location, const piece *p, aq_error *err) {
  aq_pq_value_prefix prefix;
  const aq_pq_frame_index *frames = NULL;
  if (aq_pq_page_is_stored_plain(&location->chunk, location->page) && aq_pq_value_prefix_read(location, &prefix))
    return read_stored(location, &prefix, p, err);
  if (location->chunk.meta->codec == AQ_PQ_ZSTD && location->page->header.values == 1) {
    AQ_TRY(aq_pq_frame_index_get(location, &frames, err));
    if (frames->is_usable) {
      AQ_TRY(check_piece(p, frames->prefix.is_null, frames->prefix.size, err));
      return aq_pq_frame_index_read(location, frames, frames->prefix.start + p->offset, p->size, p->out, err);
    }
  }
  return read_whole(location, p, err);
}

aq_status aq_pq_read_value_range(aq_pq_reader *reader, size_t group, size_t column, uint64_t row, uint64_t offset,
                                 size_t size, void *out, aq_error *err) {
  aq_pq_value_location location;
  const piece p = {offset, size, out};
  aq_status status = aq_pq_value_locate(reader, group, column, row, &location, err);
  if (status == AQ_OK) status = read_range(&location, &p, err);
  return aq_pq_add_context(reader, group, status, err);
}
