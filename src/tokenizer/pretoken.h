/* pretoken.h - what a pre-tokenizer cuts a text into and a model turns into ids: a word, as BERT has it. */
#ifndef AQ_TOKENIZER_PRETOKEN_H
#define AQ_TOKENIZER_PRETOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/vocab.h"

/* Normalized text between added tokens. */
typedef struct aq_text_span {
  const uint8_t *text; /* well-formed */
  size_t size;
  bool is_first; /* the whole text begins here */
} aq_text_span;

/* Bytes of a span, or of what a pre-tokenizer makes of them, with what every model asks first. A pre-tokenizer looks
 * at every byte anyhow, and hashing it then costs less than another pass. */
typedef struct aq_pretoken {
  const uint8_t *bytes;
  size_t size;       /* at least 1 */
  size_t characters; /* Unicode's */
  uint64_t hash;     /* aq_vocab_hash of the bytes */
} aq_pretoken;

/* Takes pretokens one after another. */
typedef struct aq_pretoken_sink {
  aq_status (*put)(void *context, const aq_pretoken *pretoken, aq_error *err);
  void *context;
} aq_pretoken_sink;

/* The pretoken of well-formed bytes of which nothing is known yet. */
aq_pretoken aq_pretoken_of(const uint8_t *bytes, size_t size);

#endif
