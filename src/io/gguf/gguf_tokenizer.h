/* gguf_tokenizer.h - tokenizer.json and tokenizer_config.json, made of the metadata of a GGUF file. */
#ifndef AQ_IO_GGUF_GGUF_TOKENIZER_H
#define AQ_IO_GGUF_GGUF_TOKENIZER_H

#include "io/gguf/gguf_config.h"

/* Calls put(ctx, name, text) for both. AQ_ERR_UNSUPPORTED: a kind of tokenizer, or a pattern by which a text is cut,
 * that is not known by its name. AQ_ERR_FORMAT: keys are missing, or do not fit each other or the table of tokens. */
AQ_MUST_CHECK aq_status aq_gguf_tokenizer_make(const aq_gguf_fields *fields, const aq_gguf_arch *arch,
                                               const aq_gguf_tensors *tensors, aq_gguf_put_fn put, void *ctx,
                                               aq_error *err);

#endif
