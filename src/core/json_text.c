/* json_text.c - JSON from a file that is not trusted. */
#include "core/json_text.h"

#include <string.h>

#include "core/buffer.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

/* Digits that 64 bits always hold. */
#define LONGEST_INTEGER ((size_t)18)

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

/* Bytes of a bare word of Python's at `at`, or 0. */
static size_t bare_word(const char *text, size_t size, size_t at) {
  static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
  for (size_t i = 0; i < AQ_COUNT_OF(words); i++) {
    const size_t length = strlen(words[i]);
    if (size - at >= length && memcmp(text + at, words[i], length) == 0) return length;
  }
  return 0;
}

/* Whether digits at `at` are the first of a number, whose sign may stand before them. */
static bool begins_number(const char *text, size_t at) {
  if (at > 0 && text[at - 1] == '-') at--;
  return at == 0 || strchr("0123456789.eE+-", text[at - 1]) == NULL;
}

/* Bytes of an integer of more digits than 64 bits hold at `at`, or 0. */
static size_t long_integer(const char *text, size_t size, size_t at) {
  if (!begins_number(text, at)) return 0; /* before the digits are counted: each is looked at once */
  size_t end = at;
  while (end < size && text[end] >= '0' && text[end] <= '9') end++;
  const bool is_real = end < size && (text[end] == '.' || text[end] == 'e' || text[end] == 'E');
  return end - at > LONGEST_INTEGER && !is_real ? end - at : 0;
}

/* The text with such words in quotes, and ".0" after such integers. */
static aq_status rewrite(const char *text, size_t size, aq_buffer *out, aq_error *err) {
  bool quoted = false;
  for (size_t at = 0, length; at < size; at += length) {
    const bool escaped = quoted && text[at] == '\\' && at + 1 < size;
    length = escaped ? 2 : 1;
    if (text[at] == '"') quoted = !quoted;
    const size_t word = quoted ? 0 : bare_word(text, size, at);
    const size_t digits = quoted || word > 0 ? 0 : long_integer(text, size, at);
    if (word + digits > 0) length = word + digits;
    if (word > 0) AQ_TRY(aq_buffer_append_byte(out, '"', err));
    AQ_TRY(aq_buffer_append(out, text + at, length, err));
    if (word > 0) AQ_TRY(aq_buffer_append_byte(out, '"', err));
    if (digits > 0) AQ_TRY(aq_buffer_append(out, ".0", 2, err));
  }
  return AQ_OK;
}

aq_status aq_json_parse_python(const char *text, size_t size, json_t **out, aq_error *err) {
  aq_error first;
  const aq_status status = parse(text, size, 0, 0, out, &first);
  if (status == AQ_OK) return AQ_OK;
  aq_buffer own = {0};
  aq_status again = rewrite(text, size, &own, err);
  if (again == AQ_OK) again = parse((const char *)own.data, own.size, 0, 0, out, NULL);
  aq_buffer_reset(&own);
  if (again == AQ_OK) return AQ_OK;
  if (err != NULL) *err = first; /* offsets are those of the text itself */
  return status;
}

aq_status aq_json_parse_reals(const char *text, size_t size, json_t **out, aq_error *err) {
  return parse(text, size, JSON_DECODE_INT_AS_REAL, 0, out, err);
}
