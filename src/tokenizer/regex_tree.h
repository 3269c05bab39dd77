/* regex_tree.h - a regular expression as a tree, between its text and its program. */
#ifndef AQ_TOKENIZER_REGEX_TREE_H
#define AQ_TOKENIZER_REGEX_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/regex_program.h"

#define AQ_REGEX_NONE UINT32_MAX
#define AQ_REGEX_UNBOUNDED UINT32_MAX
#define AQ_REGEX_MAX_REPEAT 255 /* of a quantifier with numbers */
#define AQ_REGEX_MAX_DEPTH 32   /* of groups in groups */

typedef enum aq_regex_kind {
  AQ_NODE_CLASS,    /* one character of a class */
  AQ_NODE_SEQUENCE, /* its children, one after the other */
  AQ_NODE_CHOICE,   /* one of its children */
  AQ_NODE_REPEAT,   /* its child, least to most times */
  AQ_NODE_AHEAD     /* its child must match here, or must not */
} aq_regex_kind;

typedef struct aq_regex_node {
  aq_regex_kind kind;
  uint32_t child, next;        /* the first child, the next sibling; AQ_REGEX_NONE: there is none */
  uint32_t class;              /* of a CLASS */
  uint32_t least, most;        /* of a REPEAT; most may be AQ_REGEX_UNBOUNDED */
  bool is_lazy, is_possessive; /* of a REPEAT */
  bool is_negated;             /* of an AHEAD */
  size_t at;                   /* where in the pattern it begins, for messages */
} aq_regex_node;

/* Zero-initialise; aq_regex_tree_reset frees. */
typedef struct aq_regex_tree {
  aq_regex_node *nodes;
  size_t count, capacity;
  uint32_t root;
} aq_regex_tree;

void aq_regex_tree_reset(aq_regex_tree *tree);

/* Parses a pattern; its classes go into the regex. */
AQ_MUST_CHECK aq_status aq_regex_parse(const char *pattern, size_t size, aq_regex *regex, aq_regex_tree *tree,
                                       aq_error *err);

/* Adds a class, which is prepared, and gives its index. AQ_ERR_UNSUPPORTED when there are too many. */
AQ_MUST_CHECK aq_status aq_regex_add_class(aq_regex *regex, const aq_regex_class *class, uint32_t *index,
                                           aq_error *err);

/* Adds a node without children and gives its index. */
AQ_MUST_CHECK aq_status aq_regex_add_node(aq_regex_tree *tree, aq_regex_kind kind, size_t at, uint32_t *index,
                                          aq_error *err);

/* The program of a tree. */
AQ_MUST_CHECK aq_status aq_regex_emit(const aq_regex_tree *tree, aq_regex *regex, aq_error *err);

/* AQ_ERR_UNSUPPORTED: "the pattern has ... at byte N, which cannot be done". */
aq_status aq_regex_fail_at(aq_error *err, const char *what, size_t at);

#endif
