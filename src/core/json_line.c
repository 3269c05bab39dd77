/* json_line.c - walks over an object of JSON and keeps one string of it. Nothing else is converted, so that numbers of
 * any size and strings of any kind may be beside it. */
#include "core/json_line.h"

#include <string.h>

#include "core/error.h"
#include "core/json_escape.h"
#include "core/utf8.h"

#define DEPTH 500 /* of what is nested; each level is a call */

typedef struct walker {
  const uint8_t *at, *end;
  const uint8_t *begin;
} walker;

static void skip_space(walker *w) {
  while (w->at < w->end && (*w->at == ' ' || *w->at == '\t' || *w->at == '\n' || *w->at == '\r')) w->at++;
}

/* The next character that is no white space, 0 at the end. */
static uint8_t peek(walker *w) {
  skip_space(w);
  return w->at < w->end ? *w->at : 0;
}

static aq_status fail_syntax(const walker *w, const char *expected, aq_error *err) {
  if (w->at == w->end) return aq_fail(err, AQ_ERR_FORMAT, "the JSON object ends where %s is expected", expected);
  return aq_fail(err, AQ_ERR_FORMAT, "no JSON object: %s is expected at character %zu", expected,
                 (size_t)(w->at - w->begin) + 1);
}

/* ---- strings ---- */

/* No escape that JSON has: names what should stand there instead. */
static aq_status fail_escape(walker *w, aq_error *err) {
  w->at++;
  if (w->at == w->end || *w->at != 'u') return fail_syntax(w, "an escape that JSON has", err);
  do w->at++;
  while (w->at < w->end && aq_json_hex_digit(*w->at) >= 0);
  return fail_syntax(w, "a hexadecimal digit", err);
}

/* Half of a surrogate pair is noted in *half, and becomes the replacement character. */
static aq_status read_escape(walker *w, aq_buffer *out, uint32_t *half, aq_error *err) {
  uint32_t c;
  uint8_t bytes[4];
  const size_t length = aq_json_unescape(w->at, (size_t)(w->end - w->at), &c);
  if (length == 0) return fail_escape(w, err);
  w->at += length;
  if (c >= 0xD800 && c <= 0xDFFF) {
    *half = c;
    c = AQ_REPLACEMENT;
  }
  return aq_buffer_append(out, bytes, aq_utf8_put(c, bytes), err);
}

/* A string, appended to `out`. *half is a surrogate that stood alone, 0 when there was none. */
static aq_status read_string(walker *w, aq_buffer *out, uint32_t *half, aq_error *err) {
  *half = 0;
  w->at++;
  for (;;) {
    const uint8_t *from = w->at;
    while (w->at < w->end && *w->at != '"' && *w->at != '\\' && *w->at >= 0x20) w->at++;
    AQ_TRY(aq_buffer_append(out, from, (size_t)(w->at - from), err));
    if (w->at == w->end || *w->at < 0x20) return fail_syntax(w, "the end of a string", err);
    if (*w->at == '\\') {
      AQ_TRY(read_escape(w, out, half, err));
      continue;
    }
    w->at++;
    return AQ_OK;
  }
}

/* ---- other values ---- */

static bool take_digits(walker *w) {
  const uint8_t *from = w->at;
  while (w->at < w->end && *w->at >= '0' && *w->at <= '9') w->at++;
  return w->at > from;
}

static bool take_sign(walker *w, bool plus_too) {
  const bool has = w->at < w->end && (*w->at == '-' || (plus_too && *w->at == '+'));
  w->at += has ? 1 : 0;
  return has;
}

static bool take_word(walker *w, const char *word) {
  const size_t length = strlen(word);
  if ((size_t)(w->end - w->at) < length || memcmp(w->at, word, length) != 0) return false;
  w->at += length;
  return true;
}

static aq_status skip_number(walker *w, aq_error *err) {
  (void)take_sign(w, false);
  if (take_word(w, "Infinity")) return AQ_OK;
  if (!take_digits(w)) return fail_syntax(w, "a value", err);
  if (w->at < w->end && *w->at == '.') {
    w->at++;
    if (!take_digits(w)) return fail_syntax(w, "a digit", err);
  }
  if (w->at == w->end || (*w->at | 0x20) != 'e') return AQ_OK;
  w->at++;
  (void)take_sign(w, true);
  return take_digits(w) ? AQ_OK : fail_syntax(w, "a digit", err);
}

static aq_status skip_value(walker *w, aq_buffer *scratch, unsigned depth, aq_error *err);

/* After the opening bracket: values, with their names in an object, up to the closing one. */
static aq_status skip_nested(walker *w, bool is_object, aq_buffer *scratch, unsigned depth, aq_error *err) {
  const uint8_t close = is_object ? '}' : ']';
  AQ_FAIL_IF(depth == DEPTH, AQ_ERR_UNSUPPORTED, "more than %d levels of JSON are one in another", DEPTH);
  if (peek(w) == close) {
    w->at++;
    return AQ_OK;
  }
  for (;;) {
    if (is_object) {
      if (peek(w) != '"') return fail_syntax(w, "the name of a member", err);
      AQ_TRY(skip_value(w, scratch, depth, err));
      if (peek(w) != ':') return fail_syntax(w, "a colon", err);
      w->at++;
    }
    AQ_TRY(skip_value(w, scratch, depth, err));
    const uint8_t next = peek(w);
    if (next != ',' && next != close) return fail_syntax(w, "a comma or the closing bracket", err);
    w->at++;
    if (next == close) return AQ_OK;
  }
}

static aq_status skip_value(walker *w, aq_buffer *scratch, unsigned depth, aq_error *err) {
  uint32_t half;
  const uint8_t first = peek(w);
  if (first == '"') {
    scratch->size = 0;
    return read_string(w, scratch, &half, err);
  }
  if (first == '{' || first == '[') {
    w->at++;
    return skip_nested(w, first == '{', scratch, depth + 1, err);
  }
  if (take_word(w, "true") || take_word(w, "false") || take_word(w, "null") || take_word(w, "NaN")) return AQ_OK;
  return skip_number(w, err);
}

/* ---- the object ---- */

typedef struct found {
  bool is_there, is_text;
  uint32_t half;
} found;

static aq_status take_member(walker *w, const char *name, aq_buffer *scratch, aq_buffer *out, size_t begin, found *f,
                             aq_error *err) {
  uint32_t half;
  if (peek(w) != '"') return fail_syntax(w, "the name of a member", err);
  scratch->size = 0;
  AQ_TRY(read_string(w, scratch, &half, err));
  const bool is_wanted = scratch->size == strlen(name) && memcmp(scratch->data, name, scratch->size) == 0;
  if (peek(w) != ':') return fail_syntax(w, "a colon", err);
  w->at++;
  const bool is_text = peek(w) == '"';
  if (!is_wanted || !is_text) {
    AQ_TRY(skip_value(w, scratch, 1, err));
    if (is_wanted) *f = (found){.is_there = true};
    return AQ_OK;
  }
  *f = (found){.is_there = true, .is_text = true};
  out->size = begin; /* of a member that is there twice, the last one counts */
  return read_string(w, out, &f->half, err);
}

static aq_status take_members(walker *w, const char *name, aq_buffer *scratch, aq_buffer *out, size_t begin, found *f,
                              aq_error *err) {
  if (peek(w) != '{') return fail_syntax(w, "'{'", err);
  w->at++;
  if (peek(w) == '}') {
    w->at++;
  } else {
    for (bool more = true; more;) {
      AQ_TRY(take_member(w, name, scratch, out, begin, f, err));
      const uint8_t next = peek(w);
      if (next != ',' && next != '}') return fail_syntax(w, "a comma or '}'", err);
      w->at++;
      more = next == ',';
    }
  }
  (void)peek(w);
  return w->at == w->end ? AQ_OK : fail_syntax(w, "the end of the line", err);
}

static aq_status check_found(const found *f, const char *name, const aq_buffer *out, size_t begin, aq_error *err) {
  if (!f->is_there) return aq_fail(err, AQ_ERR_FORMAT, "the object has no member '%.64s'", name);
  AQ_FAIL_IF(!f->is_text, AQ_ERR_FORMAT, "the member '%.64s' is no string", name);
  AQ_FAIL_IF(f->half != 0, AQ_ERR_FORMAT, "the member '%.64s' holds \\u%04x, half of a surrogate pair: no character",
             name, (unsigned)f->half);
  AQ_FAIL_IF(aq_utf8_valid(out->data + begin, out->size - begin) < out->size - begin, AQ_ERR_FORMAT,
             "the member '%.64s' holds bytes that are not UTF-8", name);
  return AQ_OK;
}

aq_status aq_json_line_text(const uint8_t *line, size_t size, const char *name, aq_buffer *out, aq_error *err) {
  walker w = {.at = line, .end = line + size, .begin = line};
  aq_buffer scratch = {0};
  found f = {.is_there = false};
  const size_t begin = out->size;
  AQ_TRY(aq_buffer_reserve(out, 1, err)); /* so that there are bytes to point at, also for an empty text */
  aq_status status = take_members(&w, name, &scratch, out, begin, &f, err);
  if (status == AQ_OK) status = check_found(&f, name, out, begin, err);
  if (status != AQ_OK) out->size = begin;
  aq_buffer_reset(&scratch);
  return status;
}
