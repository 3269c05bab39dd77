/* stop_texts.c - a text that grows until it holds one of several others. */
#include "ops/stop_texts.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"

/* Whether the text continues with a stop at `at`, as far as it goes. */
static bool could_begin_at(const aq_stop_texts *t, size_t at, const char *stop) {
  const size_t left = t->text.size - at, length = strlen(stop);
  return memcmp(t->text.data + at, stop, AQ_MIN(left, length)) == 0;
}

/* The stop that begins at `at`: whole, or cut off by the end of the text. */
static const char *find_stop(const aq_stop_texts *t, size_t at, bool *whole) {
  const char *found = NULL;
  *whole = false;
  for (size_t i = 0; i < t->stop_count; i++) {
    if (!could_begin_at(t, at, t->stops[i])) continue;
    found = t->stops[i];
    *whole = t->text.size - at >= strlen(found);
    if (*whole) break;
  }
  return found;
}

aq_status aq_stop_texts_add(aq_stop_texts *texts, const char *piece, size_t length, const char **ready, size_t *size,
                            aq_error *err) {
  *size = 0;
  *ready = "";
  if (texts->stopped_by != NULL || length == 0) return AQ_OK;
  AQ_TRY(aq_buffer_append(&texts->text, piece, length, err));
  size_t at = texts->shown;
  for (; at < texts->text.size; at++) {
    bool whole;
    const char *stop = find_stop(texts, at, &whole);
    if (stop == NULL) continue;
    if (whole) {
      texts->stopped_by = stop;
      texts->text.size = at;
    }
    break;
  }
  *ready = (const char *)texts->text.data + texts->shown;
  *size = at - texts->shown;
  texts->shown = at;
  return AQ_OK;
}

void aq_stop_texts_finish(aq_stop_texts *texts, const char **ready, size_t *size) {
  *size = texts->text.size - texts->shown;
  *ready = *size > 0 ? (const char *)texts->text.data + texts->shown : "";
  texts->shown = texts->text.size;
}
