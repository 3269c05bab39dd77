/* gguf_store_bytes.c - the blocks of a tensor that is written: made some thousand values at a time, within a row. */
#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/gguf/gguf_store.h"
#include "io/gguf/gguf_types.h"
#include "kernels/kernels.h"
#include "quant/scale_factor.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

#define VALUES ((size_t)1 << 14) /* that are made at a time */
enum { PER_BLOCK = 32 };

typedef struct block_room {
  float values[VALUES];
  int8_t codes[VALUES];
  uint8_t packed[VALUES + 8];
  float scales[VALUES / AQ_GGUF_K_GROUP + 1], zero_points[VALUES / AQ_GGUF_K_GROUP + 1];
  uint8_t blocks[VALUES * 8]; /* of the largest type */
} block_room;

/* ---- values ---- */

static aq_status convert_values(const aq_source *source, size_t index, const aq_gguf_store *s, uint64_t first, size_t n,
                                block_room *room, aq_error *err) {
  const aq_kernels *kernels = aq_kernels_get();
  const aq_dtype dtype = aq_gguf_type_at(s->type)->dtype;
  AQ_TRY(aq_source_read_f32(source, index, first, n, room->values, err));
  for (size_t i = 0; s->added != 0 && i < n; i++) room->values[i] += s->added;
  if (dtype == AQ_F32) {
    memcpy(room->blocks, room->values, n * sizeof(float));
    return AQ_OK;
  }
  (dtype == AQ_F16 ? kernels->f32_to_f16 : kernels->f32_to_bf16)(room->values, n, room->blocks);
  for (size_t i = 0; i < n; i++) {
    const bool became_infinite = (aq_load_u16(room->blocks + 2 * i) & 0x7fff) == (dtype == AQ_F16 ? 0x7c00 : 0x7f80);
    if (!became_infinite || isinf(room->values[i])) continue;
    (void)aq_fail(err, AQ_ERR_NONFINITE, "value %g at element %llu is too large for %s", (double)room->values[i],
                  (unsigned long long)(first + i), aq_dtype_name(dtype));
    return aq_error_hint(err, AQ_ERR_NONFINITE, "Use `dtype=bf16` or `dtype=fp32`");
  }
  return AQ_OK;
}

/* ---- codes ---- */

static void store_f16(float x, uint8_t *out) { aq_kernels_get()->f32_to_f16(&x, 1, out); }

static void make_q8_0(const int8_t *q, const float *scales, const float *zero_points, uint8_t *block) {
  (void)zero_points; /* 0 */
  store_f16(scales[0], block);
  memcpy(block + 2, q, PER_BLOCK);
}

/* The first half of the values is in the low nibbles, the second in the high ones. */
static void pack_nibbles(const int8_t *q, uint8_t *out) {
  for (int i = 0; i < PER_BLOCK / 2; i++) out[i] = (uint8_t)((q[i] + 8) | (q[i + PER_BLOCK / 2] + 8) << 4);
}

static void make_q4_0(const int8_t *q, const float *scales, const float *zero_points, uint8_t *block) {
  (void)zero_points; /* 0 */
  store_f16(scales[0], block);
  pack_nibbles(q, block + 2);
}

static void make_q4_1(const int8_t *q, const float *scales, const float *zero_points, uint8_t *block) {
  store_f16(scales[0], block);
  store_f16(aq_gguf_minimum(scales[0], zero_points[0]), block + 2);
  pack_nibbles(q, block + 4);
}

/* Where bits are: gguf_blocks_k.c. Scales have 32 added, codes 4. */
static void make_q3_k(const int8_t *q, const float *scales, const float *zero_points, uint8_t *block) {
  uint8_t *third = block, *codes = block + 32, *packed = block + 96;
  float d;
  (void)zero_points;                                                        /* 0 */
  (void)aq_scale_factor_find(scales, AQ_GGUF_K_SCALES, AQ_GGUF_K_MOST, &d); /* there is one */
  memset(block, 0, 108);
  store_f16(d, block + 108);
  for (int j = 0; j < AQ_GGUF_K_SCALES; j++) {
    const int scale = 32 + aq_scale_factor_times(scales[j], d), run = j / 2, side = AQ_GGUF_K_GROUP * (j % 2);
    packed[j % 8] |= (uint8_t)((scale & 15) << (4 * (j / 8)));
    packed[8 + j % 4] |= (uint8_t)((scale >> 4) << (2 * (j / 4)));
    for (int i = 0; i < AQ_GGUF_K_GROUP; i++, q++) {
      const int code = *q + 4;
      third[side + i] |= (uint8_t)((code >> 2) << run);
      codes[32 * (run / 4) + side + i] |= (uint8_t)((code & 3) << (2 * (run % 4)));
    }
  }
}

/* A block of codes with its scales and zero points, which begin at those of its first value. */
static const struct {
  const char *name;
  void (*make)(const int8_t *q, const float *scales, const float *zero_points, uint8_t *block);
} makers[] = {{"Q8_0", make_q8_0}, {"Q4_0", make_q4_0}, {"Q4_1", make_q4_1}, {"Q3_K", make_q3_k}};

static aq_status read_codes(const aq_source *source, size_t index, uint64_t first, size_t n, block_room *room,
                            aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  const uint64_t bits = aq_quant_type_bits(t->quant_type), span = aq_gguf_store_span(t);
  const uint64_t first_span = first / span;
  const size_t spans = (size_t)((first + n - 1) / span - first_span + 1);
  AQ_TRY(aq_source_read_bytes(source, index, first / 8 * bits, n / 8 * bits, room->packed, err));
  aq_unpack_codes(t->quant_type, room->packed, n, room->codes);
  AQ_TRY(aq_source_read_scales(source, index, AQ_PIECE_SCALES, first_span, spans, room->scales, err));
  return aq_source_read_scales(source, index, AQ_PIECE_ZERO_POINTS, first_span, spans, room->zero_points, err);
}

static aq_status make_code_blocks(const aq_source *source, size_t index, const aq_gguf_type *type, uint64_t first,
                                  size_t n, block_room *room, aq_error *err) {
  const uint64_t span = aq_gguf_store_span(&source->tensors[index]), first_span = first / span;
  AQ_TRY(read_codes(source, index, first, n, room, err));
  size_t k = 0;
  while (strcmp(makers[k].name, type->name) != 0) k++;
  for (size_t i = 0; i < n; i += type->values) {
    const size_t s = (size_t)((first + i) / span - first_span);
    makers[k].make(room->codes + i, room->scales + s, room->zero_points + s,
                   room->blocks + i / type->values * type->bytes);
  }
  return AQ_OK;
}

/* ---- both ---- */

/* Blocks of values [first, first + n) into room->blocks. */
static aq_status make_blocks(const aq_source *source, size_t index, const aq_gguf_store *s, uint64_t first, size_t n,
                             block_room *room, aq_error *err) {
  const aq_gguf_type *type = aq_gguf_type_at(s->type);
  if (s->kind == AQ_GGUF_CODES) return make_code_blocks(source, index, type, first, n, room, err);
  if (s->kind == AQ_GGUF_CONVERTED) return convert_values(source, index, s, first, n, room, err);
  return aq_source_read_bytes(source, index, first * type->bytes, n * type->bytes, room->blocks, err);
}

static aq_status read_blocks(const aq_source *source, size_t index, const aq_gguf_store *s, uint64_t offset,
                             size_t size, uint8_t *out, block_room *room, aq_error *err) {
  const aq_gguf_type *type = aq_gguf_type_at(s->type);
  const uint64_t count = s->rows * s->columns;
  while (size > 0) {
    const uint64_t first = offset / type->bytes * type->values;
    const size_t skip = (size_t)(offset % type->bytes);
    const size_t wanted = (skip + size + type->bytes - 1) / type->bytes * type->values;
    const uint64_t row_left = s->half > 0 ? s->columns - first % s->columns : count - first;
    const size_t n = (size_t)AQ_MIN(AQ_MIN(row_left, (uint64_t)wanted), (uint64_t)VALUES);
    const uint64_t from = aq_gguf_source_row(s, first / s->columns) * s->columns + first % s->columns;
    const size_t made = n / type->values * type->bytes - skip, take = AQ_MIN(made, size);
    AQ_TRY(make_blocks(source, index, s, from, n, room, err));
    memcpy(out, room->blocks + skip, take);
    offset += take;
    out += take;
    size -= take;
  }
  return AQ_OK;
}

aq_status aq_gguf_store_read(const aq_source *source, size_t index, const aq_gguf_store *store, uint64_t offset,
                             size_t size, uint8_t *out, aq_error *err) {
  if (store->kind == AQ_GGUF_COPIED && store->half == 0)
    return aq_source_read_bytes(source, index, offset, size, out, err);
  block_room *room = aq_malloc(sizeof *room);
  if (room == NULL) return aq_fail_memory(err, sizeof *room);
  const aq_status status = read_blocks(source, index, store, offset, size, out, room, err);
  aq_free(room);
  return status;
}
