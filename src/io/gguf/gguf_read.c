/* gguf_read.c - blocks decoded as they are asked for, rows in the order of a model, gains without their 1. */
#include "io/gguf/gguf_read.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"

/* Bytes of blocks that are read at once: they are decoded while they are in the cache. */
enum { CHUNK = 16384 };

static aq_status decode_blocks(const aq_gguf_range *r, uint64_t first, size_t count, float *out, aq_error *err) {
  uint8_t bytes[CHUNK];
  const size_t room = CHUNK / r->type->bytes;
  while (count > 0) {
    const size_t n = AQ_MIN(count, room);
    AQ_TRY(aq_file_read(r->file, r->begin + first * r->type->bytes, n * r->type->bytes, bytes, err));
    aq_gguf_decode(r->type, bytes, n, out);
    first += n;
    count -= n;
    out += n * r->type->values;
  }
  return AQ_OK;
}

/* Bytes [offset, offset + size) of the FP32 values, which begin and end anywhere in a block, or at any address. */
static aq_status read_decoded(const aq_gguf_range *r, uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  float values[AQ_GGUF_BLOCK_VALUES];
  const size_t block = r->type->values * sizeof *values;
  while (size > 0) {
    const uint64_t first = offset / block;
    const size_t skip = (size_t)(offset % block);
    size_t done;
    if (skip == 0 && size >= block && (uintptr_t)out % sizeof *values == 0) {
      done = size / block * block;
      AQ_TRY(decode_blocks(r, first, size / block, (float *)(void *)out, err));
    } else {
      done = AQ_MIN(size, block - skip);
      AQ_TRY(decode_blocks(r, first, 1, values, err));
      memcpy(out, (const uint8_t *)values + skip, done);
    }
    out += done;
    offset += done;
    size -= done;
  }
  return AQ_OK;
}

/* Bytes of the values in the order of the file. */
static aq_status read_values(const aq_gguf_range *r, uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  if (r->type->decode == NULL) return aq_file_read(r->file, r->begin + offset, size, out, err);
  return read_decoded(r, offset, size, out, err);
}

/* The same in the order of the model, row by row. */
static aq_status read_rows(const aq_gguf_range *r, uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  const aq_gguf_order *order = r->order;
  while (size > 0) {
    const uint64_t row = offset / order->row_bytes, skip = offset % order->row_bytes;
    const size_t n = (size_t)AQ_MIN((uint64_t)size, order->row_bytes - skip);
    AQ_TRY(read_values(r, aq_gguf_row_in_file(order, row) * order->row_bytes + skip, n, out, err));
    out += n;
    offset += n;
    size -= n;
  }
  return AQ_OK;
}

/* FP32 values less 1, rounded to FP32, which is exact from 0.5 to 2. The range begins and ends anywhere in a value. */
static aq_status read_less_one(const aq_gguf_range *r, uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  float values[CHUNK / sizeof(float)];
  while (size > 0) {
    const size_t skip = (size_t)(offset % sizeof *values), take = AQ_MIN(size, sizeof values - skip);
    const size_t count = (skip + take + sizeof *values - 1) / sizeof *values;
    AQ_TRY(aq_file_read(r->file, r->begin + offset - skip, count * sizeof *values, values, err));
    for (size_t i = 0; i < count; i++) values[i] -= 1;
    memcpy(out, (const uint8_t *)values + skip, take);
    out += take;
    offset += take;
    size -= take;
  }
  return AQ_OK;
}

aq_status aq_gguf_read(const aq_gguf_range *range, uint64_t offset, size_t size, void *out, aq_error *err) {
  const aq_gguf_order *order = range->order;
  if (order == NULL) return read_values(range, offset, size, out, err);
  return order->less_one ? read_less_one(range, offset, size, out, err) : read_rows(range, offset, size, out, err);
}
