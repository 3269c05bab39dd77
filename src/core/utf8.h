/* utf8.h - is a text UTF-8? */
#ifndef AQ_CORE_UTF8_H
#define AQ_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when the text is well formed (Unicode, table 3-7): no overlong forms, no surrogates, nothing past U+10FFFF. */
bool aq_utf8_ok(const char *text);

/* The same for bytes of any value, zero among them: how many of them, from the first on, are well formed. */
size_t aq_utf8_valid(const uint8_t *bytes, size_t size);

#endif
