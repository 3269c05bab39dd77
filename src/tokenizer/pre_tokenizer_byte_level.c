/* pre_tokenizer_byte_level.c - {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex":
 * true}: a text is cut as GPT-2 cuts it, unless that is left to others, and each byte becomes a character of
 * byte_alphabet.h. */
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/split_behavior.h"

static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

typedef struct byte_level {
  bool adds_space;
  aq_regex *regex; /* NULL: nothing is cut */
} byte_level;

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.add_prefix_space", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.trim_offsets", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.use_regex", AQ_KEY_HONOURED},
    {.key = NULL},
};

static void free_byte_level(void *state) {
  byte_level *b = state;
  if (b != NULL) aq_regex_free(b->regex);
  aq_free(b);
}

static aq_status configure_byte_level(const json_t *object, void **state, aq_error *err) {
  bool adds_space, uses_regex;
  AQ_TRY(aq_json_bool(object, "add_prefix_space", true, &adds_space, err));
  AQ_TRY(aq_json_bool(object, "use_regex", true, &uses_regex, err));
  byte_level *b = aq_calloc(1, sizeof *b);
  if (b == NULL) return aq_fail_memory(err, sizeof *b);
  b->adds_space = adds_space;
  const aq_status status = uses_regex ? aq_regex_compile(gpt2_pattern, strlen(gpt2_pattern), &b->regex, err) : AQ_OK;
  if (status != AQ_OK) {
    free_byte_level(b);
    return status;
  }
  *state = b;
  return AQ_OK;
}

/* Takes the pieces of the text, whose bytes become characters. */
typedef struct byte_sink {
  const aq_pretoken_sink *sink;
  aq_buffer characters;
} byte_sink;

#define FEW_BYTES 256 /* whose characters need no memory */

static aq_status put_bytes(void *context, const aq_pretoken *piece, aq_error *err) {
  byte_sink *b = context;
  uint8_t few[2 * FEW_BYTES], *characters = few;
  if (piece->size > FEW_BYTES) {
    b->characters.size = 0;
    AQ_TRY(aq_buffer_reserve(&b->characters, 2 * piece->size, err));
    characters = b->characters.data;
  }
  const size_t size = aq_byte_alphabet_write(piece->bytes, piece->size, characters);
  const aq_pretoken mapped = aq_pretoken_of(characters, size);
  return b->sink->put(b->sink->context, &mapped, err);
}

static aq_status cut_text(const byte_level *b, const uint8_t *text, size_t size, byte_sink *bytes, aq_error *err) {
  const aq_pretoken_sink sink = {put_bytes, bytes};
  aq_splitter splitter = {AQ_SPLIT_ISOLATED, false, text, &sink, 0, 0, false};
  if (b->regex != NULL) return aq_splitter_run(&splitter, b->regex, size, err);
  const aq_pretoken whole = {text, size, 0, 0}; /* put_bytes wants no more of it */
  return put_bytes(bytes, &whole, err);
}

static aq_status split_bytes(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink, aq_error *err) {
  const byte_level *b = state;
  byte_sink bytes = {sink, {NULL, 0, 0}};
  aq_buffer spaced = {NULL, 0, 0};
  const bool adds = b->adds_space && span->size > 0 && span->text[0] != ' ';
  aq_status status = adds ? aq_buffer_append_byte(&spaced, ' ', err) : AQ_OK;
  if (status == AQ_OK && adds) status = aq_buffer_append(&spaced, span->text, span->size, err);
  if (status == AQ_OK) {
    status = cut_text(b, adds ? spaced.data : span->text, adds ? spaced.size : span->size, &bytes, err);
  }
  aq_buffer_reset(&spaced);
  aq_buffer_reset(&bytes.characters);
  return status;
}

const aq_pre_tokenizer_type aq_pre_tokenizer_byte_level = {.base = {"ByteLevel", keys},
                                                           .configure = configure_byte_level,
                                                           .split = split_bytes,
                                                           .free_state = free_byte_level};
