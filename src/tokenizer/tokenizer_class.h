/* tokenizer_class.h - which class of transformers makes the tokenizer of a folder, and so what its files mean.
 *
 * BertTokenizer and MPNetTokenizer take nothing but the vocabulary, the added tokens and the direction of truncation
 * from a tokenizer.json: normalization and special tokens are those of tokenizer_config.json, or of the class.
 * GPT2Tokenizer, RobertaTokenizer, Qwen2Tokenizer, GemmaTokenizer and LlamaTokenizer take the merges and the
 * post-processor as well, and make the other stages by themselves, and so do XLMRobertaTokenizer, CamembertTokenizer,
 * AlbertTokenizer and DebertaV2Tokenizer with the pieces and the charsmap. The general class (PreTrainedTokenizerFast,
 * TokenizersBackend) takes a tokenizer.json as it is. */
#ifndef AQ_TOKENIZER_TOKENIZER_CLASS_H
#define AQ_TOKENIZER_TOKENIZER_CLASS_H

#include <jansson.h>
#include <stdbool.h>

#include "arrowquant.h"

#define AQ_NAMED_TOKENS 7

/* The named special tokens, in the order in which they are added. */
typedef enum aq_named_token {
  AQ_TOKEN_BOS,
  AQ_TOKEN_EOS,
  AQ_TOKEN_UNK,
  AQ_TOKEN_SEP,
  AQ_TOKEN_PAD,
  AQ_TOKEN_CLS,
  AQ_TOKEN_MASK
} aq_named_token;
extern const char *const aq_named_token_keys[AQ_NAMED_TOKENS]; /* "bos_token", ... */

/* The special tokens around a text. */
typedef enum aq_class_frame {
  AQ_FRAME_OF_FILE, /* those of the tokenizer.json; without one, bos and eos where add_bos_token and add_eos_token are
                       set */
  AQ_FRAME_CLS_SEP, /* cls before it and sep behind it */
  AQ_FRAME_BOS_EOS, /* bos before it and eos behind it */
  AQ_FRAME_EOS,     /* eos behind it */
  AQ_FRAME_OF_FILE_OR_CLS_SEP /* those of the tokenizer.json, else cls and sep */
} aq_class_frame;

struct aq_tokenizer_files;
struct aq_tokenizer_roots;
struct aq_spm_rules;

typedef struct aq_tokenizer_class {
  const char *name; /* "BertTokenizer" */
  /* Makes the stages of a tokenizer whose vocabulary is read, as tokenizer_config.json (or NULL) has them. NULL: the
   * class is the general one, and a tokenizer.json is taken as it is. */
  aq_status (*read_stages)(aq_tokenizer *tokenizer, const struct aq_tokenizer_roots *roots, aq_error *err);
  const struct aq_spm_rules *spm; /* what it makes of a model of SentencePiece; NULL: it reads none */
  aq_class_frame frame;
  bool doubles_separator;              /* of a frame that the class makes: two stand between the texts of a pair, not
                                          one */
  bool types_pairs;                    /* of the same: the second text of a pair, and what is behind it, has type 1 */
  bool gives_types;                    /* token_type_ids go to the model where the files do not say what does */
  bool pads_left;                      /* padding_side where no file gives it */
  bool adds_again;                     /* named and extra tokens lose their flags at the end */
  bool wraps;                          /* a mask token that is given as a text takes the space before it, */
  bool wraps_mask_alone;               /* and the other named tokens stay as they are */
  bool has_extra_ids;                  /* without extra tokens in the files it has "<extra_id_0>" and so on, as many as
                                          extra_ids says */
  bool has_notused;                    /* without extra tokens in the files it has three, "<s>NOTUSED" and the like */
  bool leaves_pad_open;                /* pad_token may come from the padding of a tokenizer.json */
  const char *tokens[AQ_NAMED_TOKENS]; /* those of the class where the files name none; NULL: none */
} aq_tokenizer_class;

/* The class for a tokenizer_config.json and a config.json (either may be NULL) as AutoTokenizer chooses it. With
 * neither it is the general one, but a vocab.txt is BERT's. AQ_ERR_UNSUPPORTED names the key and the class that is not
 * known; *blame_model tells which of the two files says it. */
AQ_MUST_CHECK aq_status aq_tokenizer_class_find(const json_t *config, const json_t *model,
                                                const struct aq_tokenizer_files *files, const aq_tokenizer_class **out,
                                                bool *blame_model, aq_error *err);

#endif
