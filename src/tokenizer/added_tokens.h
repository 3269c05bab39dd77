/* added_tokens.h - tokens that are looked for in the text itself, before it is cut into words ("[MASK]"). */
#ifndef AQ_TOKENIZER_ADDED_TOKENS_H
#define AQ_TOKENIZER_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

#define AQ_ADDED_MAX_TOKEN 1024 /* bytes */

typedef struct aq_added_token {
  uint32_t offset, size; /* in the set's text */
  uint32_t order;        /* of two with the same text the one that was added first counts */
  int32_t id;
  bool single_word;    /* not beside a character of a word */
  bool lstrip, rstrip; /* takes the white space before or behind with it */
  bool passed_over;    /* found like the others, but its text stays text */
} aq_added_token;

/* Zero-initialise; aq_added_reset frees. */
typedef struct aq_added_tokens {
  aq_added_token *tokens; /* by their bytes, once prepared */
  size_t count, capacity;
  aq_buffer text;
  bool begins[256]; /* is there a token that begins with this byte? */
} aq_added_tokens;

void aq_added_reset(aq_added_tokens *set);

/* Adds a token that begins with the `size` bytes of content (copied); offset, size and order of *token are set here. An
 * empty one is AQ_ERR_UNSUPPORTED, as is one that is too long. */
AQ_MUST_CHECK aq_status aq_added_add(aq_added_tokens *set, const char *content, size_t size,
                                     const aq_added_token *token, aq_error *err);

/* To be called when all tokens are in. */
void aq_added_prepare(aq_added_tokens *set);

/* A search through a well-formed text. Set `text` and `size`, and the rest to zero. */
typedef struct aq_added_search {
  const uint8_t *text;
  size_t size;
  size_t next; /* where the search goes on */
  size_t done; /* end of what is accounted for */
} aq_added_search;

typedef struct aq_added_match {
  size_t plain_start, plain_end; /* ordinary text before the token */
  int32_t id;
} aq_added_match;

/* Finds the next token, the leftmost, and there the longest. False when there is none; then what lies behind the
 * search's `done` is ordinary text. */
bool aq_added_next(const aq_added_tokens *set, aq_added_search *search, aq_added_match *match);

#endif
