/* end_tokens.h - the tokens that end what a decoder writes. */
#ifndef AQ_MODEL_END_TOKENS_H
#define AQ_MODEL_END_TOKENS_H

#include "model/description.h"

#define AQ_END_TOKENS_MAX 32

typedef struct aq_end_tokens {
  int32_t ids[AQ_END_TOKENS_MAX];
  size_t count; /* 0: nothing ends a text */
} aq_end_tokens;

/* eos_token_id of generation_config.json, else of config.json, as transformers' generate has them: an id or a list of
 * ids. AQ_ERR_FORMAT when it is something else. Keys of generation_config.json that choose how tokens are drawn are not
 * followed: each that asks for something becomes a note (may be NULL). */
AQ_MUST_CHECK aq_status aq_end_tokens_read(const aq_model *model, aq_notes *notes, aq_end_tokens *out, aq_error *err);

/* The same of bos_token_id, with which a text of that model begins. */
AQ_MUST_CHECK aq_status aq_begin_tokens_read(const aq_model *model, aq_end_tokens *out, aq_error *err);

static inline bool aq_end_tokens_have(const aq_end_tokens *tokens, int32_t id) {
  for (size_t i = 0; i < tokens->count; i++) {
    if (tokens->ids[i] == id) return true;
  }
  return false;
}

#endif
