/* notes.c - a short list of lines. */
#include "core/notes.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/error.h"
#include "core/memory.h"

aq_status aq_notes_add(aq_notes *notes, aq_error *err, const char *format, ...) {
  char text[512];
  if (notes == NULL || notes->count == AQ_NOTES_MAX) return AQ_OK;
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  notes->items[notes->count] = aq_strdup(text);
  if (notes->items[notes->count] == NULL) return aq_fail_memory(err, sizeof text);
  notes->count++;
  return AQ_OK;
}

void aq_notes_reset(aq_notes *notes) {
  for (size_t i = 0; i < notes->count; i++) aq_free(notes->items[i]);
  notes->count = 0;
}
