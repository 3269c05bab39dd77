/* tokenizer_files.h - the texts that a tokenizer is made of, and where they are found. */
#ifndef AQ_MODEL_TOKENIZER_FILES_H
#define AQ_MODEL_TOKENIZER_FILES_H

#include <stddef.h>

#include "arrowquant.h"

/* Zero-initialise; aq_tokenizer_files_reset frees. A text that is not there is NULL; one that is
 * there has a zero after its end. */
typedef struct aq_tokenizer_files {
  char *main_path, *config_path; /* for messages */
  char *json;                    /* tokenizer.json */
  size_t json_size;
  char *vocab; /* vocab.txt, when there is no tokenizer.json */
  size_t vocab_size;
  char *config; /* tokenizer_config.json */
  size_t config_size;
} aq_tokenizer_files;

void aq_tokenizer_files_reset(aq_tokenizer_files *files);

/* Reads the files of a tokenizer. `path` is
 * - a folder with a tokenizer.json or (when it has none) a vocab.txt; its tokenizer_config.json is read as well;
 * - a table, which carries them in its metadata or has them beside itself;
 * - a model in such a folder, or the name of one in the Hugging Face cache, as aq_source_open takes them;
 * - a tokenizer.json under any name: by itself; a vocab.txt under any name: with the tokenizer_config.json beside it.
 */
AQ_MUST_CHECK aq_status aq_tokenizer_files_read(const char *path, aq_tokenizer_files *files, aq_error *err);

/* Takes the files of a source that is open, or of a folder (see aq_model_file_read). On failure *files is empty. */
AQ_MUST_CHECK aq_status aq_tokenizer_files_take(const aq_source *source, const char *folder, aq_tokenizer_files *files,
                                                aq_error *err);

#endif
