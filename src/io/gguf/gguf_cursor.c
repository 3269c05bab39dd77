/* gguf_cursor.c - reading by position through a small window, so that a header costs few system calls and no more
 * memory than what it turns into. */
#include "io/gguf/gguf_cursor.h"

#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"

#define NAME_MAX_BYTES ((uint64_t)65535) /* of the specification, for keys */

void aq_gguf_cursor_init(aq_gguf_cursor *cursor, const aq_file *file, uint64_t limit) {
  cursor->file = file;
  cursor->at = cursor->window_at = 0;
  cursor->window_size = 0;
  cursor->end = AQ_MIN(file->size, limit);
}

static aq_status fail_end(const aq_gguf_cursor *cursor, aq_error *err) {
  if (cursor->end < cursor->file->size) {
    return aq_error_at(err,
                       aq_fail(err, AQ_ERR_UNSUPPORTED, "the header has more than %llu bytes, which is the limit",
                               (unsigned long long)cursor->end),
                       (int64_t)cursor->at);
  }
  const aq_status status =
      aq_fail(err, AQ_ERR_CORRUPT, "the file ends inside its header, at byte %llu", (unsigned long long)cursor->end);
  (void)aq_error_hint(err, status, "The file is cut off or damaged: download or write it again");
  return aq_error_at(err, status, (int64_t)cursor->at);
}

aq_status aq_gguf_cursor_expect(const aq_gguf_cursor *cursor, uint64_t count, uint64_t size, aq_error *err) {
  uint64_t total;
  if (!aq_mul_ok(count, size, &total) || !aq_range_ok(cursor->at, total, cursor->end)) return fail_end(cursor, err);
  return AQ_OK;
}

static aq_status fill_window(aq_gguf_cursor *cursor, aq_error *err) {
  cursor->window_size = (size_t)AQ_MIN(cursor->end - cursor->at, (uint64_t)sizeof cursor->window);
  cursor->window_at = cursor->at;
  return aq_file_read(cursor->file, cursor->at, cursor->window_size, cursor->window, err);
}

aq_status aq_gguf_cursor_read(aq_gguf_cursor *cursor, void *out, size_t size, aq_error *err) {
  uint8_t *to = out;
  AQ_TRY(aq_gguf_cursor_expect(cursor, size, 1, err));
  while (size > 0) {
    if (cursor->at - cursor->window_at >= cursor->window_size) AQ_TRY(fill_window(cursor, err));
    const size_t skip = (size_t)(cursor->at - cursor->window_at);
    const size_t n = AQ_MIN(size, cursor->window_size - skip);
    memcpy(to, cursor->window + skip, n);
    to += n;
    size -= n;
    cursor->at += n;
  }
  return AQ_OK;
}

aq_status aq_gguf_cursor_u32(aq_gguf_cursor *cursor, uint32_t *out, aq_error *err) {
  uint8_t bytes[4];
  AQ_TRY(aq_gguf_cursor_read(cursor, bytes, sizeof bytes, err));
  *out = aq_load_u32(bytes);
  return AQ_OK;
}

aq_status aq_gguf_cursor_u64(aq_gguf_cursor *cursor, uint64_t *out, aq_error *err) {
  uint8_t bytes[8];
  AQ_TRY(aq_gguf_cursor_read(cursor, bytes, sizeof bytes, err));
  *out = aq_load_u64(bytes);
  return AQ_OK;
}

aq_status aq_gguf_cursor_string(aq_gguf_cursor *cursor, aq_buffer *out, aq_error *err) {
  uint64_t length;
  AQ_TRY(aq_gguf_cursor_u64(cursor, &length, err));
  AQ_TRY(aq_gguf_cursor_expect(cursor, length, 1, err));
  out->size = 0;
  AQ_TRY(aq_buffer_reserve(out, (size_t)length, err));
  AQ_TRY(aq_gguf_cursor_read(cursor, out->data, (size_t)length, err));
  out->size = (size_t)length;
  return AQ_OK;
}

static aq_status check_name(const aq_buffer *text, const char *what, aq_error *err) {
  AQ_FAIL_IF(text->size == 0, AQ_ERR_FORMAT, "a %s is empty", what);
  AQ_FAIL_IF(aq_utf8_valid(text->data, text->size) != text->size || memchr(text->data, 0, text->size) != NULL,
             AQ_ERR_FORMAT, "a %s is not UTF-8 without zeros", what);
  return AQ_OK;
}

aq_status aq_gguf_cursor_name(aq_gguf_cursor *cursor, const char *what, char **out, aq_error *err) {
  aq_buffer text = {0};
  const uint64_t begin = cursor->at;
  uint64_t length;
  *out = NULL;
  AQ_TRY(aq_gguf_cursor_u64(cursor, &length, err));
  AQ_TRY(aq_gguf_cursor_expect(cursor, length, 1, err));
  if (length > NAME_MAX_BYTES) {
    return aq_error_at(err,
                       aq_fail(err, AQ_ERR_FORMAT, "a %s has %llu bytes; at most %llu are allowed", what,
                               (unsigned long long)length, (unsigned long long)NAME_MAX_BYTES),
                       (int64_t)begin);
  }
  cursor->at = begin;
  aq_status status = aq_gguf_cursor_string(cursor, &text, err);
  if (status == AQ_OK) {
    status = check_name(&text, what, err);
    if (status != AQ_OK) (void)aq_error_at(err, status, (int64_t)begin);
  }
  if (status == AQ_OK) {
    *out = aq_strndup((const char *)text.data, text.size);
    if (*out == NULL) status = aq_fail_memory(err, text.size);
  }
  aq_buffer_reset(&text);
  return status;
}
