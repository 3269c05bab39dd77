/* packed_codes.h - the codes and scales of a quantized matrix of a source, in the order of the formats that pack them.
 * Codes u = q + 2^(bits - 1) are a little-endian bit stream of 32-bit words for each row; unused bits are 0. */
#ifndef AQ_IO_PACKED_PACKED_CODES_H
#define AQ_IO_PACKED_PACKED_CODES_H

#include "io/packed/packed_scheme.h"

/* Bytes [offset, offset + size) of the matrix of words, rows x aq_packed_words(columns, bits). */
AQ_MUST_CHECK aq_status aq_packed_read_codes(const aq_source *source, size_t index, const aq_packed_scheme *scheme,
                                             uint64_t offset, size_t size, uint8_t *out, aq_error *err);

/* n scales or zero points from number `first` on of the matrix rows x groups. What the source has for several groups or
 * rows is repeated. */
AQ_MUST_CHECK aq_status aq_packed_read_scales(const aq_source *source, size_t index, const aq_packed_scheme *scheme,
                                              aq_piece piece, uint64_t first, size_t n, float *out, aq_error *err);

/* The bits of code u of number `at` of a stream that lie in the word which begins at bit `first` of it; the code has
 * some there. */
static inline uint32_t aq_packed_place(uint32_t u, uint64_t at, uint32_t bits, uint64_t first) {
  const uint64_t bit = at * bits;
  return bit >= first ? u << (bit - first) : u >> (first - bit);
}

#endif
