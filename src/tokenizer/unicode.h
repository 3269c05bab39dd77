/* unicode.h - what the tokenizer asks about a character.
 *
 * The ids of a text are a contract with the model, so the answers must be those of the Hugging Face `tokenizers`
 * library, which takes them from tables of several ages: general categories as of Unicode 8, canonical decomposition
 * and combining classes as of Unicode 9, lower case as of Unicode 17. Ours come from utf8proc (Unicode 15 or later);
 * unicode.c holds the few ranges that differ, up to Unicode 18. \w (for added tokens with single_word, and in regular
 * expressions) is as of Unicode 16 (unicode_category.h). */
#ifndef AQ_TOKENIZER_UNICODE_H
#define AQ_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum aq_char_kind {
  AQ_CHAR_PLAIN,
  AQ_CHAR_CONTROL,     /* Cc but for tab, line feed and carriage return; Cf; Co */
  AQ_CHAR_SPACE,       /* tab, line feed, carriage return; Zs, Zl, Zp */
  AQ_CHAR_PUNCTUATION, /* P*, and every ASCII character that is printable and no letter, digit or space */
  AQ_CHAR_MARK         /* Mn */
} aq_char_kind;

aq_char_kind aq_char_kind_of(uint32_t c);

/* Marks of every kind, spacing and enclosing ones included, as of Unicode 9. */
bool aq_char_is_mark(uint32_t c);

/* White_Space: AQ_CHAR_SPACE and the control characters that separate lines. */
bool aq_char_is_white(uint32_t c);

/* Ideographs as BERT counts them: those that are words of their own. */
bool aq_char_is_ideograph(uint32_t c);

/* What the crate regex calls \w: letters, marks, decimal digits, connectors (Unicode TS 18, annex C). */
bool aq_char_is_word(uint32_t c);

/* Lower case of one character by itself; U+0130, which has two, gives 'i' (the dot above is the caller's). */
uint32_t aq_char_lower(uint32_t c);

#define AQ_MAX_DECOMPOSED 4

/* Full canonical decomposition; returns the number of characters. */
size_t aq_char_decompose(uint32_t c, uint32_t out[AQ_MAX_DECOMPOSED]);
uint8_t aq_char_combining_class(uint32_t c);

#endif
