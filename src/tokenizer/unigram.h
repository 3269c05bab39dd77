/* unigram.h - the model of SentencePiece that XLM-R, T5 and their kin use, for the classes that make one by themselves.
 */
#ifndef AQ_TOKENIZER_UNIGRAM_H
#define AQ_TOKENIZER_UNIGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/models.h"

typedef struct aq_unigram_options {
  int64_t unknown;     /* id of what no piece covers; -1: there is none, and such a text is an error */
  bool byte_fallback;  /* such characters are the tokens of their bytes ("<0x0A>") where all of them are there */
  bool scores_nearest; /* scores are correctly rounded, not as the library reads them (piece_score.h) */
} aq_unigram_options;

/* Makes the state of aq_token_model_unigram. The vocabulary was read from a list of pieces and scores. AQ_ERR_FORMAT
 * when it has no token with the id of the unknown. */
AQ_MUST_CHECK aq_status aq_unigram_make(const aq_unigram_options *options, const aq_vocab *vocab, void **state,
                                        aq_error *err);

#endif
