/* utf8.h - is a text UTF-8? */
#ifndef AQ_IO_UTF8_H
#define AQ_IO_UTF8_H

#include <stdbool.h>

/* True when the text is well formed (Unicode, table 3-7): no overlong forms, no surrogates, nothing past U+10FFFF. */
bool aq_utf8_ok(const char *text);

#endif
