/* buffer.h - bytes that grow. Zero-initialise; aq_buffer_reset frees. */
#ifndef AQ_CORE_BUFFER_H
#define AQ_CORE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/compiler.h"

typedef struct aq_buffer {
  uint8_t *data;
  size_t size;
  size_t capacity;
} aq_buffer;

void aq_buffer_reset(aq_buffer *buffer);

/* Makes room for `more` bytes past the end without changing size. */
AQ_MUST_CHECK aq_status aq_buffer_reserve(aq_buffer *buffer, size_t more, aq_error *err);
AQ_MUST_CHECK aq_status aq_buffer_append(aq_buffer *buffer, const void *bytes, size_t size, aq_error *err);
AQ_MUST_CHECK aq_status aq_buffer_append_byte(aq_buffer *buffer, uint8_t byte, aq_error *err);

/* Takes the bytes as a zero-terminated string and leaves the buffer empty; NULL when out of memory. */
char *aq_buffer_take_string(aq_buffer *buffer);

#endif
