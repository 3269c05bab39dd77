/* gguf_tokenizer_json.h - the parts of a tokenizer.json, written one after another, and the kinds of tokenizers. */
#ifndef AQ_IO_GGUF_GGUF_TOKENIZER_JSON_H
#define AQ_IO_GGUF_GGUF_TOKENIZER_JSON_H

#include <string.h>

#include "io/gguf/gguf_fields.h"
#include "io/gguf/gguf_names.h"

typedef struct aq_gguf_tokenizer {
  const aq_gguf_fields *fields;
  const aq_gguf_arch *arch;
  aq_gguf_strings tokens;
  aq_gguf_strings merges; /* of the file; empty: it has none */
  int32_t *types;         /* of tokens, llama.cpp's numbers; NULL: the file has none */
  float *scores;          /* the same */
  aq_gguf_json json;      /* the text so far; is_full where it became too long */
} aq_gguf_tokenizer;

static inline const char *aq_gguf_token(const aq_gguf_tokenizer *t, size_t i) { return aq_gguf_string(&t->tokens, i); }

/* Whether a text is spaces alone, one or more. */
static inline bool aq_gguf_is_spaces(const char *text) { return text[0] == ' ' && text[strspn(text, " ")] == '\0'; }

/* The id of a special token; -1 without the key. */
AQ_MUST_CHECK aq_status aq_gguf_token_id(const aq_gguf_tokenizer *t, const char *key, int64_t *id, aq_error *err);

/* Text as it is, and as a string of JSON. */
AQ_MUST_CHECK aq_status aq_gguf_json_text(aq_gguf_tokenizer *t, const char *text, aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_json_quoted(aq_gguf_tokenizer *t, const char *text, size_t size, aq_error *err);

/* The beginning of the text, with added_tokens. marks_spaces: tokens of spaces alone are none of them, as a normalizer
 * leaves none in a text. */
AQ_MUST_CHECK aq_status aq_gguf_append_added_tokens(aq_gguf_tokenizer *t, bool marks_spaces, aq_error *err);

/* A stage, which is JSON. */
AQ_MUST_CHECK aq_status aq_gguf_append_stage(aq_gguf_tokenizer *t, const char *name, const char *stage, aq_error *err);

/* The post_processor: ids of the special tokens before and after a text; -1: none. */
AQ_MUST_CHECK aq_status aq_gguf_append_frame(aq_gguf_tokenizer *t, int64_t before, int64_t after, aq_error *err);
/* The same with bos and eos, as far as the file adds them; adds_bos: where it does not say. */
AQ_MUST_CHECK aq_status aq_gguf_append_bos_eos(aq_gguf_tokenizer *t, bool adds_bos, aq_error *err);

/* Writes the text of a token as a string of JSON. */
typedef aq_status (*aq_gguf_token_fn)(aq_gguf_tokenizer *t, size_t i, aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_append_token(aq_gguf_tokenizer *t, size_t i, aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_append_vocabulary(aq_gguf_tokenizer *t, aq_gguf_token_fn append_token, aq_error *err);

/* The whole tokenizer.json: of byte-level BPE, whose file names the pattern that cuts a text; of SentencePiece BPE,
 * which has scores and no merges; of WordPiece. */
AQ_MUST_CHECK aq_status aq_gguf_write_byte_level(aq_gguf_tokenizer *t, aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_write_pieces(aq_gguf_tokenizer *t, aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_write_word_pieces(aq_gguf_tokenizer *t, aq_error *err);

#endif
