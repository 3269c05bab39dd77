/* regex_program.h - what a regular expression is compiled to: classes of characters, and instructions for a machine
 * that goes back when it fails. */
#ifndef AQ_TOKENIZER_REGEX_PROGRAM_H
#define AQ_TOKENIZER_REGEX_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/regex.h"
#include "tokenizer/unicode_category.h"

#define AQ_REGEX_MAX_CODE 1000  /* instructions */
#define AQ_REGEX_MAX_CLASSES 64 /* different classes of one pattern */
#define AQ_REGEX_MAX_RANGES 64  /* of one class */

/* Beyond its ranges and categories, a class may hold these. */
enum { AQ_REGEX_WHITE = 1, AQ_REGEX_NOT_WHITE = 2, AQ_REGEX_WORD = 4, AQ_REGEX_NOT_WORD = 8 };

typedef struct aq_regex_class {
  uint32_t ascii[4]; /* a bit each: is the character in it? Set by aq_regex_class_prepare */
  struct {
    uint32_t first, last;
  } ranges[AQ_REGEX_MAX_RANGES];
  size_t range_count;
  aq_categories categories;
  unsigned more; /* AQ_REGEX_WHITE and so on */
  bool is_negated;
} aq_regex_class;

/* To be called when all of it is set. */
void aq_regex_class_prepare(aq_regex_class *class);

/* Is the character in the class? The slow way, which needs no preparation. */
bool aq_regex_class_asks(const aq_regex_class *class, uint32_t c);

static inline bool aq_regex_class_has(const aq_regex_class *class, uint32_t c) {
  if (c < 0x80) return (class->ascii[c / 32] >> (c % 32) & 1u) != 0;
  return aq_regex_class_asks(class, c);
}

typedef enum aq_regex_op {
  AQ_REGEX_CLASS,    /* a character of class x */
  AQ_REGEX_REPEAT,   /* as many of class x as there are, given back one by one; branch y */
  AQ_REGEX_POSSESS,  /* as many of class x as there are, never given back; branch y */
  AQ_REGEX_OPTIONAL, /* one of class x if there is one, never given back */
  AQ_REGEX_SPLIT,    /* go on at x, and when that fails at y; branch z */
  AQ_REGEX_JUMP,     /* go on at x */
  AQ_REGEX_AHEAD,    /* what follows up to AHEAD_END must match here; go on at x */
  AQ_REGEX_NOT_AHEAD,
  AQ_REGEX_AHEAD_END,
  AQ_REGEX_MATCH
} aq_regex_op;

typedef struct aq_regex_code {
  aq_regex_op op;
  uint16_t x, y, z;
} aq_regex_code;

struct aq_regex {
  aq_regex_code *code;
  size_t code_count, code_capacity;
  aq_regex_class *classes;
  size_t class_count, class_capacity;
  size_t branch_count; /* instructions whose states are remembered when they fail */
};

#endif
