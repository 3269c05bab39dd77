/* pre_tokenizers.c - the table of the types of pre-tokenizers. */
#include "tokenizer/pre_tokenizers.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/utf8.h"

#define ADDRESS(type) &(type).base,
static const aq_stage_type *const types[] = {AQ_PRE_TOKENIZER_TYPES(ADDRESS)};
static const aq_stage stage = {"pre-tokenizer", types, AQ_COUNT_OF(types)};

aq_status aq_pre_tokenizer_read(aq_pre_tokenizer *pre_tokenizer, const json_t *object, aq_error *err) {
  const aq_stage_type *found;
  AQ_TRY(aq_stage_find(&stage, object, &found, err));
  const aq_pre_tokenizer_type *type = (const aq_pre_tokenizer_type *)found;
  if (type->configure != NULL) AQ_TRY(type->configure(object, &pre_tokenizer->state, err));
  pre_tokenizer->type = type;
  return AQ_OK;
}

void aq_pre_tokenizer_reset(aq_pre_tokenizer *pre_tokenizer) {
  const aq_pre_tokenizer_type *type = pre_tokenizer->type;
  if (type != NULL && type->free_state != NULL) type->free_state(pre_tokenizer->state);
  *pre_tokenizer = (aq_pre_tokenizer){NULL, NULL};
}

aq_pretoken aq_pretoken_of(const uint8_t *bytes, size_t size) {
  aq_pretoken pretoken = {.bytes = bytes, .size = size, .hash = aq_vocab_hash(AQ_VOCAB_HASH_START, bytes, size)};
  for (size_t at = 0; at < size; at += aq_utf8_width(bytes[at])) pretoken.characters++;
  return pretoken;
}
