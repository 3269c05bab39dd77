/* gguf_export_pairs.h - the metadata of a GGUF file, made of the files of a Hugging Face model: the way back of
 * gguf_config.h and gguf_tokenizer.h. Pairs are the JSON of gguf_pairs.h. */
#ifndef AQ_IO_GGUF_GGUF_EXPORT_PAIRS_H
#define AQ_IO_GGUF_GGUF_EXPORT_PAIRS_H

#include <jansson.h>

#include "io/gguf/gguf_names.h"
#include "io/source.h"

typedef struct aq_gguf_export {
  const aq_source *source;
  const aq_gguf_arch *arch;
  json_t *config; /* config.json; owned */
  json_t *pairs;  /* owned */
  int64_t heads, key_heads;
  int64_t vocabulary;     /* rows of the table of tokens, which the list of tokens has as well */
  bool has_tied_head;     /* of a decoder: the table of tokens is the head */
  size_t tokens_left_out; /* added tokens beyond them */
} aq_gguf_export;

/* Reads config.json and makes all pairs. AQ_ERR_UNSUPPORTED: an architecture, a setting or a tokenizer that would be
 * another model in llama.cpp; AQ_ERR_NOT_FOUND: there is no configuration or tokenizer. Reset *out after a failure too.
 */
AQ_MUST_CHECK aq_status aq_gguf_export_make(const aq_source *source, aq_gguf_export *out, aq_error *err);
void aq_gguf_export_reset(aq_gguf_export *made);

/* Parts of it: the keys of the architecture, those of the tokenizer. */
AQ_MUST_CHECK aq_status aq_gguf_export_config(aq_gguf_export *made, aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_export_tokenizer(aq_gguf_export *made, aq_error *err);

/* Sets a pair; takes the value, which may be NULL when there was no memory for it. */
AQ_MUST_CHECK aq_status aq_gguf_export_set(aq_gguf_export *made, const char *key, const char *type, json_t *value,
                                           aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_export_set_array(aq_gguf_export *made, const char *key, const char *of, json_t *values,
                                                 aq_error *err);

/* A file of the model as JSON, NULL where there is none. */
AQ_MUST_CHECK aq_status aq_gguf_export_read(const aq_source *source, const char *name, json_t **out, aq_error *err);

#endif
