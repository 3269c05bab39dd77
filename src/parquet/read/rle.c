/* rle.c - the RLE / bit-packed hybrid, in which levels and dictionary indices are written.
 *
 * Specification: "Encodings.md", RLE (3). Runs follow one another:
 *
 *   header = varint; header & 1:  header >> 1 groups of 8 values, bit-packed, least significant bit first
 *                    else         header >> 1 times one value, in ceil(width / 8) bytes, little-endian
 *
 * The last group may hold more values than are wanted, and some writers cut off its unused bytes: what is wanted must
 * be there, no more. */
#include "parquet/read/rle.h"

#include <string.h>

#include "core/compiler.h"

typedef struct run {
  uint64_t count;
  const uint8_t *packed; /* NULL: `value` count times */
  uint32_t value;
} run;

typedef struct cursor {
  const uint8_t *at, *end;
  uint32_t width;
} cursor;

uint32_t aq_bit_width(uint32_t max) {
  uint32_t width = 0;
  while (width < 32 && (max >> width) != 0) width++;
  return width;
}

uint64_t aq_bits_get(const uint8_t *bytes, uint64_t index, uint32_t width) {
  const uint64_t bit = index * width;
  const uint8_t *p = bytes + (bit >> 3);
  uint32_t got = 0, skip = (uint32_t)(bit & 7);
  uint64_t value = 0;
  while (got < width) {
    const uint32_t take = AQ_MIN(8 - skip, width - got);
    value |= ((uint64_t)(*p >> skip) & ((1u << take) - 1)) << got;
    got += take;
    skip = 0;
    p++;
  }
  return value;
}

static bool read_varint(cursor *c, uint32_t *out) {
  uint32_t value = 0;
  for (uint32_t shift = 0; shift < 35 && c->at < c->end; shift += 7) {
    const uint8_t byte = *c->at++;
    if (shift == 28 && (byte & 0x70) != 0) return false;
    value |= (uint32_t)(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      *out = value;
      return true;
    }
  }
  return false;
}

static bool next_run(cursor *c, run *r) {
  uint32_t header = 0;
  if (!read_varint(c, &header)) return false;
  const uint64_t left = (uint64_t)(c->end - c->at);
  if ((header & 1) != 0) {
    const uint64_t bytes = (uint64_t)(header >> 1) * c->width;
    r->packed = c->at;
    r->count = (uint64_t)(header >> 1) * 8;
    if (bytes > left && c->width > 0) r->count = left * 8 / c->width;
    c->at += AQ_MIN(bytes, left);
    return true;
  }
  const uint32_t bytes = (c->width + 7) / 8;
  if (bytes > left) return false;
  r->packed = NULL;
  r->count = header >> 1;
  r->value = (uint32_t)aq_bits_get(c->at, 0, bytes * 8);
  c->at += bytes;
  return c->width == 32 || (r->value >> c->width) == 0;
}

bool aq_rle_decode(const uint8_t *bytes, size_t size, uint32_t width, uint64_t count, uint32_t *out) {
  cursor c = {bytes, bytes + size, width};
  if (width > AQ_RLE_MAX_WIDTH) return false;
  uint64_t done = 0;
  if (width == 0) { /* nothing to tell: some writers leave out the runs too */
    for (; done < count; done++) out[done] = 0;
  }
  while (done < count) {
    run r = {0, NULL, 0};
    if (!next_run(&c, &r)) return false;
    const uint64_t take = AQ_MIN(r.count, count - done);
    for (uint64_t i = 0; i < take; i++)
      out[done + i] = r.packed != NULL ? (uint32_t)aq_bits_get(r.packed, i, width) : r.value;
    done += take;
  }
  return true;
}

bool aq_rle_decode_levels(const uint8_t *bytes, size_t size, uint32_t width, uint8_t max, uint64_t count,
                          uint8_t *out) {
  cursor c = {bytes, bytes + size, width};
  if (width > 8) return false;
  for (uint64_t done = 0; done < count;) {
    run r = {0, NULL, 0};
    if (!next_run(&c, &r)) return false;
    const uint64_t take = AQ_MIN(r.count, count - done);
    if (r.packed == NULL) {
      if (r.value > max && take > 0) return false;
      memset(out + done, (int)r.value, take);
    } else {
      for (uint64_t i = 0; i < take; i++) {
        const uint8_t level = (uint8_t)aq_bits_get(r.packed, i, width);
        if (level > max) return false;
        out[done + i] = level;
      }
    }
    done += take;
  }
  return true;
}

bool aq_bit_packed_decode_levels(const uint8_t *bytes, size_t size, uint32_t width, uint8_t max, uint64_t count,
                                 uint8_t *out) {
  if (width > 8 || (width > 0 && count > (uint64_t)size * 8 / width)) return false;
  uint64_t bit = 0;
  for (uint64_t i = 0; i < count; i++) {
    uint32_t level = 0;
    for (uint32_t b = 0; b < width; b++, bit++) level = level << 1 | ((uint32_t)bytes[bit >> 3] >> (7 - (bit & 7)) & 1);
    if (level > max) return false;
    out[i] = (uint8_t)level;
  }
  return true;
}
