/* base64.h - bytes as text (RFC 4648, section 4): A-Z a-z 0-9 + /, with padding, without line ends. */
#ifndef AQ_CORE_BASE64_H
#define AQ_CORE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that `size` bytes become. size is at most SIZE_MAX / 2. */
size_t aq_base64_length(size_t size);

/* Writes aq_base64_length(size) characters and a zero. */
void aq_base64_encode(const uint8_t *bytes, size_t size, char *text);

/* Bytes that so many characters hold at most: room for aq_base64_decode. */
size_t aq_base64_room(size_t length);

/* True when the text is base64 to its last bit: nothing but the alphabet, full groups of four, padding only at the end,
 * zeros in the bits that no byte uses. *size is then the number of bytes written; `bytes` has aq_base64_room(length).
 */
bool aq_base64_decode(const char *text, size_t length, uint8_t *bytes, size_t *size);

#endif
