/* tokenizer_spm.h - a tokenizer out of a model of SentencePiece, as the classes of transformers 5 convert it
 * (convert_from_spm of transformers/convert_slow_tokenizer.py): which pieces a class puts before, in the place of, and
 * behind those of the model, and which of them are added tokens. What the class does besides is the same as with a
 * tokenizer.json. */
#ifndef AQ_TOKENIZER_TOKENIZER_SPM_H
#define AQ_TOKENIZER_TOKENIZER_SPM_H

#include <stdbool.h>
#include <stddef.h>

#include "arrowquant.h"
#include "tokenizer/tokenizer.h"

/* A piece that a class puts before those of the model. */
typedef struct aq_spm_head {
  const char *text; /* NULL: that of the named token, */
  size_t named;     /* which is this one (aq_named_token) */
  double score;
} aq_spm_head;

typedef struct aq_spm_rules {
  const char *file_name;   /* what the class looks for; all of them take a tokenizer.model first */
  const aq_spm_head *head; /* in the place of the first `dropped` pieces of the model */
  size_t head_count, dropped;
  bool ends_with_mask; /* mask_token is the last piece */
} aq_spm_rules;

extern const aq_spm_rules aq_spm_as_it_is;  /* TokenizersBackend, LlamaTokenizer, GemmaTokenizer: tokenizer.model */
extern const aq_spm_rules aq_spm_spiece;    /* AlbertTokenizer, T5Tokenizer: spiece.model */
extern const aq_spm_rules aq_spm_deberta;   /* spm.model */
extern const aq_spm_rules aq_spm_fairseq;   /* XLMRobertaTokenizer: sentencepiece.bpe.model, with fairseq's first ids */
extern const aq_spm_rules aq_spm_camembert; /* sentencepiece.bpe.model, with five pieces before all others */

/* The names of such files, in the order in which they are looked for; NULL at the end. */
extern const char *const aq_spm_file_names[];

/* Parses the file and sets roots->spm, which aq_tokenizer_spm_reset frees, also when it fails. */
AQ_MUST_CHECK aq_status aq_tokenizer_spm_parse(const aq_named_text *file, aq_tokenizer_roots *roots, aq_error *err);
void aq_tokenizer_spm_reset(aq_tokenizer_roots *roots);

/* Makes the vocabulary, and says whose model it is, Unigram or BPE; roots->spm_tokens are then the added tokens.
 * AQ_ERR_UNSUPPORTED when the class reads no such file, or one of another name. */
AQ_MUST_CHECK aq_status aq_tokenizer_spm_read_vocab(aq_tokenizer *tokenizer, const aq_tokenizer_class *class,
                                                    const aq_named_text *file, aq_tokenizer_roots *roots,
                                                    aq_error *err);

/* The stages of the general class. */
AQ_MUST_CHECK aq_status aq_tokenizer_read_spm(aq_tokenizer *tokenizer, aq_tokenizer_roots *roots, aq_error *err);

/* Adds the charsmap of the model, if it has one, as a step of the normalizer. */
AQ_MUST_CHECK aq_status aq_tokenizer_spm_add_charsmap(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots,
                                                      aq_error *err);

#endif
