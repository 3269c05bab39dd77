/* bit_writer.h - numbers of any width, low bits first, as Brotli and Deflate have them. The caller sees to the room. */
#ifndef AQ_PARQUET_CODEC_BROTLI_BIT_WRITER_H
#define AQ_PARQUET_CODEC_BROTLI_BIT_WRITER_H

#include <stdint.h>

#include "core/bytes.h"

/* `at` has room for all that is written and 8 bytes more. */
typedef struct aq_bit_writer {
  uint8_t *at;
  uint64_t held; /* bits not written yet, fewer than 8 of them between calls */
  unsigned count;
} aq_bit_writer;

/* width: 0 to 56; value has no bits above it. */
static inline void aq_bits_put(aq_bit_writer *w, unsigned width, uint64_t value) {
  w->held |= value << w->count;
  w->count += width;
  aq_store_u64(w->at, w->held);
  w->at += w->count / 8;
  w->held >>= w->count / 8 * 8;
  w->count %= 8;
}

/* Zero bits up to the next whole byte. */
static inline void aq_bits_align(aq_bit_writer *w) { aq_bits_put(w, (8 - w->count) % 8, 0); }

#endif
