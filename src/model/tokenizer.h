/* tokenizer.h - a tokenizer as the library holds it. It is put together from the texts of its files, which may come
 * from a folder or from elsewhere. Nothing in it changes after that. */
#ifndef AQ_MODEL_TOKENIZER_H
#define AQ_MODEL_TOKENIZER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "model/added_tokens.h"
#include "model/normalize.h"
#include "model/tokenizer_files.h"
#include "model/wordpiece.h"

#define AQ_FRAME_MAX 16

/* The special tokens put before and after a text. */
typedef struct aq_token_frame {
  int32_t before[AQ_FRAME_MAX], after[AQ_FRAME_MAX];
  size_t before_count, after_count;
} aq_token_frame;

struct aq_tokenizer {
  aq_normalizer normalizer;
  aq_wordpiece pieces;
  aq_added_tokens raw;        /* looked for in the text as it is */
  aq_added_tokens normalized; /* looked for in the normalized text, in normalized form */
  aq_token_frame frame;
  bool keeps_end; /* truncation drops ids at the beginning */
  int32_t id_end; /* one past the largest id */
};

/* Makes a tokenizer from its files. Errors name the file. On success the caller owns *out. */
AQ_MUST_CHECK aq_status aq_tokenizer_make(const aq_tokenizer_files *files, aq_tokenizer **out, aq_error *err);

/* The parts of aq_tokenizer_make. On failure the tokenizer is as it may be; it is freed as a whole. */

/* What a tokenizer.json says, but for the added tokens, which need the normalizer as it is in the end. A vocabulary
 * that is there already is left as it is. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_json(aq_tokenizer *tokenizer, const json_t *root, aq_error *err);
AQ_MUST_CHECK aq_status aq_tokenizer_read_added(aq_tokenizer *tokenizer, const json_t *root, aq_error *err);

/* What a tokenizer_config.json changes in a tokenizer that a tokenizer.json describes: lower case, accents,
 * ideographs. */
AQ_MUST_CHECK aq_status aq_tokenizer_adjust(aq_tokenizer *tokenizer, const json_t *config, aq_error *err);

/* What a tokenizer_config.json (NULL: there is none) says of a tokenizer whose vocabulary is read. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_config(aq_tokenizer *tokenizer, const json_t *config, aq_error *err);

/* Adds a token that texts may hold. `normalized`: it is looked for in the normalized text. The steps of the normalizer
 * are set. */
AQ_MUST_CHECK aq_status aq_tokenizer_add_token(aq_tokenizer *tokenizer, const char *content, size_t size,
                                               const aq_added_token *token, bool normalized, aq_error *err);

#endif
