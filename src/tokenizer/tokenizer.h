/* tokenizer.h - a tokenizer as the library holds it. It is put together from the texts of its files, which may come
 * from a folder or from elsewhere. Nothing in it changes after that. */
#ifndef AQ_TOKENIZER_TOKENIZER_H
#define AQ_TOKENIZER_TOKENIZER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/normalize.h"
#include "tokenizer/tokenizer_class.h"
#include "tokenizer/tokenizer_files.h"
#include "tokenizer/wordpiece.h"

#define AQ_FRAME_MAX 16

/* The special tokens put before and after a text. */
typedef struct aq_token_frame {
  int32_t before[AQ_FRAME_MAX], after[AQ_FRAME_MAX];
  size_t before_count, after_count;
} aq_token_frame;

struct aq_tokenizer {
  aq_normalizers normalizers;
  aq_wordpiece pieces;
  aq_added_tokens raw;        /* looked for in the text as it is */
  aq_added_tokens normalized; /* looked for in the normalized text, in normalized form */
  aq_token_frame frame;
  bool lowers;    /* one of the steps of the normalizer is Lowercase itself */
  bool keeps_end; /* truncation drops ids at the beginning */
  bool pads_left; /* where texts are padded, which they are not here */
  int32_t id_end; /* one past the largest id */
};

/* Makes a tokenizer from its files. Errors name the file. On success the caller owns *out. */
AQ_MUST_CHECK aq_status aq_tokenizer_make(const aq_tokenizer_files *files, aq_tokenizer **out, aq_error *err);

/* The parts of aq_tokenizer_make. On failure the tokenizer is as it may be; it is freed as a whole. */

/* The files of a tokenizer, parsed; NULL where there is none. What special_tokens_map.json says is in `config`, where
 * it counts (see tokenizer_settings.h). */
typedef struct aq_tokenizer_roots {
  json_t *json, *config, *added, *model;
  bool alone; /* see aq_tokenizer_files */
} aq_tokenizer_roots;

/* The vocabulary of a tokenizer.json and what must be so for any class: the type of the model, the version. A
 * vocabulary that is there already is left as it is. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_vocab(aq_tokenizer *tokenizer, const json_t *root, aq_error *err);

/* The rest of a tokenizer.json that is taken as it is: model, normalizer, pre-tokenizer, special tokens around. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_json(aq_tokenizer *tokenizer, const json_t *root, aq_error *err);

/* The rest of a tokenizer that its class makes: normalizer, and BERT's model. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_options(aq_tokenizer *tokenizer, const json_t *config, aq_error *err);

/* The sides of truncation and padding: of the configuration, else of the tokenizer.json. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_sides(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                aq_error *err);

/* All added and special tokens, and the frame of a tokenizer that its class makes. The normalizer is set. */
AQ_MUST_CHECK aq_status aq_tokenizer_add_tokens(aq_tokenizer *tokenizer, const aq_tokenizer_class *class,
                                                const aq_tokenizer_roots *roots, aq_error *err);

#endif
