/* delta.c - the DELTA_BINARY_PACKED encoding.
 *
 * Specification: "Encodings.md", DELTA_BINARY_PACKED (5).
 *
 *   header:  block size (a multiple of 128), miniblocks a block, count of values: varints; first value: zigzag
 *   block:   smallest delta: zigzag; one byte a miniblock: its bit width; the miniblocks
 *   miniblock: block size / miniblocks values (a multiple of 32): delta - smallest, bit-packed, least significant first
 *
 * Miniblocks past the last value have a width byte, of any value, and no body; the last one with values is padded to
 * its full size. Sums wrap around in the width of the type. */
#include "parquet/read/delta.h"

#include <stdbool.h>

#include "core/compiler.h"
#include "core/error.h"
#include "parquet/read/rle.h"

typedef struct delta {
  const uint8_t *at, *end;
  uint64_t miniblocks, values_of_miniblock;
  uint32_t bits;
  bool bad; /* the bytes ended */
} delta;

static uint64_t read_varint(delta *d) {
  uint64_t value = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    if (d->at == d->end) break;
    const uint8_t byte = *d->at++;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  d->bad = true;
  return 0;
}

static uint64_t read_zigzag(delta *d) {
  const uint64_t raw = read_varint(d);
  return (raw >> 1) ^ (0 - (raw & 1));
}

/* The header; *first is the first value. */
static aq_status read_header(delta *d, uint64_t count, uint64_t *first, aq_error *err) {
  const uint64_t block = read_varint(d), miniblocks = read_varint(d), stated = read_varint(d);
  *first = read_zigzag(d);
  AQ_FAIL_IF(d->bad, AQ_ERR_FORMAT, "a delta-encoded page ends within its header");
  AQ_FAIL_IF(block == 0 || block % 128 != 0 || block > INT32_MAX || miniblocks == 0 || block % miniblocks != 0 ||
                 (block / miniblocks) % 32 != 0,
             AQ_ERR_FORMAT, "a delta-encoded page has blocks of %llu values in %llu miniblocks",
             (unsigned long long)block, (unsigned long long)miniblocks);
  AQ_FAIL_IF(stated != count, AQ_ERR_FORMAT, "a delta-encoded page has %llu values where %llu are expected",
             (unsigned long long)stated, (unsigned long long)count);
  d->miniblocks = miniblocks;
  d->values_of_miniblock = block / miniblocks;
  return AQ_OK;
}

static int64_t narrow(const delta *d, uint64_t value) {
  return d->bits == 32 ? (int64_t)(int32_t)(uint32_t)value : (int64_t)value;
}

static aq_status read_miniblock(delta *d, uint32_t width, uint64_t smallest, uint64_t take, uint64_t *value,
                                int64_t *out, aq_error *err) {
  AQ_FAIL_IF(width > d->bits, AQ_ERR_FORMAT, "a delta-encoded page has %u-bit deltas for %u-bit values", width,
             d->bits);
  const uint64_t bytes = d->values_of_miniblock / 8 * width;
  AQ_FAIL_IF(bytes > (uint64_t)(d->end - d->at), AQ_ERR_FORMAT, "a delta-encoded page ends within a miniblock");
  for (uint64_t i = 0; i < take; i++) {
    *value += smallest + aq_bits_get(d->at, i, width);
    out[i] = narrow(d, *value);
  }
  d->at += bytes;
  return AQ_OK;
}

static aq_status read_block(delta *d, uint64_t count, uint64_t *done, uint64_t *value, int64_t *out, aq_error *err) {
  const uint64_t smallest = read_zigzag(d);
  AQ_FAIL_IF(d->bad || d->miniblocks > (uint64_t)(d->end - d->at), AQ_ERR_FORMAT,
             "a delta-encoded page ends within a block header");
  const uint8_t *widths = d->at;
  d->at += d->miniblocks;
  for (uint64_t m = 0; m < d->miniblocks && *done < count; m++) {
    const uint64_t take = AQ_MIN(d->values_of_miniblock, count - *done);
    AQ_TRY(read_miniblock(d, widths[m], smallest, take, value, out + *done, err));
    *done += take;
  }
  return AQ_OK;
}

aq_status aq_delta_decode(const uint8_t *bytes, size_t size, uint32_t bits, uint64_t count, int64_t *out, size_t *used,
                          aq_error *err) {
  delta d = {bytes, bytes + size, 0, 0, bits, false};
  uint64_t value = 0, done = 0;
  AQ_TRY(read_header(&d, count, &value, err));
  if (count > 0) out[done++] = narrow(&d, value);
  while (done < count) AQ_TRY(read_block(&d, count, &done, &value, out, err));
  *used = (size_t)(d.at - bytes);
  return AQ_OK;
}
