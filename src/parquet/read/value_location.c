/* value_location.c - where one string or binary value is, without decoding what lies before it.
 *
 * A table of tensors is mostly written a page a value. Such a page begins with its levels (a few bytes: one value has
 * one level) and the length of the value, so that a short head of it tells the value's place and size. */
#include "parquet/read/value_location.h"

#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "parquet/codec/decompress.h"
#include "parquet/format.h"
#include "parquet/read/page_body.h"

#define HEAD_SIZE 64
/* Four bytes of length and two of levels, four of length: all that our writer's first frame holds. */
#define USUAL_HEAD_SIZE 10

aq_status aq_pq_value_locate(aq_pq_reader *reader, size_t group, size_t column, uint64_t row,
                             aq_pq_value_location *location, aq_error *err) {
  AQ_TRY(aq_pq_column_chunk_find(reader, group, column, 0, &location->chunk, err));
  const aq_pq_kind kind = location->chunk.schema->kind;
  AQ_FAIL_IF(kind != AQ_PQ_STRING && kind != AQ_PQ_BINARY, AQ_ERR_FORMAT, "column '%.100s' should hold bytes",
             location->chunk.schema->name);
  const uint64_t rows = reader->footer.groups[group].rows;
  AQ_FAIL_IF(row >= rows, AQ_ERR_ARGUMENT, "row %llu of a row group that has %llu", (unsigned long long)row,
             (unsigned long long)rows);
  AQ_TRY(aq_pq_pages_get(&location->chunk, &location->pages, err));
  location->page = aq_pq_pages_find(location->pages, row);
  location->index = row - location->page->first_value;
  return AQ_OK;
}

/* The first `size` decompressed bytes of a page. */
static bool read_head_bytes(const aq_pq_value_location *location, uint8_t *out, uint32_t size) {
  const aq_pq_page_header *h = &location->page->header;
  const aq_file *file = &location->chunk.reader->file;
  const bool stored_plain = aq_pq_page_is_stored_plain(&location->chunk, location->page);
  const uint32_t levels = h->type == AQ_PQ_PAGE_DATA_V2 ? h->rep_size + h->def_size : 0;
  const uint32_t raw = stored_plain ? size : AQ_MIN(size, levels);
  if (stored_plain && h->plain_size != h->stored_size) return false;
  if (aq_file_read(file, location->page->body_offset, raw, out, NULL) != AQ_OK) return false;
  if (raw == size) return true;
  return aq_pq_decompress_head(&location->chunk.reader->contexts, location->chunk.meta->codec,
                               file->map + location->page->body_offset + levels, h->stored_size - levels, out + raw,
                               size - raw);
}

/* Tells the head from its first `size` bytes; false when they are too few. */
static bool head_of(const aq_pq_value_location *location, uint32_t size, aq_pq_value_prefix *prefix) {
  const aq_pq_page_header *h = &location->page->header;
  uint8_t bytes[HEAD_SIZE];
  aq_pq_body body = {0};
  uint8_t level = 0;
  if (!read_head_bytes(location, bytes, size)) return false;
  if (aq_pq_body_cut(&location->chunk, h, bytes, size, &body, NULL) != AQ_OK ||
      aq_pq_body_def_levels(&location->chunk, location->page, &body, &level, NULL) != AQ_OK)
    return false;
  *prefix = (aq_pq_value_prefix){.is_null = level < location->chunk.schema->max_def};
  if (prefix->is_null) return true;
  const uint64_t at = (uint64_t)(body.values - bytes);
  if (!aq_range_ok(at, 4, size)) return false;
  prefix->start = at + 4;
  prefix->size = aq_load_u32(bytes + at);
  return aq_range_ok(prefix->start, prefix->size, h->plain_size);
}

bool aq_pq_value_prefix_read(const aq_pq_value_location *location, aq_pq_value_prefix *prefix) {
  const aq_pq_page_header *h = &location->page->header;
  if (h->values != 1 || h->encoding != AQ_PQ_ENC_PLAIN) return false;
  if (h->plain_size > USUAL_HEAD_SIZE && head_of(location, USUAL_HEAD_SIZE, prefix)) return true;
  return head_of(location, AQ_MIN(h->plain_size, HEAD_SIZE), prefix);
}
