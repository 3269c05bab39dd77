/* piece_score.h - the number behind a piece of a Unigram vocabulary, as each of its two readers has it.
 *
 * The library `tokenizers` does not round decimal numbers correctly: it multiplies or divides the digits, as a double,
 * by a power of ten (which is a double as well), and so about every eighth score is the neighbour of the nearest one.
 * transformers reads the same file by Python, which is correct. Paths of a text that consist of the same pieces in
 * different orders differ in their last bits alone, so ids depend on which of the two it was. */
#ifndef AQ_TOKENIZER_PIECE_SCORE_H
#define AQ_TOKENIZER_PIECE_SCORE_H

#include <stddef.h>
#include <stdint.h>

typedef struct aq_piece_score {
  double of_library; /* as `tokenizers` reads a tokenizer.json */
  double nearest;    /* correctly rounded */
} aq_piece_score;

/* Reads the number of JSON at the beginning of a text that ends with a zero. Returns its length; 0 when there is none,
 * when it has more than 100 digits, or when it is too large for a double. */
size_t aq_piece_score_read(const uint8_t *text, aq_piece_score *out);

#endif
