/* memory.c - the process's allocator. */
#include "core/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/checked.h"

static void *system_reallocate(void *ctx, void *ptr, size_t size) {
  (void)ctx;
  return realloc(ptr, size);
}

static void system_release(void *ctx, void *ptr) {
  (void)ctx;
  free(ptr);
}

static const aq_allocator system_allocator = {system_reallocate, system_release, NULL};
static aq_allocator current = {system_reallocate, system_release, NULL};

void aq_set_allocator(const aq_allocator *allocator) { current = allocator != NULL ? *allocator : system_allocator; }

void *aq_malloc(size_t size) { return current.reallocate(current.ctx, NULL, size > 0 ? size : 1); }

void *aq_calloc(size_t count, size_t size) {
  uint64_t total;
  size_t bytes;
  if (!aq_mul_ok(count, size, &total) || !aq_to_size_ok(total, &bytes)) return NULL;
  void *p = aq_malloc(bytes);
  if (p != NULL) memset(p, 0, bytes);
  return p;
}

void *aq_realloc_array(void *ptr, size_t count, size_t size) {
  uint64_t total;
  size_t bytes;
  if (!aq_mul_ok(count, size, &total) || !aq_to_size_ok(total, &bytes)) return NULL;
  return current.reallocate(current.ctx, ptr, bytes > 0 ? bytes : 1);
}

void aq_free(void *ptr) {
  if (ptr != NULL) current.release(current.ctx, ptr);
}

char *aq_strndup(const char *text, size_t length) {
  if (length == SIZE_MAX) return NULL;
  char *copy = aq_malloc(length + 1);
  if (copy == NULL) return NULL;
  memcpy(copy, text, length);
  copy[length] = '\0';
  return copy;
}

char *aq_strdup(const char *text) { return aq_strndup(text, strlen(text)); }

char *aq_format(const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  const int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *out = length >= 0 ? aq_malloc((size_t)length + 1) : NULL;
  if (out != NULL) (void)vsnprintf(out, (size_t)length + 1, format, again);
  va_end(again);
  return out;
}
