/* gguf_export_tokens.h - the tokens of a tokenizer.json on their way into the keys of llama.cpp, and what the kinds of
 * tokenizers make of them. */
#ifndef AQ_IO_GGUF_GGUF_EXPORT_TOKENS_H
#define AQ_IO_GGUF_GGUF_EXPORT_TOKENS_H

#include "io/gguf/gguf_export_pairs.h"

#define AQ_GGUF_MARK "\xE2\x96\x81" /* U+2581, which stands for a space, and begins a word in llama.cpp */

/* Types of tokens, by llama.cpp's numbers. */
enum {
  AQ_GGUF_TOKEN_NORMAL = 1,
  AQ_GGUF_TOKEN_UNKNOWN = 2,
  AQ_GGUF_TOKEN_CONTROL = 3,
  AQ_GGUF_TOKEN_USER = 4,
  AQ_GGUF_TOKEN_UNUSED = 5,
  AQ_GGUF_TOKEN_BYTE = 6
};

typedef struct aq_gguf_token_job {
  aq_gguf_export *made;
  json_t *file, *settings; /* tokenizer.json, tokenizer_config.json; owned */
  const json_t *model;     /* of tokenizer.json */
  const char **tokens;     /* texts of the JSON by id; NULL: there is no such token */
  uint8_t *types;          /* of those that there are */
  size_t count;            /* rows of the table of tokens */
  const struct aq_gguf_token_kind *kind;
} aq_gguf_token_job;

/* A kind of tokenizer. */
typedef struct aq_gguf_token_kind {
  const char *type;   /* of the model of tokenizer.json */
  bool has_fallback;  /* characters without a token are tokens of bytes */
  bool is_of_encoder; /* of the models that it belongs to */
  /* Sets the pairs of the kind, once all tokens are there by their ids; may change types of tokens. */
  aq_status (*set_pairs)(aq_gguf_token_job *job, aq_error *err);
  /* The text that llama.cpp has for token `id`, as new memory; NULL: there is no memory. */
  char *(*make_text)(const aq_gguf_token_job *job, size_t id);
} aq_gguf_token_kind;

/* SentencePiece BPE: merges of tokens with scores, and bytes for characters that have no token. */
AQ_MUST_CHECK aq_status aq_gguf_export_pieces(aq_gguf_token_job *job, aq_error *err);
char *aq_gguf_export_piece_text(const aq_gguf_token_job *job, size_t id);

/* AQ_ERR_UNSUPPORTED: `what` of a tokenizer is nothing that llama.cpp has. */
AQ_MUST_CHECK aq_status aq_gguf_export_refuse_tokens(const char *what, aq_error *err);

/* Whether a stage of tokenizer.json is that of a text of JSON, but for members that do not change how a text is cut;
 * "null" is a stage that is missing, too. */
bool aq_gguf_export_has_stage(const json_t *stage, const char *text);

/* tokenizer.ggml.add_bos_token and add_eos_token. */
AQ_MUST_CHECK aq_status aq_gguf_export_frame(aq_gguf_token_job *job, aq_error *err);

#endif
