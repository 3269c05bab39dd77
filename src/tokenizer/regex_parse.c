/* regex_parse.c - the text of a regular expression as a tree. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/regex_escape.h"
#include "tokenizer/regex_tree.h"

typedef struct parser {
  aq_regex_reader in;
  aq_regex *regex;
  aq_regex_tree *tree;
  bool ignores_case;
  size_t depth;
  uint32_t before; /* the letter before, where case is ignored; 0: something else */
} parser;

static aq_status parse_choice(parser *p, uint32_t *out, aq_error *err);

static uint8_t next_byte(const parser *p) { return p->in.at < p->in.size ? p->in.pattern[p->in.at] : 0; }

static bool take_byte(parser *p, char byte) {
  if (p->in.at == p->in.size || p->in.pattern[p->in.at] != (uint8_t)byte) return false;
  p->in.at++;
  return true;
}

/* ---- One character ---- */

/* Where case is ignored, Oniguruma holds some letters beyond ASCII for two of these ("ss" is U+00DF). */
static bool is_folded_pair(uint32_t before, uint32_t c) {
  static const char pairs[][3] = {"ss", "st", "ff", "fi", "fl"};
  for (size_t i = 0; i < AQ_COUNT_OF(pairs); i++) {
    if ((before | 0x20) == (uint32_t)pairs[i][0] && (c | 0x20) == (uint32_t)pairs[i][1]) return true;
  }
  return false;
}

static aq_status add_class_node(parser *p, aq_regex_class *class, size_t at, uint32_t *out, aq_error *err) {
  uint32_t index;
  aq_regex_class_prepare(class);
  AQ_TRY(aq_regex_add_class(p->regex, class, &index, err));
  AQ_TRY(aq_regex_add_node(p->tree, AQ_NODE_CLASS, at, out, err));
  p->tree->nodes[*out].class = index;
  return AQ_OK;
}

static aq_status add_character(parser *p, aq_regex_class *class, uint32_t c, size_t at, uint32_t *out, aq_error *err) {
  if (p->ignores_case && is_folded_pair(p->before, c)) {
    return aq_regex_fail_at(err, "two letters that are one where case is ignored", at);
  }
  p->before = c;
  AQ_TRY(aq_regex_class_add(class, c, c, p->ignores_case, at, err));
  return add_class_node(p, class, at, out, err);
}

/* An escape, a class, a dot or a plain character. */
static aq_status parse_single(parser *p, uint32_t *out, aq_error *err) {
  const size_t start = p->in.at;
  aq_regex_class class = {.range_count = 0};
  bool single = true;
  uint32_t c;
  size_t width;
  const uint8_t byte = p->in.pattern[start];
  if (byte == '[') {
    p->in.at++;
    AQ_TRY(aq_regex_read_class(&p->in, p->ignores_case, &class, err));
    p->before = 0;
    return add_class_node(p, &class, start, out, err);
  }
  if (byte == '.') {
    p->in.at++;
    class.is_negated = true;
    AQ_TRY(aq_regex_class_add(&class, '\n', '\n', false, start, err));
    p->before = 0;
    return add_class_node(p, &class, start, out, err);
  }
  if (byte == '\\') {
    AQ_TRY(aq_regex_read_escape(&p->in, false, &class, &single, &c, err));
  } else {
    if (strchr("^$*+?{}]", byte) != NULL)
      return aq_regex_fail_at(err, "an anchor or a sign with nothing before it", start);
    c = aq_utf8_get(p->in.pattern + start, &width);
    p->in.at += width;
  }
  if (single) return add_character(p, &class, c, start, out, err);
  if (p->ignores_case) return aq_regex_fail_at(err, "a set of characters whose case is ignored", start);
  return add_class_node(p, &class, start, out, err);
}

/* ---- Groups ---- */

/* What stands behind "(": `kind` is AQ_NODE_AHEAD for a look ahead. */
static aq_status read_group_kind(parser *p, bool *ignores_case, bool *is_ahead, bool *is_negated, aq_error *err) {
  const char *rest = (const char *)p->in.pattern + p->in.at;
  const size_t left = p->in.size - p->in.at, start = p->in.at - 1;
  *is_ahead = *is_negated = false;
  if (left == 0 || rest[0] != '?') return AQ_OK;
  *is_negated = left >= 2 && rest[1] == '!';
  *is_ahead = *is_negated || (left >= 2 && rest[1] == '=');
  if (*is_ahead || (left >= 2 && rest[1] == ':')) {
    p->in.at += 2;
    return AQ_OK;
  }
  if (left < 3 || memcmp(rest, "?i:", 3) != 0)
    return aq_regex_fail_at(err, "a group of a kind that is not known", start);
  p->in.at += 3;
  *ignores_case = true;
  return AQ_OK;
}

static aq_status parse_group(parser *p, uint32_t *out, aq_error *err) {
  const size_t start = p->in.at++;
  const bool outer = p->ignores_case;
  bool is_ahead, is_negated;
  uint32_t inner;
  if (p->depth == AQ_REGEX_MAX_DEPTH) return aq_regex_fail_at(err, "groups that are nested too deeply", start);
  AQ_TRY(read_group_kind(p, &p->ignores_case, &is_ahead, &is_negated, err));
  p->depth++;
  p->before = 0;
  AQ_TRY(parse_choice(p, &inner, err));
  p->depth--;
  p->ignores_case = outer;
  p->before = 0;
  if (!take_byte(p, ')')) return aq_regex_fail_at(err, "a group without an end", start);
  *out = inner;
  if (!is_ahead) return AQ_OK;
  AQ_TRY(aq_regex_add_node(p->tree, AQ_NODE_AHEAD, start, out, err));
  p->tree->nodes[*out].child = inner;
  p->tree->nodes[*out].is_negated = is_negated;
  return AQ_OK;
}

/* ---- Quantifiers ---- */

/* Digits, at most three; false when there are none. */
static bool read_number(parser *p, uint32_t *out) {
  size_t digits = 0;
  *out = 0;
  for (; digits < 3 && next_byte(p) >= '0' && next_byte(p) <= '9'; digits++) {
    *out = *out * 10 + (uint32_t)(p->in.pattern[p->in.at++] - '0');
  }
  return digits > 0;
}

/* {m}, {m,}, {m,n}, {,n}; the reader stands behind the '{'. */
static aq_status read_bounds(parser *p, uint32_t *least, uint32_t *most, aq_error *err) {
  const size_t start = p->in.at - 1;
  const bool has_least = read_number(p, least);
  const bool comma = take_byte(p, ',');
  const bool has_most = comma && read_number(p, most);
  if (!comma) *most = *least;
  if (comma && !has_most) *most = AQ_REGEX_UNBOUNDED;
  const bool is_none = (!has_least && !has_most) || !take_byte(p, '}');
  const bool too_many = *least > AQ_REGEX_MAX_REPEAT || (*most != AQ_REGEX_UNBOUNDED && *most > AQ_REGEX_MAX_REPEAT);
  if (is_none || too_many || *most < *least || *most == 0) {
    return aq_regex_fail_at(err, "numbers in braces that are no bounds up to 255", start);
  }
  return AQ_OK;
}

/* The quantifier behind `item`, if there is one. */
static aq_status parse_quantifier(parser *p, uint32_t item, uint32_t *out, aq_error *err) {
  const size_t start = p->in.at;
  uint32_t least = 0, most = AQ_REGEX_UNBOUNDED;
  bool braces = false;
  *out = item;
  if (take_byte(p, '?')) {
    most = 1;
  } else if (take_byte(p, '+')) {
    least = 1;
  } else if (take_byte(p, '{')) {
    braces = true;
    AQ_TRY(read_bounds(p, &least, &most, err));
  } else if (!take_byte(p, '*')) {
    return AQ_OK;
  }
  p->before = 0;
  AQ_TRY(aq_regex_add_node(p->tree, AQ_NODE_REPEAT, start, out, err));
  aq_regex_node *node = &p->tree->nodes[*out];
  node->child = item;
  node->least = least;
  node->most = most;
  node->is_lazy = (!braces || least != most) && take_byte(p, '?');
  node->is_possessive = !braces && !node->is_lazy && take_byte(p, '+');
  const uint8_t next = next_byte(p);
  const bool again = p->in.at < p->in.size && next != 0 && strchr("?*+{", next) != NULL;
  return again ? aq_regex_fail_at(err, "a quantifier behind a quantifier", p->in.at) : AQ_OK;
}

/* ---- Sequences and choices ---- */

/* Adds `item` behind the last child of `parent`. */
static void append_child(aq_regex_tree *tree, uint32_t parent, uint32_t *last, uint32_t item) {
  if (*last == AQ_REGEX_NONE) {
    tree->nodes[parent].child = item;
  } else {
    tree->nodes[*last].next = item;
  }
  *last = item;
}

static aq_status parse_sequence(parser *p, uint32_t *out, aq_error *err) {
  uint32_t last = AQ_REGEX_NONE;
  AQ_TRY(aq_regex_add_node(p->tree, AQ_NODE_SEQUENCE, p->in.at, out, err));
  p->before = 0;
  while (p->in.at < p->in.size && next_byte(p) != '|' && next_byte(p) != ')') {
    uint32_t item, quantified;
    AQ_TRY(next_byte(p) == '(' ? parse_group(p, &item, err) : parse_single(p, &item, err));
    AQ_TRY(parse_quantifier(p, item, &quantified, err));
    append_child(p->tree, *out, &last, quantified);
  }
  return last == AQ_REGEX_NONE ? aq_regex_fail_at(err, "an alternative that is empty", p->in.at) : AQ_OK;
}

static aq_status parse_choice(parser *p, uint32_t *out, aq_error *err) {
  uint32_t last = AQ_REGEX_NONE, item;
  AQ_TRY(aq_regex_add_node(p->tree, AQ_NODE_CHOICE, p->in.at, out, err));
  do {
    AQ_TRY(parse_sequence(p, &item, err));
    append_child(p->tree, *out, &last, item);
  } while (take_byte(p, '|'));
  return AQ_OK;
}

aq_status aq_regex_parse(const char *pattern, size_t size, aq_regex *regex, aq_regex_tree *tree, aq_error *err) {
  parser p = {.in = {(const uint8_t *)pattern, size, 0}, .regex = regex, .tree = tree};
  AQ_TRY(parse_choice(&p, &tree->root, err));
  return p.in.at < size ? aq_regex_fail_at(err, "a ')' without a '('", p.in.at) : AQ_OK;
}
