/* unicode_category.h - general categories of characters as of Unicode 16, which is what the regular expressions of the
 * reference know. They come from utf8proc; unicode_category.c holds the ranges in which its version may differ. */
#ifndef AQ_TOKENIZER_UNICODE_CATEGORY_H
#define AQ_TOKENIZER_UNICODE_CATEGORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of categories, a bit each. */
typedef uint32_t aq_categories;

#define AQ_ALL_CATEGORIES ((aq_categories)((UINT32_C(1) << 30) - 1))

/* The set with the one category that a character has. */
aq_categories aq_char_category(uint32_t c);

/* The categories of a name: "Lu", or "L" for all that begin with it. 0: there is no such name. */
aq_categories aq_categories_named(const char *name, size_t size);

#endif
