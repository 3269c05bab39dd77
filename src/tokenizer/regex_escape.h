/* regex_escape.h - what stands behind a backslash in a regular expression, and classes in brackets. */
#ifndef AQ_TOKENIZER_REGEX_ESCAPE_H
#define AQ_TOKENIZER_REGEX_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "arrowquant.h"
#include "tokenizer/regex_tree.h"

/* Where a pattern is read. */
typedef struct aq_regex_reader {
  const uint8_t *pattern; /* well-formed */
  size_t size, at;
} aq_regex_reader;

/* Reads what a backslash at the reader's place begins, and adds it to the class; *single is set when it is one
 * character, which is left in *c, and not added. */
AQ_MUST_CHECK aq_status aq_regex_read_escape(aq_regex_reader *reader, bool in_class, aq_regex_class *class,
                                             bool *single, uint32_t *c, aq_error *err);

/* Reads a class in brackets; the reader stands behind the '['. */
AQ_MUST_CHECK aq_status aq_regex_read_class(aq_regex_reader *reader, bool ignores_case, aq_regex_class *class,
                                            aq_error *err);

/* Adds the characters first to last. With ignores_case those, too, that are the same but for their case: only ASCII is
 * known then. */
AQ_MUST_CHECK aq_status aq_regex_class_add(aq_regex_class *class, uint32_t first, uint32_t last, bool ignores_case,
                                           size_t at, aq_error *err);

#endif
