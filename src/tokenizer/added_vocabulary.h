/* added_vocabulary.h - the added tokens of a tokenizer while they are added, by the rules of the Hugging Face library
 * `tokenizers`: which id a token gets, and what counts when a token is added again. */
#ifndef AQ_TOKENIZER_ADDED_VOCABULARY_H
#define AQ_TOKENIZER_ADDED_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/models.h"
#include "tokenizer/token_specs.h"
#include "tokenizer/vocab.h"

/* One text that was added. */
typedef struct aq_added_entry {
  aq_token_spec spec; /* as added last; its id is the one that it has */
  bool special;       /* was special at one time */
} aq_added_entry;

/* Set `model`, the rest to zero; aq_added_vocabulary_reset frees. */
typedef struct aq_added_vocabulary {
  const aq_token_model *model;
  aq_vocab seen;           /* texts that were added; the id is the index of the entry */
  aq_added_entry *entries; /* in the order in which they were added first */
  size_t count, capacity;
  int32_t largest; /* of the ids of the entries, -1 when there are none */
} aq_added_vocabulary;

void aq_added_vocabulary_reset(aq_added_vocabulary *added);

/* Adds a token. One without text is passed over. AQ_ERR_FORMAT when the spec has an id and the token gets another one:
 * that of the vocabulary, or the one that follows the largest. */
AQ_MUST_CHECK aq_status aq_added_vocabulary_add(aq_added_vocabulary *added, const aq_token_spec *spec, aq_error *err);

/* The entry of a text, or NULL. */
const aq_added_entry *aq_added_vocabulary_find(const aq_added_vocabulary *added, const char *content);

/* Id of a token, added or of the vocabulary; -1: there is none. */
int32_t aq_added_vocabulary_id(const aq_added_vocabulary *added, const char *content);

#endif
