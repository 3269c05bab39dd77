/* wordpiece.h - the model of BERT, for the classes that make one without a tokenizer.json. */
#ifndef AQ_TOKENIZER_WORDPIECE_H
#define AQ_TOKENIZER_WORDPIECE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/models.h"

#define AQ_WORDPIECE_MAX_PREFIX 64 /* bytes */

typedef struct aq_wordpiece_options {
  int32_t unknown;    /* id of a word that has no pieces */
  uint64_t max_word;  /* characters; a longer word is unknown */
  const char *prefix; /* what pieces after the first begin with: "##" */
} aq_wordpiece_options;

/* Makes the state of aq_token_model_wordpiece. AQ_ERR_UNSUPPORTED when the prefix is too long. */
AQ_MUST_CHECK aq_status aq_wordpiece_make(const aq_wordpiece_options *options, const aq_vocab *vocab, void **state,
                                          aq_error *err);

#endif
