/* gguf_tokenizer_words.c - WordPiece. */
#include "io/gguf/gguf_tokenizer_json.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

#define MARK "\xE2\x96\x81" /* U+2581, which begins a word in llama.cpp */

/* llama.cpp has U+2581 before a word, and nothing before the rest of one. */
static aq_status append_word_piece(aq_gguf_tokenizer *t, size_t i, aq_error *err) {
  const char *text = aq_gguf_token(t, i);
  const size_t size = strlen(text), mark = sizeof MARK - 1;
  if (strncmp(text, MARK, mark) == 0) return aq_gguf_json_quoted(t, text + mark, size - mark, err);
  if (size > 1 && text[0] == '[' && text[size - 1] == ']') return aq_gguf_json_quoted(t, text, size, err);
  AQ_FAIL_IF(size > 65535, AQ_ERR_UNSUPPORTED, "token %zu has %zu bytes", i, size);
  char *rest = aq_format("##%s", text);
  if (rest == NULL) return aq_fail_memory(err, size);
  const aq_status status = aq_gguf_json_quoted(t, rest, size + 2, err);
  aq_free(rest);
  return status;
}

/* A file does not say whether the model keeps capitals, and llama.cpp never does. A vocabulary with capitals is of a
 * model that does. */
static aq_status check_capitals(const aq_gguf_tokenizer *t, aq_error *err) {
  for (size_t i = 0; i < t->tokens.count; i++) {
    const char *text = aq_gguf_token(t, i);
    if (text[0] == '[') continue;
    AQ_FAIL_IF(strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL, AQ_ERR_UNSUPPORTED,
               "token %zu, '%.60s', has capitals: whether the model tells them from small letters is not in the file",
               i, text);
  }
  return AQ_OK;
}

aq_status aq_gguf_write_word_pieces(aq_gguf_tokenizer *t, aq_error *err) {
  int64_t first, last, unknown;
  AQ_TRY(check_capitals(t, err));
  AQ_TRY(aq_gguf_token_id(t, "tokenizer.ggml.cls_token_id", &first, err));
  if (first < 0) AQ_TRY(aq_gguf_token_id(t, "tokenizer.ggml.bos_token_id", &first, err));
  AQ_TRY(aq_gguf_token_id(t, "tokenizer.ggml.seperator_token_id", &last, err)); /* spelled so in the format */
  AQ_TRY(aq_gguf_token_id(t, "tokenizer.ggml.unknown_token_id", &unknown, err));
  AQ_FAIL_IF(first < 0 || last < 0 || unknown < 0, AQ_ERR_FORMAT,
             "metadata key 'tokenizer.ggml.%s_token_id' is missing",
             first < 0  ? "cls"
             : last < 0 ? "seperator"
                        : "unknown");
  AQ_TRY(aq_gguf_append_added_tokens(t, false, err));
  AQ_TRY(aq_gguf_append_stage(t, "normalizer",
                              "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
                              "\"strip_accents\":null,\"lowercase\":true}",
                              err));
  AQ_TRY(aq_gguf_append_stage(t, "pre_tokenizer", "{\"type\":\"BertPreTokenizer\"}", err));
  AQ_TRY(aq_gguf_append_frame(t, first, last, err));
  AQ_TRY(aq_gguf_append_stage(t, "decoder", "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}", err));
  AQ_TRY(aq_gguf_json_text(t,
                           ",\"model\":{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"##\","
                           "\"max_input_chars_per_word\":100,\"unk_token\":",
                           err));
  AQ_TRY(aq_gguf_append_token(t, (size_t)unknown, err));
  AQ_TRY(aq_gguf_append_vocabulary(t, append_word_piece, err));
  return aq_gguf_json_text(t, "}}", err);
}
