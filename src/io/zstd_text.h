/* zstd_text.h - a long text as a short one: a zstd frame in base64. Values of metadata must be UTF-8 for every engine
 * that reads Parquet, so the frame's bytes cannot stand there as they are. */
#ifndef AQ_IO_ZSTD_TEXT_H
#define AQ_IO_ZSTD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/compiler.h"

/* The base64 of one zstd frame (RFC 8878) with content size and checksum. It depends on the text and on the version of
 * libzstd alone. Free *value with aq_free. */
AQ_MUST_CHECK aq_status aq_zstd_text_make(const char *text, size_t size, char **value, aq_error *err);

/* What the frame's header says the text has, in bytes; false when the value does not begin as such a frame. Nothing is
 * decompressed. */
bool aq_zstd_text_size(const char *value, uint64_t *size);

/* The text, with a zero after its end. AQ_ERR_CORRUPT when the value is not the whole of one frame with a content size,
 * or its checksum differs; AQ_ERR_UNSUPPORTED when the text has more than `max` bytes, which is known before memory for
 * it is taken. Free *text with aq_free. */
AQ_MUST_CHECK aq_status aq_zstd_text_read(const char *value, size_t max, char **text, size_t *size, aq_error *err);

#endif
