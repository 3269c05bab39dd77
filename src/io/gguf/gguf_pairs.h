/* gguf_pairs.h - the key-value pairs of a GGUF file that is written, from the JSON that a reader makes of them
 * (docs/formats/gguf.md): {"KEY": {"type": "uint32", "value": 7}, "KEY": {"type": "array", "of": "string", ...}}. */
#ifndef AQ_IO_GGUF_GGUF_PAIRS_H
#define AQ_IO_GGUF_GGUF_PAIRS_H

#include <jansson.h>

#include "core/buffer.h"

/* Appends the pairs as they are in a file, in their order, and counts them in *count. AQ_ERR_FORMAT names a key whose
 * value is not of its type. */
AQ_MUST_CHECK aq_status aq_gguf_pairs_write(const json_t *pairs, aq_buffer *out, uint64_t *count, aq_error *err);

/* A string as it is in a file: its length, and its bytes. */
AQ_MUST_CHECK aq_status aq_gguf_string_write(const char *text, size_t size, aq_buffer *out, aq_error *err);

#endif
