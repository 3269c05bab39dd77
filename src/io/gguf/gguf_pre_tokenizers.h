/* gguf_pre_tokenizers.h - how byte-level tokenizers of GGUF files cut a text, by the name that the file has for it.
 *
 * A file names the pattern and does not hold it. */
#ifndef AQ_IO_GGUF_GGUF_PRE_TOKENIZERS_H
#define AQ_IO_GGUF_GGUF_PRE_TOKENIZERS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct aq_gguf_pre_tokenizer {
  const char *normalizer, *pre_tokenizer; /* JSON */
  bool ignores_merges;                    /* a word that is a token is that token, whatever the merges make of it */
  bool adds_bos;                          /* where the file does not say */
} aq_gguf_pre_tokenizer;

/* By tokenizer.ggml.pre; NULL: it is not known. */
const aq_gguf_pre_tokenizer *aq_gguf_pre_tokenizer_find(const char *name);

/* Name i of the table, NULL after its end; of those with the same stages the first is to be written. */
const char *aq_gguf_pre_tokenizer_name(size_t i);

/* "gpt-2, ...", into out. */
const char *aq_gguf_pre_tokenizer_names(char *out, size_t room);

#endif
