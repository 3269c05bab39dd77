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
#include "tokenizer/decoders.h"
#include "tokenizer/models.h"
#include "tokenizer/normalizers.h"
#include "tokenizer/post_processors.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/token_names.h"
#include "tokenizer/tokenizer_class.h"
#include "tokenizer/tokenizer_files.h"

/* Of a text that is not truncated. */
#define AQ_TOKENS_UNLIMITED (SIZE_MAX / 2)

struct aq_tokenizer {
  aq_added_tokens raw;        /* looked for in the text as it is */
  aq_added_tokens normalized; /* looked for in the normalized text, in normalized form */
  aq_normalizers normalizers;
  aq_pre_tokenizer pre_tokenizer;
  aq_token_model model;
  aq_token_frame frame; /* of the post-processor */
  aq_decoders decoders;
  aq_token_names added; /* the texts of added tokens, normalized where they are found so */
  aq_vocab special;     /* the texts of special tokens as they are given; the ids have no meaning */
  bool cleans_up;       /* spaces before punctuation go from a text made of ids */
  bool is_local;        /* a text may be cut behind any ' ' (see aq_normalizer_type) */
  bool keeps_end;       /* truncation drops ids at the beginning */
  bool pads_left;       /* where texts are padded, which they are not here */
  bool gives_types;     /* the types of tokens are among what goes to the model; else it has zeros */
  int32_t id_end;       /* one past the largest id */
  size_t most_tokens;   /* truncation.max_length of a tokenizer.json; AQ_TOKENS_UNLIMITED: none */
  /* The rest is set of a tokenizer.json by itself. */
  int32_t unknown;      /* the token that its model gives for what it does not know; -1: none */
  size_t median_length; /* of all tokens, in characters, rounded down */
};

#define AQ_TOO_FEW_TOKENS "%u tokens are too few: the special tokens alone are %zu"

/* Appends the ids of a text without special tokens, at most `room` of them; on failure some may be there. */
AQ_MUST_CHECK aq_status aq_tokenizer_encode_body(const aq_tokenizer *tokenizer, const char *text, size_t length,
                                                 size_t room, aq_token_ids *ids, aq_error *err);

/* Drops ids, of those from `first` on, until `room` are left: at the end, or at the beginning where the tokenizer is
 * configured so. */
void aq_tokenizer_truncate(const aq_tokenizer *tokenizer, aq_token_ids *ids, size_t first, size_t room);

/* Makes a tokenizer from its files. Errors name the file. On success the caller owns *out. */
AQ_MUST_CHECK aq_status aq_tokenizer_make(const aq_tokenizer_files *files, aq_tokenizer **out, aq_error *err);

/* The parts of aq_tokenizer_make. On failure the tokenizer is as it may be; it is freed as a whole. */

/* The files of a tokenizer, parsed; NULL where there is none. What special_tokens_map.json says is in `config`, where
 * it counts (see tokenizer_settings.h). */
typedef struct aq_tokenizer_roots {
  json_t *json, *config, *added, *model;
  const aq_named_text *merges; /* merges.txt, which belongs to the files */
  struct aq_spm_model *spm;    /* a model of SentencePiece, where there is no tokenizer.json (tokenizer_spm.h), */
  json_t *spm_tokens;          /* and its added tokens, a list */
  bool alone;                  /* see aq_tokenizer_files */
} aq_tokenizer_roots;

/* Parses a tokenizer.json, and reads its vocabulary and what must be so for any class: the type of the model, the
 * version. The caller owns *root, also when it fails. */
AQ_MUST_CHECK aq_status aq_tokenizer_parse_json(aq_tokenizer *tokenizer, const aq_named_text *text, json_t **root,
                                                aq_error *err);

/* The stages of a tokenizer.json that is taken as it is. The vocabulary is read. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_json(aq_tokenizer *tokenizer, const json_t *root, aq_error *err);

/* The stages that BertTokenizer and MPNetTokenizer make of a tokenizer_config.json, which may be NULL; the special
 * tokens around a text follow with the added tokens. The vocabulary is read. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_bert(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err);

/* Those that GPT2Tokenizer, RobertaTokenizer, Qwen2Tokenizer, GemmaTokenizer and LlamaTokenizer make of the merges of a
 * tokenizer.json, or the first three of a merges.txt, and all but RobertaTokenizer of the special tokens around a text
 * of a tokenizer.json. The vocabulary is read. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_gpt2(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err);
AQ_MUST_CHECK aq_status aq_tokenizer_read_roberta(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                  aq_error *err);
AQ_MUST_CHECK aq_status aq_tokenizer_read_qwen2(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                aq_error *err);
AQ_MUST_CHECK aq_status aq_tokenizer_read_gemma(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                aq_error *err);
AQ_MUST_CHECK aq_status aq_tokenizer_read_llama(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                aq_error *err);

/* Those that XLMRobertaTokenizer, CamembertTokenizer, AlbertTokenizer, DebertaV2Tokenizer and T5Tokenizer make of the
 * pieces and the charsmap of a tokenizer.json. The vocabulary is read. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_xlm_roberta(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                      aq_error *err);
AQ_MUST_CHECK aq_status aq_tokenizer_read_camembert(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                    aq_error *err);
AQ_MUST_CHECK aq_status aq_tokenizer_read_albert(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                 aq_error *err);
AQ_MUST_CHECK aq_status aq_tokenizer_read_deberta(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                  aq_error *err);

AQ_MUST_CHECK aq_status aq_tokenizer_read_t5(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err);

/* The stages that a class has by itself, as a tokenizer.json would have them: "normalizer" adds to the steps that are
 * there, "pre_tokenizer" and "decoder" are given once. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_stages(aq_tokenizer *tokenizer, const char *text, aq_error *err);

/* All added and special tokens, and the frame of a tokenizer that its class makes. The normalizer is set. */
AQ_MUST_CHECK aq_status aq_tokenizer_add_tokens(aq_tokenizer *tokenizer, const aq_tokenizer_class *class,
                                                const aq_tokenizer_roots *roots, aq_error *err);

#endif
