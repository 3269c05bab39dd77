/* regex.h - the regular expressions of a tokenizer.json: those that cut a text into pretokens, or replace parts of it.
 *
 * The meaning is that of Oniguruma with the syntax of Ruby, which the reference uses: the leftmost match, alternatives
 * in their order, repetitions as long as they can be. Known are
 * - characters, `.`, escapes (\n \r \t \v \f \e \a \xHH \uHHHH, a backslash before a sign), \s \S \d \D \w \W;
 * - \p{L} \p{Lu} \P{L} \p{^L}: general categories by their short names;
 * - classes with ranges, escapes and negation; alternatives; groups (...) (?:...) (?i:...);
 * - the quantifiers ? * + {m} {m,} {m,n} {,n}, `?` behind them for as few as can be, and `+` behind the first three for
 *   "never given back" where what is repeated is one character;
 * - (?=...) and (?!...) of a bounded length.
 * Anything else is refused with its place in the pattern, as is a pattern that can match nothing at all.
 *
 * A search takes time that is linear in the text, whatever the pattern: states that failed are remembered. */
#ifndef AQ_TOKENIZER_REGEX_H
#define AQ_TOKENIZER_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

typedef struct aq_regex aq_regex;

/* Compiles a well-formed pattern. AQ_ERR_UNSUPPORTED tells what is not known and at which byte. The caller owns *out.
 */
AQ_MUST_CHECK aq_status aq_regex_compile(const char *pattern, size_t size, aq_regex **out, aq_error *err);

/* The pattern of a text that is looked for as it is. AQ_ERR_UNSUPPORTED when it is empty or longer than 256 bytes. */
AQ_MUST_CHECK aq_status aq_regex_compile_literal(const char *text, size_t size, aq_regex **out, aq_error *err);

void aq_regex_free(aq_regex *regex);

/* A search through a well-formed text. Set the first three members, the rest to zero; aq_regex_search_reset frees. */
typedef struct aq_regex_search {
  const aq_regex *regex;
  const uint8_t *text;
  size_t size;
  aq_buffer stack;
  aq_buffer failed; /* a bit for each state that is known to fail; empty while the search is quick */
  uint64_t steps;
} aq_regex_search;

void aq_regex_search_reset(aq_regex_search *search);

/* The first match at or behind `from`, which is where a character begins or the end. *end is *start when there is
 * none, else more. */
AQ_MUST_CHECK aq_status aq_regex_find(aq_regex_search *search, size_t from, size_t *start, size_t *end, aq_error *err);

#endif
