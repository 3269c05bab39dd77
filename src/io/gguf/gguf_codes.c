/* gguf_codes.c - codes, scales and zero points out of blocks.
 *
 * The codes of a block are the values that its decoder makes of it when all its scales are 1 and its minimum is 0, so
 * that gguf_blocks_*.c alone know how codes are packed. Blocks do not reach from one row into the next: rows in another
 * order are runs of blocks in another order. */
#include "io/gguf/gguf_codes.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "io/gguf/gguf_blocks.h"

enum { CHUNK = 16384, BLOCK_BYTES_MAX = 292, SPANS_MAX = 16 };
enum { ONE = 0x3c00 }; /* FP16 */

typedef struct block_codes {
  int8_t codes[AQ_GGUF_BLOCK_VALUES];
  float scales[SPANS_MAX], zero_points[SPANS_MAX];
} block_codes;

typedef struct coding {
  aq_quant_type type;
  uint32_t span; /* values that share a scale: a part of the block */
  int32_t first; /* what the decoder makes of the lowest code is moved so far to be one of the type */
  void (*set_ones)(uint8_t *block);
  void (*read_scales)(const uint8_t *block, block_codes *out); /* zero points are 0 before */
} coding;

/* ---- types ---- */

static void store_u16(uint8_t *to, uint32_t value) {
  to[0] = (uint8_t)(value & 255);
  to[1] = (uint8_t)(value >> 8);
}

/* A scale in front. */
static void set_one(uint8_t *block) { store_u16(block, ONE); }

static void read_scale(const uint8_t *block, block_codes *out) { out->scales[0] = aq_gguf_load_f16(block); }

/* A scale and a minimum in front. */
static void set_one_and_zero(uint8_t *block) {
  store_u16(block, ONE);
  store_u16(block + 2, 0);
}

static void read_scale_and_minimum(const uint8_t *block, block_codes *out) {
  const float d = aq_gguf_load_f16(block), m = aq_gguf_load_f16(block + 2);
  out->scales[0] = d;
  if (d < 0 || d > 0) out->zero_points[0] = (float)(-(double)m / (double)d);
}

/* Q6_K: 16 signed scales, and theirs. */
static void set_ones_q6_k(uint8_t *block) {
  memset(block + 192, 1, 16);
  store_u16(block + 208, ONE);
}

static void read_scales_q6_k(const uint8_t *block, block_codes *out) {
  const float d = aq_gguf_load_f16(block + 208);
  for (int i = 0; i < 16; i++) out->scales[i] = d * (float)(int8_t)block[192 + i];
}

/* Q3_K: 16 scales of six bits, less 32, and theirs. Values of codes that are all 1 are the scales. */
static void set_ones_q3_k(uint8_t *block) {
  memset(block + 96, 0x11, 8);
  memset(block + 104, 0xaa, 4);
  store_u16(block + 108, ONE);
}

static void read_scales_q3_k(const uint8_t *block, block_codes *out) {
  uint8_t copy[110];
  float values[AQ_GGUF_BLOCK_VALUES];
  memcpy(copy, block, sizeof copy);
  memset(copy, 0xff, 32);
  memset(copy + 32, 0x55, 64);
  aq_gguf_decode_q3_k(copy, 1, values);
  for (int i = 0; i < 16; i++) out->scales[i] = values[16 * i];
}

static const coding codings[] = {
    [2] = {AQ_INT4, 32, 0, set_one, read_scale},                        /* Q4_0 */
    [3] = {AQ_INT4, 32, -8, set_one_and_zero, read_scale_and_minimum},  /* Q4_1 */
    [6] = {AQ_INT8, 32, 0, set_one, read_scale},                        /* Q5_0 */
    [7] = {AQ_INT8, 32, -16, set_one_and_zero, read_scale_and_minimum}, /* Q5_1 */
    [8] = {AQ_INT8, 32, 0, set_one, read_scale},                        /* Q8_0 */
    [11] = {AQ_INT3, 16, 0, set_ones_q3_k, read_scales_q3_k},           /* Q3_K */
    [14] = {AQ_INT8, 16, 0, set_ones_q6_k, read_scales_q6_k},           /* Q6_K */
    [20] = {AQ_INT8, 32, 0, set_one, read_scale},                       /* IQ4_NL */
};

static const coding *coding_of(uint32_t number) {
  return number < AQ_COUNT_OF(codings) && codings[number].read_scales != NULL ? &codings[number] : NULL;
}

aq_code_layout aq_gguf_code_layout(uint32_t number) {
  const coding *c = coding_of(number);
  return c != NULL ? (aq_code_layout){c->type, c->span} : (aq_code_layout){AQ_KEPT, 0};
}

/* ---- ranges ---- */

/* Block `block` of the range as block of the file, and how many from there on follow each other in both. */
static uint64_t find_run(const aq_gguf_range *r, uint64_t block, uint64_t *run) {
  *run = UINT64_MAX;
  if (r->order == NULL) return block;
  const uint64_t in_row = r->order->row_bytes / sizeof(float) / r->type->values;
  const uint64_t row = block / in_row, skip = block % in_row;
  *run = in_row - skip;
  return aq_gguf_row_in_file(r->order, row) * in_row + skip;
}

typedef void (*block_fn)(void *ctx, uint64_t number, const block_codes *block);

static void read_block(const aq_gguf_type *type, const coding *c, const uint8_t *bytes, block_codes *out) {
  uint8_t copy[BLOCK_BYTES_MAX];
  float values[AQ_GGUF_BLOCK_VALUES];
  *out = (block_codes){.zero_points = {0}};
  c->read_scales(bytes, out);
  for (uint32_t i = 0; i < type->values / c->span; i++) out->zero_points[i] += (float)c->first;
  memcpy(copy, bytes, type->bytes);
  c->set_ones(copy);
  type->decode(copy, 1, values);
  for (uint32_t i = 0; i < type->values; i++) out->codes[i] = (int8_t)(values[i] + (float)c->first);
}

/* Calls visit for blocks [first, end) of the range. */
static aq_status visit_blocks(const aq_gguf_range *r, const coding *c, uint64_t first, uint64_t end, block_fn visit,
                              void *ctx, aq_error *err) {
  uint8_t bytes[CHUNK];
  while (first < end) {
    uint64_t run;
    const uint64_t at = find_run(r, first, &run);
    const size_t n = (size_t)AQ_MIN(AQ_MIN(end - first, run), (uint64_t)(CHUNK / r->type->bytes));
    AQ_TRY(aq_file_read(r->file, r->begin + at * r->type->bytes, n * r->type->bytes, bytes, err));
    for (size_t i = 0; i < n; i++) {
      block_codes block;
      read_block(r->type, c, bytes + i * r->type->bytes, &block);
      visit(ctx, first + i, &block);
    }
    first += n;
  }
  return AQ_OK;
}

/* What is wanted: elements or spans [first, first + count), of which a block has `step`. */
typedef struct wanted {
  uint64_t first, count, step;
  int8_t *codes;
  float *scales, *zero_points; /* either may be NULL */
} wanted;

/* The part of a block that is wanted: `skip` of it, n from there on, to place `to`. */
static size_t cut_block(const wanted *w, uint64_t number, size_t *skip, size_t *to) {
  const uint64_t start = number * w->step;
  const uint64_t begin = AQ_MAX(start, w->first), end = AQ_MIN(start + w->step, w->first + w->count);
  *skip = (size_t)(begin - start);
  *to = (size_t)(begin - w->first);
  return (size_t)(end - begin);
}

static void copy_codes(void *ctx, uint64_t number, const block_codes *block) {
  const wanted *w = ctx;
  size_t skip, to;
  const size_t n = cut_block(w, number, &skip, &to);
  memcpy(w->codes + to, block->codes + skip, n);
}

static void copy_scales(void *ctx, uint64_t number, const block_codes *block) {
  const wanted *w = ctx;
  size_t skip, to;
  const size_t n = cut_block(w, number, &skip, &to);
  if (w->scales != NULL) memcpy(w->scales + to, block->scales + skip, n * sizeof *w->scales);
  if (w->zero_points != NULL) memcpy(w->zero_points + to, block->zero_points + skip, n * sizeof *w->zero_points);
}

static aq_status read_wanted(const aq_gguf_range *r, uint32_t number, wanted *w, block_fn copy, aq_error *err) {
  if (w->count == 0) return AQ_OK;
  return visit_blocks(r, coding_of(number), w->first / w->step, (w->first + w->count - 1) / w->step + 1, copy, w, err);
}

aq_status aq_gguf_read_codes(const aq_gguf_range *range, uint32_t number, uint64_t first, size_t count, int8_t *out,
                             aq_error *err) {
  wanted w = {.first = first, .count = count, .step = range->type->values, .codes = out};
  return read_wanted(range, number, &w, copy_codes, err);
}

aq_status aq_gguf_read_code_scales(const aq_gguf_range *range, uint32_t number, uint64_t first, size_t count,
                                   float *scales, float *zero_points, aq_error *err) {
  const uint64_t step = range->type->values / coding_of(number)->span;
  wanted w = {.first = first, .count = count, .step = step, .scales = scales, .zero_points = zero_points};
  return read_wanted(range, number, &w, copy_scales, err);
}
