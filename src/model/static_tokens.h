/* static_tokens.h - what static embeddings have for each token besides the table: the row of the table (`mapping`) and
 * a factor (`weights`), in files of model2vec whose vocabulary shares rows. */
#ifndef AQ_MODEL_STATIC_TOKENS_H
#define AQ_MODEL_STATIC_TOKENS_H

#include <stdint.h>

#include "model/description.h"

/* Zero-initialise; aq_static_tokens_reset frees. */
typedef struct aq_static_tokens {
  uint32_t *rows; /* by token; NULL: the token's own number */
  float *factors; /* by token; NULL: 1 */
  uint32_t count; /* of tokens */
} aq_static_tokens;

/* Reads the tensors of the model's source, if they are there. AQ_ERR_FORMAT when they do not fit the table or each
 * other: a row that it does not have, other shapes. */
AQ_MUST_CHECK aq_status aq_static_tokens_load(const aq_model *model, aq_static_tokens *out, aq_error *err);
void aq_static_tokens_reset(aq_static_tokens *tokens);

/* Appends the tokens that a text is the mean of. model->tokenizer is there. */
AQ_MUST_CHECK aq_status aq_static_tokens_of_text(const aq_model *model, const char *text, size_t length,
                                                 aq_token_ids *ids, aq_error *err);

#endif
