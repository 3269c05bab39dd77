/* sentence_config.h - what sentence-transformers does with a text before the tokenizer has it, and where a text is cut.
 */
#ifndef AQ_TOKENIZER_SENTENCE_CONFIG_H
#define AQ_TOKENIZER_SENTENCE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/notes.h"
#include "tokenizer/tokenizer_files.h"

typedef struct aq_sentence_config {
  bool lowercase;      /* texts become lower case before anything else */
  uint32_t max_tokens; /* of a text, special tokens included; 0: no limit */
  bool is_read;        /* there is such a file */
  bool has_scores;     /* its model is one of scores, not of embeddings */
} aq_sentence_config;

/* Reads the sentence config (sentence_bert_config.json), and of tokenizer_config.json the limit, which counts where the
 * sentence config has none. AQ_ERR_UNSUPPORTED names a key that asks for what cannot be done; errors name the file. */
AQ_MUST_CHECK aq_status aq_sentence_config_read(const aq_tokenizer_files *files, aq_sentence_config *out,
                                                aq_error *err);

/* The limit of a source's or a folder's model, and whether its texts can be embedded, or scored, as they are tokenized:
 * padding at the left is refused, as is a tokenizer that gives no attention mask, and a model of the other of the two.
 * A sentence config that is not read is noted. */
AQ_MUST_CHECK aq_status aq_text_limit_read(const aq_source *source, const char *folder, bool for_scores,
                                           uint32_t *max_tokens, aq_notes *notes, aq_error *err);

/* A file that sentence-transformers passes over where there is no modules.json, as this does. */
AQ_MUST_CHECK aq_status aq_unread_note(const char *file, aq_notes *notes, aq_error *err);

#endif
