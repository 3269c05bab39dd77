/* pre_tokenizer_bert.c - {"type": "BertPreTokenizer"}: words end at white space, which goes, and punctuation is a word
 * character by character. */
#include "core/compiler.h"
#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/unicode.h"

typedef enum part { PART_OF_WORD, WHITE, PUNCTUATION } part;

static part part_of(const uint8_t *at, size_t *width) {
  const uint32_t c = aq_utf8_get(at, width);
  if (aq_char_is_white(c)) return WHITE;
  return aq_char_kind_of(c) == AQ_CHAR_PUNCTUATION ? PUNCTUATION : PART_OF_WORD;
}

/* Letters and digits, which are most of what comes. */
static bool is_plain_ascii(uint8_t byte) {
  const uint8_t letter = (uint8_t)((byte | 0x20) - 'a'), digit = (uint8_t)(byte - '0');
  return letter < 26 || digit < 10;
}

static aq_status split_words(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink, aq_error *err) {
  const uint8_t *text = span->text;
  const size_t size = span->size;
  (void)state;
  for (size_t i = 0; i < size;) {
    const size_t start = i;
    uint64_t hash = AQ_VOCAB_HASH_START;
    size_t characters = 0, width = 0;
    part what = PART_OF_WORD;
    while (i < size) {
      if (is_plain_ascii(text[i])) {
        hash = aq_vocab_hash_byte(hash, text[i++]);
      } else {
        what = part_of(text + i, &width);
        if (what != PART_OF_WORD) break;
        hash = aq_vocab_hash(hash, text + i, width);
        i += width;
      }
      characters++;
    }
    if (i > start) {
      const aq_pretoken word = {text + start, i - start, characters, hash};
      AQ_TRY(sink->put(sink->context, &word, err));
    }
    if (i == size) break;
    if (what == PUNCTUATION) {
      const aq_pretoken sign = {text + i, width, 1, aq_vocab_hash(AQ_VOCAB_HASH_START, text + i, width)};
      AQ_TRY(sink->put(sink->context, &sign, err));
    }
    i += width;
  }
  return AQ_OK;
}

const aq_pre_tokenizer_type aq_pre_tokenizer_bert = {
    .base = {.name = "BertPreTokenizer"}, .is_local = true, .split = split_words};
