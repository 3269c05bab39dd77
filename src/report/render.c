/* render.c - what the renderers of several kinds share. */
#include "report/render.h"
#include "report/report.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "report/text_table.h"

const char *aq_shape_of_json(const json_t *shape, char *out, size_t size) {
  size_t used = (size_t)snprintf(out, size, "[");
  for (size_t i = 0; i < json_array_size(shape) && used < size; i++) {
    const long long length = (long long)json_integer_value(json_array_get(shape, i));
    used += (size_t)snprintf(out + used, size - used, "%s%lld", i > 0 ? ", " : "", length);
  }
  if (used < size) (void)snprintf(out + used, size - used, "]");
  return out;
}

const char *aq_word_bytes(const json_t *object, const char *key, char *out) {
  return aq_text_bytes(aq_json_get_count(object, key), out, AQ_WORD_SIZE);
}

const char *aq_word_count(const json_t *object, const char *key, char *out) {
  return aq_text_count(aq_json_get_count(object, key), out, AQ_WORD_SIZE);
}

const char *aq_word_seconds(const json_t *object, const char *key, char *out) {
  return aq_text_seconds(aq_json_get_real(object, key), out, AQ_WORD_SIZE);
}

const char *aq_word_fixed(const json_t *object, const char *key, int decimals, char *out) {
  return aq_text_fixed(aq_json_get_real(object, key), decimals, out, AQ_WORD_SIZE);
}

const char *aq_word_cosine(const json_t *object, const char *key, char *out) {
  return aq_text_cosine(aq_json_get_real(object, key), out, AQ_WORD_SIZE);
}

aq_status aq_render_notes(const json_t *notes, const char *before, aq_buffer *out, aq_error *err) {
  size_t i;
  json_t *note;
  json_array_foreach(notes, i, note) {
    AQ_TRY(aq_buffer_printf(out, err, "%snote: ", before));
    AQ_TRY(aq_text_append_clean(out, json_string_value(note) != NULL ? json_string_value(note) : "", err));
    AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  }
  return AQ_OK;
}

aq_status aq_render_warnings(const json_t *root, aq_buffer *out, aq_error *err) {
  size_t i;
  json_t *warning;
  json_array_foreach(json_object_get(root, "warnings"), i, warning) {
    AQ_TRY(aq_buffer_append(out, "warning: ", strlen("warning: "), err));
    AQ_TRY(aq_text_append_clean(out, json_string_value(warning) != NULL ? json_string_value(warning) : "", err));
    AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  }
  return AQ_OK;
}
