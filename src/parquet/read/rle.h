/* rle.h - the RLE / bit-packed hybrid, in which levels and dictionary indices are written. */
#ifndef AQ_PARQUET_READ_RLE_H
#define AQ_PARQUET_READ_RLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AQ_RLE_MAX_WIDTH 32

/* Decodes exactly `count` values of `width` bits (0..32). false when the bytes end before, or a run is malformed. */
bool aq_rle_decode(const uint8_t *bytes, size_t size, uint32_t width, uint64_t count, uint32_t *out);

/* The same into bytes, for levels (width 0..8); false also when one is above max. */
bool aq_rle_decode_levels(const uint8_t *bytes, size_t size, uint32_t width, uint8_t max, uint64_t count, uint8_t *out);

/* The deprecated BIT_PACKED encoding of levels: no runs, and the most significant bit first. */
bool aq_bit_packed_decode_levels(const uint8_t *bytes, size_t size, uint32_t width, uint8_t max, uint64_t count,
                                 uint8_t *out);

/* Bits needed for values 0..max. */
uint32_t aq_bit_width(uint32_t max);

/* Value `index` of a stream of `width`-bit values (0..64), least significant bit first; the caller has checked that
 * the stream holds it. */
uint64_t aq_bits_get(const uint8_t *bytes, uint64_t index, uint32_t width);

#endif
