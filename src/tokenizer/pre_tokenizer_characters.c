/* pre_tokenizer_characters.c - pre-tokenizers that go by the kind of a character: {"type": "Punctuation", "behavior":
 * "Isolated"}, where punctuation is what BERT takes for it, and {"type": "Whitespace"}, which is \w+|[^\w\s]+ with
 * white space dropped; and {"type": "FixedLength", "length": 5}, of so many characters whatever they are. */
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/split_behavior.h"
#include "tokenizer/unicode.h"

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.behavior", AQ_KEY_HONOURED},
    {.key = NULL},
};

static aq_status configure_punctuation(const json_t *object, void **state, aq_error *err) {
  aq_split_behavior behavior, *kept;
  AQ_TRY(aq_split_behavior_read(object, AQ_SPLIT_ISOLATED, &behavior, err));
  kept = aq_malloc(sizeof *kept);
  if (kept == NULL) return aq_fail_memory(err, sizeof *kept);
  *kept = behavior;
  *state = kept;
  return AQ_OK;
}

static aq_status split_punctuation(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink,
                                   aq_error *err) {
  aq_splitter splitter = {*(const aq_split_behavior *)state, false, span->text, sink, 0, 0, false};
  size_t width, done = 0;
  for (size_t at = 0; at < span->size; at += width) {
    const uint32_t c = aq_utf8_get(span->text + at, &width);
    if (aq_char_kind_of(c) != AQ_CHAR_PUNCTUATION) continue;
    if (at > done) AQ_TRY(aq_splitter_add(&splitter, at, false, err));
    done = at + width;
    AQ_TRY(aq_splitter_add(&splitter, done, true, err));
  }
  if (span->size > done) AQ_TRY(aq_splitter_add(&splitter, span->size, false, err));
  return aq_splitter_end(&splitter, err);
}

typedef enum part { WHITE, OF_WORD, OTHER } part;

static part part_of(uint32_t c) { return aq_char_is_word(c) ? OF_WORD : aq_char_is_white(c) ? WHITE : OTHER; }

static aq_status split_words(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink, aq_error *err) {
  size_t width, start = 0;
  part before = WHITE;
  (void)state;
  for (size_t at = 0; at <= span->size; at += width) {
    width = 1;
    const part now = at < span->size ? part_of(aq_utf8_get(span->text + at, &width)) : WHITE;
    if (now == before) continue;
    if (before != WHITE) {
      const aq_pretoken piece = aq_pretoken_of(span->text + start, at - start);
      AQ_TRY(sink->put(sink->context, &piece, err));
    }
    before = now;
    start = at;
  }
  return AQ_OK;
}

static const aq_key fixed_length_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.length", AQ_KEY_HONOURED},
    {.key = NULL},
};

static aq_status configure_fixed_length(const json_t *object, void **state, aq_error *err) {
  int64_t length, *kept;
  AQ_TRY(aq_json_integer(object, "length", 5, &length, err));
  AQ_FAIL_IF(length < 1, AQ_ERR_FORMAT, "the pre-tokenizer's 'length' is %lld", (long long)length);
  kept = aq_malloc(sizeof *kept);
  if (kept == NULL) return aq_fail_memory(err, sizeof *kept);
  *kept = length;
  *state = kept;
  return AQ_OK;
}

static aq_status split_fixed_length(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink,
                                    aq_error *err) {
  for (size_t at = 0, end = 0; at < span->size; at = end) {
    for (int64_t left = *(const int64_t *)state; left > 0 && end < span->size; left--) {
      end += aq_utf8_width(span->text[end]);
    }
    const aq_pretoken piece = aq_pretoken_of(span->text + at, end - at);
    AQ_TRY(sink->put(sink->context, &piece, err));
  }
  return AQ_OK;
}

const aq_pre_tokenizer_type aq_pre_tokenizer_fixed_length = {.base = {"FixedLength", fixed_length_keys},
                                                             .configure = configure_fixed_length,
                                                             .split = split_fixed_length,
                                                             .free_state = aq_free};

const aq_pre_tokenizer_type aq_pre_tokenizer_whitespace = {.base = {.name = "Whitespace"}, .split = split_words};

const aq_pre_tokenizer_type aq_pre_tokenizer_punctuation = {.base = {"Punctuation", keys},
                                                            .configure = configure_punctuation,
                                                            .split = split_punctuation,
                                                            .free_state = aq_free};
