/* regex_emit.c - the program of a regular expression. Repetitions with numbers are written out; one of a single
 * character without an upper bound is one instruction. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "tokenizer/regex_tree.h"

typedef struct emitter {
  const aq_regex_tree *tree;
  aq_regex *regex;
  aq_error *err;
} emitter;

static aq_status emit_node(const emitter *e, uint32_t index);

/* ---- Lengths ---- */

/* Whether a node can match nothing, and whether what it matches has an upper bound. */
static bool can_be_empty(const aq_regex_tree *tree, uint32_t index) {
  const aq_regex_node *node = &tree->nodes[index];
  bool empty = node->kind == AQ_NODE_SEQUENCE;
  switch (node->kind) {
    case AQ_NODE_CLASS:
      return false;
    case AQ_NODE_AHEAD:
      return true;
    case AQ_NODE_REPEAT:
      return node->least == 0 || can_be_empty(tree, node->child);
    default:
      for (uint32_t i = node->child; i != AQ_REGEX_NONE; i = tree->nodes[i].next) {
        const bool this_one = can_be_empty(tree, i);
        empty = node->kind == AQ_NODE_SEQUENCE ? empty && this_one : empty || this_one;
      }
      return empty;
  }
}

static bool is_bounded(const aq_regex_tree *tree, uint32_t index) {
  const aq_regex_node *node = &tree->nodes[index];
  if (node->kind == AQ_NODE_REPEAT && node->most == AQ_REGEX_UNBOUNDED) return false;
  for (uint32_t i = node->child; i != AQ_REGEX_NONE; i = tree->nodes[i].next) {
    if (!is_bounded(tree, i)) return false;
  }
  return true;
}

/* ---- Instructions ---- */

/* Adds an instruction; its place is the count before. */
static aq_status add_code(const emitter *e, aq_regex_op op, size_t x, size_t y) {
  aq_regex *regex = e->regex;
  if (regex->code_count == AQ_REGEX_MAX_CODE) {
    return aq_fail(e->err, AQ_ERR_UNSUPPORTED, "the pattern takes more than %d instructions", AQ_REGEX_MAX_CODE);
  }
  if (regex->code_count == regex->code_capacity) {
    const size_t capacity = AQ_MAX(regex->code_capacity * 2, (size_t)64);
    aq_regex_code *code = aq_realloc_array(regex->code, capacity, sizeof *code);
    if (code == NULL) return aq_fail_memory(e->err, capacity * sizeof *code);
    regex->code = code;
    regex->code_capacity = capacity;
  }
  regex->code[regex->code_count++] = (aq_regex_code){op, (uint16_t)x, (uint16_t)y, 0};
  return AQ_OK;
}

/* A SPLIT whose targets are set later. */
static aq_status add_split(const emitter *e, size_t *at) {
  *at = e->regex->code_count;
  AQ_TRY(add_code(e, AQ_REGEX_SPLIT, 0, 0));
  e->regex->code[*at].z = (uint16_t)e->regex->branch_count++;
  return AQ_OK;
}

/* Into the body, or past it; the other way round when as few as can be are wanted. */
static void set_split(const emitter *e, size_t at, bool is_lazy, size_t body, size_t past) {
  e->regex->code[at].x = (uint16_t)(is_lazy ? past : body);
  e->regex->code[at].y = (uint16_t)(is_lazy ? body : past);
}

/* ---- Nodes ---- */

/* The class of a node that is one character, through groups of one; AQ_REGEX_NONE: it is something else. */
static uint32_t class_of(const aq_regex_tree *tree, uint32_t index) {
  const aq_regex_node *node = &tree->nodes[index];
  while (node->kind == AQ_NODE_SEQUENCE || node->kind == AQ_NODE_CHOICE) {
    if (tree->nodes[node->child].next != AQ_REGEX_NONE) return AQ_REGEX_NONE;
    node = &tree->nodes[node->child];
  }
  return node->kind == AQ_NODE_CLASS ? node->class : AQ_REGEX_NONE;
}

/* x* of one character, possessive or not. */
static aq_status emit_class_loop(const emitter *e, uint32_t class, bool is_possessive) {
  return add_code(e, is_possessive ? AQ_REGEX_POSSESS : AQ_REGEX_REPEAT, class, e->regex->branch_count++);
}

/* L: SPLIT body, past; body; JUMP L; past: */
static aq_status emit_loop(const emitter *e, const aq_regex_node *node) {
  size_t split;
  AQ_TRY(add_split(e, &split));
  AQ_TRY(emit_node(e, node->child));
  AQ_TRY(add_code(e, AQ_REGEX_JUMP, split, 0));
  set_split(e, split, node->is_lazy, split + 1, e->regex->code_count);
  return AQ_OK;
}

/* As many times x? in each other: SPLIT body, past; body; SPLIT body, past; body; ... past: */
static aq_status emit_optional(const emitter *e, const aq_regex_node *node, uint32_t times) {
  size_t splits[AQ_REGEX_MAX_REPEAT];
  for (uint32_t i = 0; i < times; i++) {
    AQ_TRY(add_split(e, &splits[i]));
    AQ_TRY(emit_node(e, node->child));
  }
  for (uint32_t i = 0; i < times; i++) set_split(e, splits[i], node->is_lazy, splits[i] + 1, e->regex->code_count);
  return AQ_OK;
}

static aq_status emit_repeat(const emitter *e, const aq_regex_node *node) {
  const uint32_t class = class_of(e->tree, node->child);
  if (can_be_empty(e->tree, node->child)) {
    return aq_regex_fail_at(e->err, "a repetition of what can be nothing", node->at);
  }
  if (node->is_possessive && class == AQ_REGEX_NONE) {
    return aq_regex_fail_at(e->err, "a possessive repetition of more than one character", node->at);
  }
  for (uint32_t i = 0; i < node->least; i++) AQ_TRY(emit_node(e, node->child));
  if (node->most == AQ_REGEX_UNBOUNDED) {
    const bool single = class != AQ_REGEX_NONE && !node->is_lazy;
    return single ? emit_class_loop(e, class, node->is_possessive) : emit_loop(e, node);
  }
  if (node->is_possessive) return add_code(e, AQ_REGEX_OPTIONAL, class, 0);
  return emit_optional(e, node, node->most - node->least);
}

/* SPLIT first, L; first; JUMP past; L: SPLIT second, ...; the last one; past: */
static aq_status emit_choice(const emitter *e, const aq_regex_node *node) {
  size_t first_jump = SIZE_MAX; /* the jumps to the end, each with the one before in its target */
  for (uint32_t i = node->child; i != AQ_REGEX_NONE; i = e->tree->nodes[i].next) {
    const bool is_last = e->tree->nodes[i].next == AQ_REGEX_NONE;
    size_t split = 0;
    if (!is_last) AQ_TRY(add_split(e, &split));
    AQ_TRY(emit_node(e, i));
    if (is_last) break;
    const size_t jump = e->regex->code_count;
    AQ_TRY(add_code(e, AQ_REGEX_JUMP, first_jump == SIZE_MAX ? UINT16_MAX : first_jump, 0));
    first_jump = jump;
    set_split(e, split, false, split + 1, e->regex->code_count);
  }
  while (first_jump != SIZE_MAX) {
    aq_regex_code *jump = &e->regex->code[first_jump];
    first_jump = jump->x == UINT16_MAX ? SIZE_MAX : jump->x;
    jump->x = (uint16_t)e->regex->code_count;
  }
  return AQ_OK;
}

static aq_status emit_ahead(const emitter *e, const aq_regex_node *node) {
  if (!is_bounded(e->tree, node->child)) {
    return aq_regex_fail_at(e->err, "a look ahead without a bound", node->at);
  }
  const size_t start = e->regex->code_count;
  AQ_TRY(add_code(e, node->is_negated ? AQ_REGEX_NOT_AHEAD : AQ_REGEX_AHEAD, 0, 0));
  AQ_TRY(emit_node(e, node->child));
  AQ_TRY(add_code(e, AQ_REGEX_AHEAD_END, 0, 0));
  e->regex->code[start].x = (uint16_t)e->regex->code_count;
  return AQ_OK;
}

static aq_status emit_node(const emitter *e, uint32_t index) {
  const aq_regex_node *node = &e->tree->nodes[index];
  switch (node->kind) {
    case AQ_NODE_CLASS:
      return add_code(e, AQ_REGEX_CLASS, node->class, 0);
    case AQ_NODE_SEQUENCE:
      for (uint32_t i = node->child; i != AQ_REGEX_NONE; i = e->tree->nodes[i].next) AQ_TRY(emit_node(e, i));
      return AQ_OK;
    case AQ_NODE_CHOICE:
      return emit_choice(e, node);
    case AQ_NODE_REPEAT:
      return emit_repeat(e, node);
    default:
      return emit_ahead(e, node);
  }
}

aq_status aq_regex_emit(const aq_regex_tree *tree, aq_regex *regex, aq_error *err) {
  const emitter e = {tree, regex, err};
  AQ_FAIL_IF(can_be_empty(tree, tree->root), AQ_ERR_UNSUPPORTED, "the pattern can match nothing at all");
  AQ_TRY(emit_node(&e, tree->root));
  return add_code(&e, AQ_REGEX_MATCH, 0, 0);
}
