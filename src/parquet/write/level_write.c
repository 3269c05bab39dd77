/* level_write.c - Parquet's run-length / bit-packed hybrid (Encodings.md, "RLE").
 *
 * A run is varint(length << 1) and the value in whole bytes; a packed stretch is varint(groups << 1 | 1) and groups of
 * eight values of bit_width bits, low bits first, the last group filled up with zeros. All runs or all packed,
 * whichever is smaller: columns here are long runs (no nulls) or short patterns (list levels), seldom a mixture. */
#include "parquet/write/level_write.h"

#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"

static size_t varint_size(uint64_t value) {
  size_t n = 1;
  for (; value >= 0x80; value >>= 7) n++;
  return n;
}

static aq_status append_varint(aq_buffer *out, uint64_t value, aq_error *err) {
  for (; value >= 0x80; value >>= 7) AQ_TRY(aq_buffer_append_byte(out, (uint8_t)(value | 0x80), err));
  return aq_buffer_append_byte(out, (uint8_t)value, err);
}

static size_t run_length(const uint8_t *values, size_t count) {
  size_t n = 1;
  while (n < count && values[n] == values[0]) n++;
  return n;
}

static aq_status append_runs(const uint8_t *values, size_t count, aq_buffer *out, aq_error *err) {
  for (size_t i = 0; i < count;) {
    const size_t n = run_length(values + i, count - i);
    AQ_TRY(append_varint(out, (uint64_t)n << 1, err));
    AQ_TRY(aq_buffer_append_byte(out, values[i], err));
    i += n;
  }
  return AQ_OK;
}

static aq_status append_packed(const uint8_t *values, size_t count, unsigned bit_width, aq_buffer *out, aq_error *err) {
  const size_t groups = (size_t)aq_div_up(count, 8);
  AQ_TRY(append_varint(out, (uint64_t)groups << 1 | 1, err));
  AQ_TRY(aq_buffer_reserve(out, groups * bit_width, err));
  for (size_t g = 0; g < groups; g++) {
    uint64_t bits = 0; /* eight values of at most eight bits */
    for (size_t i = 8 * g; i < count && i < 8 * g + 8; i++) bits |= (uint64_t)values[i] << (i % 8 * bit_width);
    memcpy(out->data + out->size, &bits, bit_width);
    out->size += bit_width;
  }
  return AQ_OK;
}

static aq_status append_hybrid(const uint8_t *values, size_t count, unsigned bit_width, aq_buffer *out, aq_error *err) {
  if (count == 0) return AQ_OK;
  size_t runs_size = 0;
  for (size_t i = 0; i < count;) {
    const size_t n = run_length(values + i, count - i);
    runs_size += varint_size((uint64_t)n << 1) + 1;
    i += n;
  }
  const size_t groups = (size_t)aq_div_up(count, 8);
  const size_t packed_size = varint_size((uint64_t)groups << 1 | 1) + groups * bit_width;
  return runs_size <= packed_size ? append_runs(values, count, out, err)
                                  : append_packed(values, count, bit_width, out, err);
}

aq_status aq_levels_append(const uint8_t *levels, size_t count, unsigned bit_width, aq_buffer *out, aq_error *err) {
  const size_t at = out->size;
  static const uint8_t no_length[4] = {0};
  AQ_TRY(aq_buffer_append(out, no_length, sizeof no_length, err));
  AQ_TRY(append_hybrid(levels, count, bit_width, out, err));
  aq_store_u32(out->data + at, (uint32_t)(out->size - at - sizeof no_length));
  return AQ_OK;
}
