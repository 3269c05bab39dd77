/* text_pattern.c - what a part of a tokenizer.json looks for in a text. */
#include "tokenizer/text_pattern.h"

#include "core/error.h"

aq_status aq_text_pattern_read(const json_t *object, aq_regex **out, aq_error *err) {
  const json_t *pattern = json_object_get(object, "pattern");
  const json_t *text = json_object_get(pattern, "String"), *regex = json_object_get(pattern, "Regex");
  const json_t *value = text != NULL ? text : regex;
  *out = NULL;
  AQ_FAIL_IF(!json_is_string(value) || json_object_size(pattern) != 1, AQ_ERR_FORMAT,
             "'pattern' is neither {\"String\": ...} nor {\"Regex\": ...}");
  const char *bytes = json_string_value(value);
  const size_t size = json_string_length(value);
  return text != NULL ? aq_regex_compile_literal(bytes, size, out, err) : aq_regex_compile(bytes, size, out, err);
}

static aq_status append_bytes(aq_buffer *out, const void *bytes, size_t size, aq_error *err) {
  return size > 0 ? aq_buffer_append(out, bytes, size, err) : AQ_OK;
}

aq_status aq_text_pattern_replace(const aq_regex *regex, const char *content, size_t content_size, const uint8_t *text,
                                  size_t size, aq_buffer *out, aq_error *err) {
  aq_regex_search search = {.regex = regex, .text = text, .size = size};
  aq_status status = AQ_OK;
  size_t done = 0, start = 0, end = 0;
  while (status == AQ_OK && done < size) {
    status = aq_regex_find(&search, done, &start, &end, err);
    if (status == AQ_OK) status = append_bytes(out, text + done, start - done, err);
    if (status == AQ_OK && end > start) status = append_bytes(out, content, content_size, err);
    done = end;
  }
  aq_regex_search_reset(&search);
  return status;
}
