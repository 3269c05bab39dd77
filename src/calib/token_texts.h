/* token_texts.h - texts as the token ids that a model's tokenizer makes of them. */
#ifndef AQ_CALIB_TOKEN_TEXTS_H
#define AQ_CALIB_TOKEN_TEXTS_H

#include "arrowquant.h"
#include "calib/corpus/corpus.h"
#include "model/params.h"

typedef struct aq_token_texts { /* zero-initialise */
  const int32_t **ids;
  uint32_t *lengths;
  size_t count;
  int32_t *memory;
} aq_token_texts;

/* texts [first, first + count) of a corpus, none longer than max_tokens (0: than the model takes). Texts without a
 * token are left out. */
AQ_MUST_CHECK aq_status aq_token_texts_make(aq_model *model, const aq_corpus *corpus, size_t first, size_t count,
                                            uint32_t max_tokens, aq_token_texts *out, aq_error *err);
void aq_token_texts_reset(aq_token_texts *texts);

#endif
