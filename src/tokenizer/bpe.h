/* bpe.h - the model of GPT-2, Llama and their kin, for the classes that make one by themselves. */
#ifndef AQ_TOKENIZER_BPE_H
#define AQ_TOKENIZER_BPE_H

#include <stdbool.h>

#include "arrowquant.h"
#include "tokenizer/merges.h"
#include "tokenizer/models.h"

typedef struct aq_bpe_options {
  const char *unknown; /* token of a character that the vocabulary lacks; NULL: such a character is dropped */
  const char *prefix;  /* what all characters of a word but the first begin with, or "" */
  const char *suffix;  /* what the last character of a word ends with, or "" */
  bool fuses_unknown;  /* unknown characters that are neighbours are one token */
  bool byte_fallback;  /* such a character is the tokens of its bytes ("<0x0A>") where all of them are there */
  bool ignores_merges; /* a word that is a token is this token, whatever the merges say */
} aq_bpe_options;

/* Makes the state of aq_token_model_bpe, and takes the merges, also when it fails. */
AQ_MUST_CHECK aq_status aq_bpe_make(const aq_bpe_options *options, const aq_vocab *vocab, aq_merges *merges,
                                    void **state, aq_error *err);

#endif
