/* buffer.c - bytes that grow. */
#include "core/buffer.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"

void aq_buffer_reset(aq_buffer *buffer) {
  aq_free(buffer->data);
  *buffer = (aq_buffer){NULL, 0, 0};
}

aq_status aq_buffer_reserve(aq_buffer *buffer, size_t more, aq_error *err) {
  if (more <= buffer->capacity - buffer->size) return AQ_OK;
  if (more > SIZE_MAX / 2 - buffer->size) return aq_fail_memory(err, more);
  const size_t needed = buffer->size + more;
  /* An empty buffer is given just what is asked for: most are sized once. */
  const size_t capacity = buffer->capacity == 0 ? needed : AQ_MAX(needed, buffer->capacity + buffer->capacity / 2);
  uint8_t *data = aq_realloc_array(buffer->data, capacity, 1);
  if (data == NULL) return aq_fail_memory(err, capacity);
  buffer->data = data;
  buffer->capacity = capacity;
  return AQ_OK;
}

aq_status aq_buffer_append(aq_buffer *buffer, const void *bytes, size_t size, aq_error *err) {
  if (size == 0) return AQ_OK;
  AQ_TRY(aq_buffer_reserve(buffer, size, err));
  memcpy(buffer->data + buffer->size, bytes, size);
  buffer->size += size;
  return AQ_OK;
}

aq_status aq_buffer_append_byte(aq_buffer *buffer, uint8_t byte, aq_error *err) {
  return aq_buffer_append(buffer, &byte, 1, err);
}

char *aq_buffer_take_string(aq_buffer *buffer) {
  if (aq_buffer_append_byte(buffer, 0, NULL) != AQ_OK) return NULL;
  char *text = (char *)buffer->data;
  *buffer = (aq_buffer){NULL, 0, 0};
  return text;
}
