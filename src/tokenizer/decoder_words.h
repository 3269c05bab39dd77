/* decoder_words.h - the decoder of BERT, for the classes that make one without a tokenizer.json, and what transformers
 * does to a text of WordPiece at the end. */
#ifndef AQ_TOKENIZER_DECODER_WORDS_H
#define AQ_TOKENIZER_DECODER_WORDS_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/buffer.h"

/* Makes the state of aq_decoder_wordpiece. */
AQ_MUST_CHECK aq_status aq_decoder_wordpiece_make(const char *prefix, bool cleans, void **state, aq_error *err);

/* Takes the spaces before punctuation and contractions out of a text (clean_up_tokenization of transformers). */
void aq_clean_up_spaces(aq_buffer *text);

#endif
