/* pre_tokenizers.c - the table of the types of pre-tokenizers. */
#include "tokenizer/pre_tokenizers.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/utf8.h"

#define ADDRESS(type) &(type).base,
static const aq_stage_type *const types[] = {AQ_PRE_TOKENIZER_TYPES(ADDRESS)};
static const aq_stage stage = {"pre-tokenizer", types, AQ_COUNT_OF(types)};

static aq_status split_nothing(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink,
                               aq_error *err) {
  (void)state;
  if (span->size == 0) return AQ_OK;
  const aq_pretoken whole = aq_pretoken_of(span->text, span->size);
  return sink->put(sink->context, &whole, err);
}

const aq_pre_tokenizer_type aq_pre_tokenizer_none = {.split = split_nothing};

aq_status aq_pre_tokenizer_read(aq_pre_tokenizer *pre_tokenizer, const json_t *object, aq_error *err) {
  const aq_stage_type *found;
  pre_tokenizer->type = &aq_pre_tokenizer_none;
  if (object == NULL || json_is_null(object)) return AQ_OK;
  pre_tokenizer->type = NULL;
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
