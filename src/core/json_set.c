/* json_set.c - finds a member of an object by walking over its text: strings are skipped whole, brackets are counted.
 */
#include "core/json_set.h"

#include <stdbool.h>
#include <string.h>

#include "core/error.h"

typedef struct member_range {
  size_t begin, end;    /* of the value; end 0: there is no such member */
  size_t first, before; /* where its key begins; the comma in front of it, or its key where there is none */
} member_range;

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static size_t skip_spaces(const char *text, size_t size, size_t at) {
  while (at < size && is_space(text[at])) at++;
  return at;
}

/* After the string that begins at `at`; `size` when it does not end. */
static size_t skip_string(const char *text, size_t size, size_t at) {
  for (at++; at < size && text[at] != '"'; at++) at += text[at] == '\\';
  return at < size ? at + 1 : size;
}

/* After the value that begins at `at`: before the comma or bracket that ends it. */
static size_t skip_value(const char *text, size_t size, size_t at) {
  for (size_t depth = 0; at < size;) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, size, at);
      continue;
    }
    const bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
    if (depth == 0 && (closes || c == ',')) break;
    depth += opens;
    depth -= closes;
    at++;
  }
  return at;
}

static bool is_key(const char *text, size_t begin, size_t end, const char *key) {
  const size_t length = strlen(key);
  return end - begin == length + 2 && memcmp(text + begin + 1, key, length) == 0;
}

/* `at` is after the opening bracket. Whether the text is an object so far as it was walked over. */
static bool find_member(const char *text, size_t size, size_t at, const char *key, member_range *out) {
  for (size_t comma = 0;;) {
    at = skip_spaces(text, size, at);
    if (at < size && text[at] == '}') return true;
    if (at == size || text[at] != '"') return false;
    const size_t name = at, name_end = skip_string(text, size, at);
    at = skip_spaces(text, size, name_end);
    if (at == size || text[at] != ':') return false;
    const size_t begin = skip_spaces(text, size, at + 1);
    at = skip_value(text, size, begin);
    if (at == size) return false;
    if (is_key(text, name, name_end, key)) *out = (member_range){begin, at, name, comma > 0 ? comma : name};
    if (text[at] != ',') continue;
    comma = at++;
  }
}

static aq_status append_text(aq_buffer *out, const char *text, aq_error *err) {
  return aq_buffer_append(out, text, strlen(text), err);
}

/* Before all other members, indented as people write these files. */
static aq_status append_member(const char *text, size_t size, size_t at, const char *key, const char *value,
                               aq_buffer *out, aq_error *err) {
  const size_t next = skip_spaces(text, size, at);
  const bool is_empty = next < size && text[next] == '}';
  AQ_TRY(append_text(out, "\n  \"", err));
  AQ_TRY(append_text(out, key, err));
  AQ_TRY(append_text(out, "\": ", err));
  AQ_TRY(append_text(out, value, err));
  if (is_empty) return append_text(out, "\n", err);
  return append_text(out, next == at ? ", " : ",", err);
}

/* *open: where the bracket stands. */
static aq_status find_in_object(const char *text, size_t size, const char *key, size_t *open, member_range *out,
                                aq_error *err) {
  *out = (member_range){.end = 0};
  *open = skip_spaces(text, size, 0);
  AQ_FAIL_IF(*open == size || text[*open] != '{' || !find_member(text, size, *open + 1, key, out), AQ_ERR_FORMAT,
             "the JSON text is not an object");
  return AQ_OK;
}

aq_status aq_json_set(const char *text, size_t size, const char *key, const char *value, aq_buffer *out,
                      aq_error *err) {
  member_range found;
  size_t open;
  AQ_TRY(find_in_object(text, size, key, &open, &found, err));
  const size_t head = found.end > 0 ? found.begin : open + 1;
  AQ_TRY(aq_buffer_append(out, text, head, err));
  AQ_TRY(found.end > 0 ? append_text(out, value, err) : append_member(text, size, head, key, value, out, err));
  const size_t rest = found.end > 0 ? found.end : head;
  return aq_buffer_append(out, text + rest, size - rest, err);
}

aq_status aq_json_remove(const char *text, size_t size, const char *key, aq_buffer *out, aq_error *err) {
  member_range found;
  size_t open;
  AQ_TRY(find_in_object(text, size, key, &open, &found, err));
  if (found.end == 0) return aq_buffer_append(out, text, size, err);
  const bool is_last = text[found.end] != ',';
  const size_t head = is_last ? found.before : found.first;
  size_t rest = is_last ? found.end : skip_spaces(text, size, found.end + 1);
  while (is_last && is_space(text[rest - 1])) rest--; /* what stands before the bracket stays there */
  AQ_TRY(aq_buffer_append(out, text, head, err));
  return aq_buffer_append(out, text + rest, size - rest, err);
}
