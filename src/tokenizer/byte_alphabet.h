/* byte_alphabet.h - the characters that stand for bytes in a byte-level vocabulary: printable bytes of Latin-1 for
 * themselves, the others for U+0100 and what follows, in order. "Ġ" is a space. */
#ifndef AQ_TOKENIZER_BYTE_ALPHABET_H
#define AQ_TOKENIZER_BYTE_ALPHABET_H

#include <stddef.h>
#include <stdint.h>

/* Characters are below this; in UTF-8 they have one or two bytes. */
#define AQ_BYTE_ALPHABET_END 0x144u

/* The character for a byte. */
uint32_t aq_byte_character(uint8_t byte);

/* The byte for a character, or -1. */
int aq_character_byte(uint32_t c);

/* Writes the UTF-8 of the characters for `size` bytes, at most two each; returns its size. */
size_t aq_byte_alphabet_write(const uint8_t *bytes, size_t size, uint8_t *out);

#endif
