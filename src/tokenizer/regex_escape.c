/* regex_escape.c - what stands behind a backslash in a regular expression, and classes in brackets. */
#include "tokenizer/regex_escape.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/utf8.h"

#define LONG_S 0x17Fu
#define KELVIN 0x212Au

static aq_status add_range(aq_regex_class *class, uint32_t first, uint32_t last, size_t at, aq_error *err) {
  if (class->range_count == AQ_REGEX_MAX_RANGES) return aq_regex_fail_at(err, "a class of too many parts", at);
  class->ranges[class->range_count].first = first;
  class->ranges[class->range_count++].last = last;
  return AQ_OK;
}

/* The letters of [first, last] that lie in the alphabet that begins with `from`, in the one that begins with `to`. */
static aq_status add_other_case(aq_regex_class *class, uint32_t first, uint32_t last, uint32_t from, uint32_t to,
                                size_t at, aq_error *err) {
  const uint32_t low = AQ_MAX(first, from), high = AQ_MIN(last, from + 25);
  return low <= high ? add_range(class, low - from + to, high - from + to, at, err) : AQ_OK;
}

aq_status aq_regex_class_add(aq_regex_class *class, uint32_t first, uint32_t last, bool ignores_case, size_t at,
                             aq_error *err) {
  AQ_TRY(add_range(class, first, last, at, err));
  if (!ignores_case) return AQ_OK;
  if (last >= 0x80) return aq_regex_fail_at(err, "a character beyond ASCII whose case is ignored", at);
  AQ_TRY(add_other_case(class, first, last, 'a', 'A', at, err));
  AQ_TRY(add_other_case(class, first, last, 'A', 'a', at, err));
  const bool has_s = (first <= 's' && last >= 's') || (first <= 'S' && last >= 'S');
  const bool has_k = (first <= 'k' && last >= 'k') || (first <= 'K' && last >= 'K');
  if (has_s) AQ_TRY(add_range(class, LONG_S, LONG_S, at, err));
  return has_k ? add_range(class, KELVIN, KELVIN, at, err) : AQ_OK;
}

/* `digits` hexadecimal digits. */
static aq_status read_hex(aq_regex_reader *r, size_t digits, uint32_t *c, aq_error *err) {
  static const char hex[] = "0123456789abcdefABCDEF";
  *c = 0;
  for (size_t i = 0; i < digits; i++) {
    const char *digit = r->at < r->size && r->pattern[r->at] != 0 ? strchr(hex, r->pattern[r->at]) : NULL;
    if (digit == NULL) return aq_regex_fail_at(err, "an escape with too few hexadecimal digits", r->at);
    const uint32_t value = (uint32_t)(digit - hex);
    *c = *c * 16 + (value > 15 ? value - 6 : value);
    r->at++;
  }
  const bool none = *c > 0x10FFFF || (*c >= 0xD800 && *c <= 0xDFFF);
  return none ? aq_regex_fail_at(err, "an escape that is no character", r->at) : AQ_OK;
}

/* \p{Lu}, \p{^Lu}, \P{Lu}; the reader stands behind the 'p'. */
static aq_status read_category(aq_regex_reader *r, bool negated, aq_regex_class *class, aq_error *err) {
  const size_t start = r->at;
  const uint8_t *end = r->at < r->size ? memchr(r->pattern + r->at, '}', r->size - r->at) : NULL;
  if (end == NULL || r->pattern[r->at] != '{') return aq_regex_fail_at(err, "\\p without a name in braces", start);
  const char *name = (const char *)r->pattern + start + 1;
  size_t size = (size_t)((const char *)end - name);
  r->at = start + size + 2;
  if (size > 0 && name[0] == '^') {
    negated = !negated;
    name++;
    size--;
  }
  const aq_categories named = aq_categories_named(name, size);
  if (named == 0) return aq_regex_fail_at(err, "a \\p{...} that is no general category by its short name", start);
  class->categories |= negated ? AQ_ALL_CATEGORIES & ~named : named;
  return AQ_OK;
}

static const struct {
  char letter;
  uint32_t c;
} letters[] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'v', '\v'}, {'f', '\f'}, {'a', '\a'}, {'e', 0x1B}};

/* \w and \W by themselves: fractions and raised digits of Latin-1 are of a word then, and in a class they are not. */
static void set_word(aq_regex_class *class, bool negated) {
  class->more |= AQ_REGEX_WORD;
  class->is_negated = negated;
  class->range_count = 3;
  class->ranges[0].first = 0xB2, class->ranges[0].last = 0xB3;
  class->ranges[1].first = 0xB9, class->ranges[1].last = 0xB9;
  class->ranges[2].first = 0xBC, class->ranges[2].last = 0xBE;
}

/* Letters that stand for a set; false when this one does not. */
static bool add_set(aq_regex_class *class, uint8_t letter) {
  const aq_categories digits = aq_categories_named("Nd", 2);
  switch (letter) {
    case 's':
      class->more |= AQ_REGEX_WHITE;
      return true;
    case 'S':
      class->more |= AQ_REGEX_NOT_WHITE;
      return true;
    case 'w':
      class->more |= AQ_REGEX_WORD;
      return true;
    case 'W':
      class->more |= AQ_REGEX_NOT_WORD;
      return true;
    case 'd':
      class->categories |= digits;
      return true;
    case 'D':
      class->categories |= AQ_ALL_CATEGORIES & ~digits;
      return true;
    default:
      return false;
  }
}

aq_status aq_regex_read_escape(aq_regex_reader *r, bool in_class, aq_regex_class *class, bool *single, uint32_t *c,
                               aq_error *err) {
  const size_t start = r->at++;
  size_t width;
  *single = false;
  if (r->at == r->size) return aq_regex_fail_at(err, "a backslash at its end", start);
  const uint8_t letter = r->pattern[r->at];
  if (letter >= 0x80) return aq_regex_fail_at(err, "a backslash before a character beyond ASCII", start);
  *c = aq_utf8_get(r->pattern + r->at, &width);
  r->at += width;
  if (!in_class && (letter == 'w' || letter == 'W')) {
    set_word(class, letter == 'W');
    return AQ_OK;
  }
  if (letter == 'p' || letter == 'P') return read_category(r, letter == 'P', class, err);
  if (add_set(class, letter)) return AQ_OK;
  *single = true;
  if (letter == 'x' || letter == 'u') return read_hex(r, letter == 'x' ? 2 : 4, c, err);
  for (size_t i = 0; i < AQ_COUNT_OF(letters); i++) {
    if (letters[i].letter != (char)letter) continue;
    *c = letters[i].c;
    return AQ_OK;
  }
  const bool alphanumeric = (letter >= '0' && letter <= '9') || ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z');
  return alphanumeric || letter < 0x20 ? aq_regex_fail_at(err, "an escape that is not known", start) : AQ_OK;
}

/* One character, or what an escape stands for (then *single is false and it is in the class). */
static aq_status read_member(aq_regex_reader *r, aq_regex_class *class, bool *single, uint32_t *c, aq_error *err) {
  size_t width;
  if (r->at == r->size) return aq_regex_fail_at(err, "a class without an end", r->at);
  const uint8_t byte = r->pattern[r->at];
  if (byte == '\\') return aq_regex_read_escape(r, true, class, single, c, err);
  const bool doubled = r->at + 1 < r->size && byte == '&' && r->pattern[r->at + 1] == '&';
  if (byte == '[' || doubled) return aq_regex_fail_at(err, "a class in a class, or an intersection of classes", r->at);
  *c = aq_utf8_get(r->pattern + r->at, &width);
  *single = true;
  r->at += width;
  return AQ_OK;
}

/* A character, an escape or a range. */
static aq_status read_part(aq_regex_reader *r, bool ignores_case, aq_regex_class *class, aq_error *err) {
  const size_t start = r->at;
  bool single;
  uint32_t first, last;
  AQ_TRY(read_member(r, class, &single, &first, err));
  if (!single) {
    return ignores_case ? aq_regex_fail_at(err, "a set of characters whose case is ignored", start) : AQ_OK;
  }
  const bool dash = r->at + 1 < r->size && r->pattern[r->at] == '-' && r->pattern[r->at + 1] != ']';
  last = first;
  if (dash) {
    r->at++;
    AQ_TRY(read_member(r, class, &single, &last, err));
    if (!single || last < first) return aq_regex_fail_at(err, "a range that is none", start);
  }
  return aq_regex_class_add(class, first, last, ignores_case, start, err);
}

aq_status aq_regex_read_class(aq_regex_reader *r, bool ignores_case, aq_regex_class *class, aq_error *err) {
  const size_t start = r->at;
  bool is_negated = r->at < r->size && r->pattern[r->at] == '^';
  if (is_negated) r->at++;
  /* A bracket or a dash that comes first is read in more than one way. */
  if (r->at < r->size && (r->pattern[r->at] == ']' || r->pattern[r->at] == '-')) {
    return aq_regex_fail_at(err, "a class that begins with ']' or '-'", start);
  }
  while (r->at < r->size && r->pattern[r->at] != ']') AQ_TRY(read_part(r, ignores_case, class, err));
  if (r->at == r->size) return aq_regex_fail_at(err, "a class without an end", start);
  r->at++;
  class->is_negated = is_negated;
  return AQ_OK;
}
