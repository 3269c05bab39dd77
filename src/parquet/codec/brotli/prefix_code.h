/* prefix_code.h - prefix codes (Huffman, 1952) of bounded length, and how a Brotli stream describes them. */
#ifndef AQ_PARQUET_CODEC_BROTLI_PREFIX_CODE_H
#define AQ_PARQUET_CODEC_BROTLI_PREFIX_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "parquet/codec/brotli/bit_writer.h"

#define AQ_PREFIX_SYMBOLS 256 /* of an alphabet, at most */
#define AQ_PREFIX_LONGEST 15  /* bits of a code word, at most */
/* Bytes of a description, at most. */
#define AQ_PREFIX_DESCRIPTION 320

typedef struct aq_prefix_code {
  uint16_t words[AQ_PREFIX_SYMBOLS]; /* first bit lowest */
  uint8_t lengths[AQ_PREFIX_SYMBOLS];
} aq_prefix_code;

/* The code for symbols that occur so often, of at most `longest` bits a word, as short as any but for the few rare
 * symbols that the bound makes shorter. A symbol that never occurs has length 0; so has the only one that does: it
 * takes no bits. symbols: 1 to AQ_PREFIX_SYMBOLS; the sum of counts is below 2^31. */
void aq_prefix_make(const uint32_t *counts, size_t symbols, unsigned longest, aq_prefix_code *code);

/* Writes the description of the code over `symbols` symbols (RFC 7932, section 3). */
void aq_prefix_describe(const aq_prefix_code *code, const uint32_t *counts, size_t symbols, aq_bit_writer *out);

static inline void aq_prefix_put(const aq_prefix_code *code, size_t symbol, aq_bit_writer *out) {
  aq_bits_put(out, code->lengths[symbol], code->words[symbol]);
}

#endif
