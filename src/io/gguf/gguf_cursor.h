/* gguf_cursor.h - the header of a GGUF file read from its beginning, number after number.
 *
 * Nothing is believed: a read that would pass the end of the file, or what a header may have, is an error that names
 * the byte. Zero-initialise nothing: aq_gguf_cursor_init sets every member. */
#ifndef AQ_IO_GGUF_GGUF_CURSOR_H
#define AQ_IO_GGUF_GGUF_CURSOR_H

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/file.h"

typedef struct aq_gguf_cursor {
  const aq_file *file;
  uint64_t at;  /* of the next byte */
  uint64_t end; /* what is read lies before it: the end of the file, or the limit of a header */
  uint64_t window_at;
  size_t window_size;
  uint8_t window[8192];
} aq_gguf_cursor;

/* Begins at the first byte of the file. A header has at most `limit` bytes. */
void aq_gguf_cursor_init(aq_gguf_cursor *cursor, const aq_file *file, uint64_t limit);

/* The next `size` bytes. AQ_ERR_CORRUPT past the end of the file, AQ_ERR_UNSUPPORTED past the limit. */
AQ_MUST_CHECK aq_status aq_gguf_cursor_read(aq_gguf_cursor *cursor, void *out, size_t size, aq_error *err);

/* Fails as such a read of `count` things would, each of which takes `size` bytes or more. Before memory is taken. */
AQ_MUST_CHECK aq_status aq_gguf_cursor_expect(const aq_gguf_cursor *cursor, uint64_t count, uint64_t size,
                                              aq_error *err);

AQ_MUST_CHECK aq_status aq_gguf_cursor_u32(aq_gguf_cursor *cursor, uint32_t *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_cursor_u64(aq_gguf_cursor *cursor, uint64_t *out, aq_error *err);

/* A string: a length of 64 bits and as many bytes, which are all that `out` holds afterwards. */
AQ_MUST_CHECK aq_status aq_gguf_cursor_string(aq_gguf_cursor *cursor, aq_buffer *out, aq_error *err);

/* The same for a name: 1 to 65,535 bytes of UTF-8 without zeros, as new memory. `what` is the word in errors. */
AQ_MUST_CHECK aq_status aq_gguf_cursor_name(aq_gguf_cursor *cursor, const char *what, char **out, aq_error *err);

#endif
