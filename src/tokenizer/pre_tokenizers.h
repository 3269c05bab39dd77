/* pre_tokenizers.h - the second stage of a tokenizer: where a normalized text is cut, so that no id spans a cut. */
#ifndef AQ_TOKENIZER_PRE_TOKENIZERS_H
#define AQ_TOKENIZER_PRE_TOKENIZERS_H

#include <jansson.h>
#include <stdbool.h>

#include "arrowquant.h"
#include "tokenizer/pretoken.h"
#include "tokenizer/stage.h"

typedef struct aq_pre_tokenizer_type {
  aq_stage_type base;
  /* There is a cut at every ' ' and nothing reaches across it: parts of a text that end in one may be cut one by one.
   */
  bool is_local;
  /* As of aq_normalizer_type. */
  aq_status (*configure)(const json_t *object, void **state, aq_error *err);
  /* Hands the pretokens of a span over, in their order. */
  aq_status (*split)(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink, aq_error *err);
  void (*free_state)(void *state);
} aq_pre_tokenizer_type;

/* The types. A new one is a file of its own and a line here. */
#define AQ_PRE_TOKENIZER_TYPES(TYPE)      \
  TYPE(aq_pre_tokenizer_bert)             \
  TYPE(aq_pre_tokenizer_byte_level)       \
  TYPE(aq_pre_tokenizer_split)            \
  TYPE(aq_pre_tokenizer_metaspace)        \
  TYPE(aq_pre_tokenizer_char_delimiter)   \
  TYPE(aq_pre_tokenizer_digits)           \
  TYPE(aq_pre_tokenizer_fixed_length)     \
  TYPE(aq_pre_tokenizer_punctuation)      \
  TYPE(aq_pre_tokenizer_whitespace)       \
  TYPE(aq_pre_tokenizer_whitespace_split) \
  TYPE(aq_pre_tokenizer_sequence)
#define AQ_DECLARE_PRE_TOKENIZER(type) extern const aq_pre_tokenizer_type type;
AQ_PRE_TOKENIZER_TYPES(AQ_DECLARE_PRE_TOKENIZER)

/* Where a tokenizer.json has none: all of a span is one pretoken. It has no name in files. */
extern const aq_pre_tokenizer_type aq_pre_tokenizer_none;

/* Zero-initialise; aq_pre_tokenizer_reset frees. */
typedef struct aq_pre_tokenizer {
  const aq_pre_tokenizer_type *type;
  void *state;
} aq_pre_tokenizer;

void aq_pre_tokenizer_reset(aq_pre_tokenizer *pre_tokenizer);

/* Reads "pre_tokenizer" of a tokenizer.json; NULL and null are aq_pre_tokenizer_none. */
AQ_MUST_CHECK aq_status aq_pre_tokenizer_read(aq_pre_tokenizer *pre_tokenizer, const json_t *object, aq_error *err);

#endif
