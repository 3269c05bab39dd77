/* json_text.c - JSON from a file that is not trusted. */
#include "io/json_text.h"

#include "core/error.h"
#include "core/memory.h"

static aq_status parse(const char *text, size_t size, size_t flags, uint64_t offset, json_t **out, aq_error *err) {
  json_error_t at;
  *out = json_loadb(text, size, JSON_REJECT_DUPLICATES | flags, &at);
  if (*out != NULL && json_is_object(*out)) return AQ_OK;
  if (*out != NULL) {
    json_decref(*out);
    *out = NULL;
    return aq_error_at(err, aq_fail(err, AQ_ERR_FORMAT, "the JSON text is not an object"), (int64_t)offset);
  }
  /* Running out of memory leaves the parser without words. */
  if (json_error_code(&at) == json_error_out_of_memory || at.text[0] == '\0') return aq_fail_memory(err, size);
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "the JSON text is wrong: %s", at.text);
  return aq_error_at(err, status, (int64_t)offset + at.position);
}

aq_status aq_json_parse_object(const char *text, size_t size, uint64_t offset, json_t **out, aq_error *err) {
  return parse(text, size, 0, offset, out, err);
}

aq_status aq_json_parse_reals(const char *text, size_t size, json_t **out, aq_error *err) {
  return parse(text, size, JSON_DECODE_INT_AS_REAL, 0, out, err);
}
