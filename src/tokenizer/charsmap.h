/* charsmap.h - SentencePiece's table of texts and what each becomes when a text is normalized.
 *
 * A trie of the texts in a double array (Aoe 1989; the layout of units is darts-clone's), and behind it the texts that
 * they become, each with a zero at its end:
 *   uint32_t size of the units in bytes; units of uint32_t; UTF-8 text. All numbers are little-endian. */
#ifndef AQ_TOKENIZER_CHARSMAP_H
#define AQ_TOKENIZER_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

/* Zero-initialise; aq_charsmap_reset frees. */
typedef struct aq_charsmap {
  uint8_t *bytes; /* all of it */
  size_t unit_count;
  const uint8_t *text; /* well-formed */
  size_t text_size;
} aq_charsmap;

void aq_charsmap_reset(aq_charsmap *map);

/* Takes the bytes, also when it fails. AQ_ERR_FORMAT when they are no charsmap: the units do not fit, or there are
 * none, or the text is not UTF-8. Where units point to is checked when they are followed. */
AQ_MUST_CHECK aq_status aq_charsmap_make(uint8_t *bytes, size_t size, aq_charsmap *map, aq_error *err);

/* What the *shortest* text of the map that `key` begins with becomes; *found tells whether there is one. The rest of
 * the key does not matter: that is what the library does. AQ_ERR_FORMAT when a unit points outside the map. */
AQ_MUST_CHECK aq_status aq_charsmap_find(const aq_charsmap *map, const uint8_t *key, size_t size, bool *found,
                                         const uint8_t **text, size_t *text_size, aq_error *err);

#endif
