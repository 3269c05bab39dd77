/* tokenizer_files.h - the texts that a tokenizer is made of, and where they are found. */
#ifndef AQ_TOKENIZER_TOKENIZER_FILES_H
#define AQ_TOKENIZER_TOKENIZER_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "arrowquant.h"

typedef enum aq_tokenizer_text {
  AQ_TEXT_JSON,       /* tokenizer.json */
  AQ_TEXT_VOCAB,      /* vocab.txt, when there is no tokenizer.json */
  AQ_TEXT_CONFIG,     /* tokenizer_config.json */
  AQ_TEXT_SPECIAL,    /* special_tokens_map.json */
  AQ_TEXT_ADDED,      /* added_tokens.json */
  AQ_TEXT_MODEL,      /* config.json */
  AQ_TEXT_SENTENCE,   /* what the Transformer module of sentence-transformers reads: sentence_bert_config.json */
  AQ_TEXT_VOCAB_JSON, /* vocab.json, when there is neither a tokenizer.json nor a vocab.txt */
  AQ_TEXT_MERGES,     /* merges.txt beside it */
  AQ_TEXT_SPM,        /* a model of SentencePiece, when there is none of these: bytes, which may hold zeros */
  AQ_TEXT_COUNT
} aq_tokenizer_text;

/* A text that is not there is NULL; one that is there has a zero after its end. */
typedef struct aq_named_text {
  char *text;
  size_t size;
  char *path; /* for messages */
} aq_named_text;

/* Zero-initialise; aq_tokenizer_files_reset frees. */
typedef struct aq_tokenizer_files {
  aq_named_text texts[AQ_TEXT_COUNT];
  bool has_modules;   /* there is a modules.json */
  bool alone;         /* a tokenizer.json by itself, as the library `tokenizers` reads it */
  const char *unread; /* a sentence config without a modules.json, by which nobody goes; NULL: there is none */
} aq_tokenizer_files;

void aq_tokenizer_files_reset(aq_tokenizer_files *files);

/* Reads the files of a tokenizer. `path` is
 * - a folder with a tokenizer.json or (when it has none) a vocab.txt, or vocab.json and merges.txt, or a model of
 * SentencePiece; the other files are read as well, all of them from the folder that modules.json has for the
 * Transformer module;
 * - a table, which carries them in its metadata or has them beside itself;
 * - a model in such a folder, or the name of one in the Hugging Face cache, as aq_source_open takes them;
 * - a tokenizer.json under any name: by itself; a vocab.txt, or a model of SentencePiece whose name ends with ".model":
 * with the other files beside it.
 */
AQ_MUST_CHECK aq_status aq_tokenizer_files_read(const char *path, aq_tokenizer_files *files, aq_error *err);

/* Takes the files of a source that is open, or of a folder (see aq_model_file_read). On failure *files is empty. */
AQ_MUST_CHECK aq_status aq_tokenizer_files_take(const aq_source *source, const char *folder, aq_tokenizer_files *files,
                                                aq_error *err);

/* The same without the vocabulary, which may be missing. */
AQ_MUST_CHECK aq_status aq_tokenizer_settings_take(const aq_source *source, const char *folder,
                                                   aq_tokenizer_files *files, aq_error *err);

#endif
