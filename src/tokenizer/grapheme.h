/* grapheme.h - extended grapheme clusters (Unicode Standard Annex 29, section 3.1): what a reader takes for one
 * character. Clusters are those of the crate unicode-segmentation in `tokenizers` (Unicode 17). */
#ifndef AQ_TOKENIZER_GRAPHEME_H
#define AQ_TOKENIZER_GRAPHEME_H

#include <stddef.h>
#include <stdint.h>

/* The end of the cluster that begins at `start` < size of a well-formed text. */
size_t aq_grapheme_end(const uint8_t *text, size_t size, size_t start);

#endif
