/* gguf_config.h - config.json and its like, made of the metadata of a GGUF file. */
#ifndef AQ_IO_GGUF_GGUF_CONFIG_H
#define AQ_IO_GGUF_GGUF_CONFIG_H

#include "io/gguf/gguf_fields.h"
#include "io/gguf/gguf_names.h"
#include "io/gguf/gguf_rope.h"

/* What the tensors say about the model. */
typedef struct aq_gguf_tensors {
  const aq_gguf_entry *rope; /* rope_freqs.weight and the file that it lies in; NULL: there is none */
  const aq_file *rope_file;
  int64_t vocabulary;       /* rows of the table of tokens */
  int64_t positions, types; /* rows of those of positions and of token types; 0: there is none */
  bool has_head;            /* there is an output.weight */
  bool has_attention_bias, has_ffn_bias;
} aq_gguf_tensors;

/* Calls put(ctx, name, text) for config.json and generation_config.json, of an encoder for modules.json, the pooling's
 * config.json and sentence_bert_config.json. AQ_ERR_FORMAT: a key that must be there is missing, or of another type;
 * AQ_ERR_UNSUPPORTED: a key of the architecture that changes the model in a way that no config.json says. */
typedef aq_status (*aq_gguf_put_fn)(void *ctx, const char *name, const char *text, aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_config_make(const aq_gguf_fields *fields, const aq_gguf_arch *arch,
                                            const aq_gguf_tensors *tensors, aq_gguf_put_fn put, void *ctx,
                                            aq_error *err);

/* Heads of queries and of keys, for rows that are interleaved. */
AQ_MUST_CHECK aq_status aq_gguf_heads(const aq_gguf_fields *fields, const aq_gguf_arch *arch, int64_t *heads,
                                      int64_t *key_heads, aq_error *err);

#endif
