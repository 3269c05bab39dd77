/* unicode_compose.h - compatibility decomposition and composition of characters as the reference knows them: Unicode 9,
 * as in unicode.h. */
#ifndef AQ_TOKENIZER_UNICODE_COMPOSE_H
#define AQ_TOKENIZER_UNICODE_COMPOSE_H

#include <stddef.h>
#include <stdint.h>

#include "tokenizer/unicode.h"

#define AQ_MAX_COMPATIBLE 18

/* Full compatibility decomposition; returns the number of characters. */
size_t aq_char_decompose_compatible(uint32_t c, uint32_t out[AQ_MAX_COMPATIBLE]);

/* The character that two make by canonical composition; 0: they make none. */
uint32_t aq_char_compose(uint32_t first, uint32_t second);

#endif
