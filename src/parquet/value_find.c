/* value_find.c - where one string or binary value is, without decoding what lies before it.
 *
 * A table of tensors is mostly written a page a value. Such a page begins with its levels (a few bytes: one value has
 * one level) and the length of the value, so that a short head of it tells the value's place and size. */
#include "parquet/value_find.h"

#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "parquet/decompress.h"
#include "parquet/format.h"
#include "parquet/page_body.h"

#define HEAD_SIZE 64
/* Four bytes of length and two of levels, four of length: all that our writer's first frame holds. */
#define USUAL_HEAD_SIZE 10

aq_status aq_pq_spot_find(aq_pq_reader *reader, size_t group, size_t column, uint64_t row, aq_pq_spot *spot,
                          aq_error *err) {
  AQ_TRY(aq_pq_place_find(reader, group, column, 0, &spot->place, err));
  const aq_pq_kind kind = spot->place.schema->kind;
  AQ_FAIL_IF(kind != AQ_PQ_STRING && kind != AQ_PQ_BINARY, AQ_ERR_FORMAT, "column '%.100s' should hold bytes",
             spot->place.schema->name);
  const uint64_t rows = reader->footer.groups[group].rows;
  AQ_FAIL_IF(row >= rows, AQ_ERR_ARGUMENT, "row %llu of a row group that has %llu", (unsigned long long)row,
             (unsigned long long)rows);
  AQ_TRY(aq_pq_pages_get(&spot->place, &spot->pages, err));
  spot->page = aq_pq_pages_find(spot->pages, row);
  spot->index = row - spot->page->first_value;
  return AQ_OK;
}

/* The first `size` decompressed bytes of a page. */
static bool read_head_bytes(const aq_pq_spot *spot, uint8_t *out, uint32_t size) {
  const aq_pq_page_header *h = &spot->page->header;
  const aq_file *file = &spot->place.reader->file;
  const bool stored_plain = aq_pq_page_is_stored_plain(&spot->place, spot->page);
  const uint32_t levels = h->type == AQ_PQ_PAGE_DATA_V2 ? h->rep_size + h->def_size : 0;
  const uint32_t raw = stored_plain ? size : AQ_MIN(size, levels);
  if (stored_plain && h->plain_size != h->stored_size) return false;
  if (aq_file_read(file, spot->page->body_offset, raw, out, NULL) != AQ_OK) return false;
  if (raw == size) return true;
  return aq_pq_decompress_head(&spot->place.reader->contexts, spot->place.chunk->codec,
                               file->map + spot->page->body_offset + levels, h->stored_size - levels, out + raw,
                               size - raw);
}

/* Tells the head from its first `size` bytes; false when they are too few. */
static bool head_of(const aq_pq_spot *spot, uint32_t size, aq_pq_head *head) {
  const aq_pq_page_header *h = &spot->page->header;
  uint8_t bytes[HEAD_SIZE];
  aq_pq_body body = {0};
  uint8_t level = 0;
  if (!read_head_bytes(spot, bytes, size)) return false;
  if (aq_pq_body_cut(&spot->place, h, bytes, size, &body, NULL) != AQ_OK ||
      aq_pq_body_def_levels(&spot->place, spot->page, &body, &level, NULL) != AQ_OK)
    return false;
  *head = (aq_pq_head){.is_null = level < spot->place.schema->max_def};
  if (head->is_null) return true;
  const uint64_t at = (uint64_t)(body.values - bytes);
  if (!aq_range_ok(at, 4, size)) return false;
  head->start = at + 4;
  head->size = aq_load_u32(bytes + at);
  return aq_range_ok(head->start, head->size, h->plain_size);
}

bool aq_pq_head_read(const aq_pq_spot *spot, aq_pq_head *head) {
  const aq_pq_page_header *h = &spot->page->header;
  if (h->values != 1 || h->encoding != AQ_PQ_ENC_PLAIN) return false;
  if (h->plain_size > USUAL_HEAD_SIZE && head_of(spot, USUAL_HEAD_SIZE, head)) return true;
  return head_of(spot, AQ_MIN(h->plain_size, HEAD_SIZE), head);
}
