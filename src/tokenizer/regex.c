/* regex.c - a regular expression from its text to its program. */
#include "tokenizer/regex.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/regex_program.h"
#include "tokenizer/regex_tree.h"

#define MAX_PATTERN 4096 /* bytes */
#define MAX_LITERAL 256  /* bytes */

aq_status aq_regex_fail_at(aq_error *err, const char *what, size_t at) {
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "the pattern has %s at byte %zu, which cannot be done", what, at);
}

void aq_regex_free(aq_regex *regex) {
  if (regex == NULL) return;
  aq_free(regex->code);
  aq_free(regex->classes);
  aq_free(regex);
}

void aq_regex_tree_reset(aq_regex_tree *tree) {
  aq_free(tree->nodes);
  *tree = (aq_regex_tree){.nodes = NULL};
}

aq_status aq_regex_add_node(aq_regex_tree *tree, aq_regex_kind kind, size_t at, uint32_t *index, aq_error *err) {
  if (tree->count == tree->capacity) {
    const size_t capacity = AQ_MAX(tree->capacity * 2, (size_t)64);
    aq_regex_node *nodes = aq_realloc_array(tree->nodes, capacity, sizeof *nodes);
    if (nodes == NULL) return aq_fail_memory(err, capacity * sizeof *nodes);
    tree->nodes = nodes;
    tree->capacity = capacity;
  }
  *index = (uint32_t)tree->count;
  tree->nodes[tree->count++] = (aq_regex_node){.kind = kind, .child = AQ_REGEX_NONE, .next = AQ_REGEX_NONE, .at = at};
  return AQ_OK;
}

static bool is_same_class(const aq_regex_class *a, const aq_regex_class *b) {
  return a->range_count == b->range_count && a->categories == b->categories && a->more == b->more &&
         a->is_negated == b->is_negated &&
         (a->range_count == 0 || memcmp(a->ranges, b->ranges, a->range_count * sizeof a->ranges[0]) == 0);
}

aq_status aq_regex_add_class(aq_regex *regex, const aq_regex_class *class, uint32_t *index, aq_error *err) {
  for (size_t i = 0; i < regex->class_count; i++) {
    if (!is_same_class(&regex->classes[i], class)) continue;
    *index = (uint32_t)i;
    return AQ_OK;
  }
  AQ_FAIL_IF(regex->class_count == AQ_REGEX_MAX_CLASSES, AQ_ERR_UNSUPPORTED,
             "the pattern has more than %d different characters and classes", AQ_REGEX_MAX_CLASSES);
  if (regex->class_count == regex->class_capacity) {
    const size_t capacity = AQ_MAX(regex->class_capacity * 2, (size_t)8);
    aq_regex_class *classes = aq_realloc_array(regex->classes, capacity, sizeof *classes);
    if (classes == NULL) return aq_fail_memory(err, capacity * sizeof *classes);
    regex->classes = classes;
    regex->class_capacity = capacity;
  }
  *index = (uint32_t)regex->class_count;
  regex->classes[regex->class_count++] = *class;
  return AQ_OK;
}

/* The characters of a text, one after the other. */
static aq_status parse_literal(const char *text, size_t size, aq_regex *regex, aq_regex_tree *tree, aq_error *err) {
  uint32_t last = AQ_REGEX_NONE;
  size_t width;
  AQ_TRY(aq_regex_add_node(tree, AQ_NODE_SEQUENCE, 0, &tree->root, err));
  for (size_t at = 0; at < size; at += width) {
    const uint32_t c = aq_utf8_get((const uint8_t *)text + at, &width);
    aq_regex_class class = {.ranges = {{c, c}}, .range_count = 1};
    uint32_t index = 0, node = 0;
    aq_regex_class_prepare(&class);
    AQ_TRY(aq_regex_add_class(regex, &class, &index, err));
    AQ_TRY(aq_regex_add_node(tree, AQ_NODE_CLASS, at, &node, err));
    tree->nodes[node].class = index;
    if (last == AQ_REGEX_NONE) tree->nodes[tree->root].child = node;
    if (last != AQ_REGEX_NONE) tree->nodes[last].next = node;
    last = node;
  }
  return AQ_OK;
}

static aq_status compile_with(aq_status (*parse)(const char *, size_t, aq_regex *, aq_regex_tree *, aq_error *),
                              const char *pattern, size_t size, aq_regex **out, aq_error *err) {
  aq_regex_tree tree = {.nodes = NULL};
  *out = NULL;
  aq_regex *regex = aq_calloc(1, sizeof *regex);
  if (regex == NULL) return aq_fail_memory(err, sizeof *regex);
  aq_status status = parse(pattern, size, regex, &tree, err);
  if (status == AQ_OK) status = aq_regex_emit(&tree, regex, err);
  aq_regex_tree_reset(&tree);
  if (status == AQ_OK) {
    *out = regex;
  } else {
    aq_regex_free(regex);
  }
  return status;
}

aq_status aq_regex_compile(const char *pattern, size_t size, aq_regex **out, aq_error *err) {
  *out = NULL;
  AQ_FAIL_IF(size > MAX_PATTERN, AQ_ERR_UNSUPPORTED, "the pattern has %zu bytes; at most %d are handled", size,
             MAX_PATTERN);
  return compile_with(aq_regex_parse, pattern, size, out, err);
}

aq_status aq_regex_compile_literal(const char *text, size_t size, aq_regex **out, aq_error *err) {
  *out = NULL;
  AQ_FAIL_IF(size == 0 || size > MAX_LITERAL, AQ_ERR_UNSUPPORTED, "the pattern has %zu bytes; 1 to %d are handled",
             size, MAX_LITERAL);
  return compile_with(parse_literal, text, size, out, err);
}
