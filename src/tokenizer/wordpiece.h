/* wordpiece.h - from a normalized text to ids: BERT's cut at white space and punctuation, then WordPiece. */
#ifndef AQ_TOKENIZER_WORDPIECE_H
#define AQ_TOKENIZER_WORDPIECE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/vocab.h"

#define AQ_WORDPIECE_MAX_PREFIX 64

typedef struct aq_wordpiece {
  aq_vocab vocab;
  int32_t unknown;                         /* id of a word that has no pieces */
  uint64_t max_word;                       /* characters; a longer word is unknown */
  uint8_t prefix[AQ_WORDPIECE_MAX_PREFIX]; /* what pieces after the first begin with: "##" */
  size_t prefix_size;
  uint64_t prefix_hash;
} aq_wordpiece;

/* Sets the prefix; AQ_ERR_UNSUPPORTED when it is too long. */
AQ_MUST_CHECK aq_status aq_wordpiece_set_prefix(aq_wordpiece *pieces, const char *prefix, size_t size, aq_error *err);

/* Appends an id. */
AQ_MUST_CHECK aq_status aq_ids_push(aq_token_ids *ids, int32_t id, aq_error *err);

/* Appends the ids of a well-formed text. */
AQ_MUST_CHECK aq_status aq_wordpiece_encode(const aq_wordpiece *pieces, const uint8_t *text, size_t size,
                                            aq_token_ids *ids, aq_error *err);

#endif
