/* text_pattern.h - {"String": " "} and {"Regex": "\\s+"}: what a part of a tokenizer.json looks for in a text. */
#ifndef AQ_TOKENIZER_TEXT_PATTERN_H
#define AQ_TOKENIZER_TEXT_PATTERN_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "tokenizer/regex.h"

/* Compiles member "pattern" of an object. The caller owns *out. */
AQ_MUST_CHECK aq_status aq_text_pattern_read(const json_t *object, aq_regex **out, aq_error *err);

/* Appends a well-formed text with each match replaced by `content`. */
AQ_MUST_CHECK aq_status aq_text_pattern_replace(const aq_regex *regex, const char *content, size_t content_size,
                                                const uint8_t *text, size_t size, aq_buffer *out, aq_error *err);

#endif
