/* brotli_block.c - meta-blocks of literals.
 *
 * Bytes of quantized weights have no repeats worth looking for; what there is to gain is in their distributions. Brotli
 * lets each stretch of literals name the prefix code that it is in, out of up to 256; zstd and Deflate have one code
 * for a block, and zstd's words have 11 bits at most, which makes rare codes of outliers dear for all. On matrices of
 * 1.2 to 6 bits per weight that is .07 to .12 bits less than zstd's literals take (docs/ARCHITECTURE.md).
 *
 * A meta-block here is: its header; a literal block type for each class of `literal_classes.h`; no contexts (all 64 of
 * a type have the same code); and one command, which inserts all bytes. Its copy, and every distance, never happen:
 * their codes have one symbol and take no bits. Section numbers are those of RFC 7932. */
#include "parquet/codec/brotli/brotli_block.h"

#include <stdbool.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/codec/brotli/literal_classes.h"
#include "parquet/codec/brotli/prefix_code.h"

#define META_BLOCK ((size_t)1 << 20) /* bytes, at most: memory for the search of classes is in proportion */
#define COUNT_CODES 26
#define TYPE_CODES (AQ_LITERAL_CLASSES + 2)
#define CONTEXTS 64
#define CONTEXT_RUNS 6 /* zeros in the context map come in runs of up to 2^7 - 1 */
#define INSERT_BITS 10 /* of a symbol of the insert-and-copy alphabet */
#define DISTANCE_BITS 6
/* All of a meta-block that is no literal, at most: descriptions, context map, and 8 bytes for each change of class. */
#define HEADER_ROOM(changes) ((AQ_LITERAL_CLASSES + 4) * (size_t)AQ_PREFIX_DESCRIPTION + 256 + 8 * (changes))

/* Bytes that follow each other in one class. */
typedef struct stretch {
  uint32_t size;
  uint8_t class, type_code, count_code;
} stretch;

typedef struct meta_block {
  const uint8_t *bytes;
  size_t size;
  aq_literal_classes classes;
  stretch *stretches;
  size_t stretch_count;
  uint32_t type_counts[TYPE_CODES], count_counts[COUNT_CODES];
  aq_prefix_code literals[AQ_LITERAL_CLASSES];
  aq_prefix_code types, counts;
  aq_bit_writer out;
} meta_block;

/* ---- numbers with extra bits ---- */

typedef struct number_range {
  uint32_t base;
  uint8_t bits;
} number_range;

/* Section 6: how many literals a block has. */
static const number_range block_counts[COUNT_CODES] = {
    {1, 2},   {5, 2},   {9, 2},   {13, 2},    {17, 3},    {25, 3},    {33, 3},    {41, 3},    {49, 4},
    {65, 4},  {81, 4},  {97, 4},  {113, 5},   {145, 5},   {177, 5},   {209, 5},   {241, 6},   {305, 6},
    {369, 7}, {497, 8}, {753, 9}, {1265, 10}, {2289, 11}, {4337, 12}, {8433, 13}, {16625, 24}};

/* Section 5: how many literals a command inserts. */
static const number_range insert_lengths[] = {{0, 0},   {1, 0},   {2, 0},     {3, 0},     {4, 0},     {5, 0},
                                              {6, 1},   {8, 1},   {10, 2},    {14, 2},    {18, 3},    {26, 3},
                                              {34, 4},  {50, 4},  {66, 5},    {98, 5},    {130, 6},   {194, 7},
                                              {322, 8}, {578, 9}, {1090, 10}, {2114, 12}, {6210, 14}, {22594, 24}};

static size_t range_of(const number_range *ranges, size_t count, size_t number) {
  size_t i = count - 1;
  while (ranges[i].base > number) i--;
  return i;
}

/* Section 9.2: a number from 1 to 256. */
static void put_number(aq_bit_writer *out, size_t number) {
  if (number == 1) {
    aq_bits_put(out, 1, 0);
    return;
  }
  unsigned bits = 0;
  while ((number - 1) >> (bits + 1) > 0) bits++;
  aq_bits_put(out, 4, 1 | bits << 1);
  aq_bits_put(out, bits, number - 1 - ((size_t)1 << bits));
}

/* ---- stretches ---- */

/* Section 6: code 0 is the type before the last one, 1 the one after the last, others name it. */
static void code_types(meta_block *m) {
  size_t before = 1, last = 0;
  for (size_t i = 0; i < m->stretch_count; i++) {
    stretch *s = &m->stretches[i];
    s->count_code = (uint8_t)range_of(block_counts, COUNT_CODES, s->size);
    m->count_counts[s->count_code]++;
    if (i == 0) continue; /* type 0, which goes without saying */
    s->type_code = (uint8_t)(s->class == before ? 0 : s->class == last + 1 ? 1 : s->class + 2);
    m->type_counts[s->type_code]++;
    before = last;
    last = s->class;
  }
}

static aq_status find_stretches(meta_block *m, aq_error *err) {
  const aq_literal_classes *c = &m->classes;
  m->stretches = aq_calloc(c->segments, sizeof *m->stretches);
  if (m->stretches == NULL) return aq_fail_memory(err, c->segments * sizeof *m->stretches);
  for (size_t i = 0; i < c->segments; i++) {
    const size_t begin = i * AQ_LITERAL_SEGMENT, end = AQ_MIN(begin + AQ_LITERAL_SEGMENT, m->size);
    if (i == 0 || c->of[i] != c->of[i - 1]) m->stretches[m->stretch_count++].class = c->of[i];
    m->stretches[m->stretch_count - 1].size += (uint32_t)(end - begin);
  }
  code_types(m);
  return AQ_OK;
}

/* ---- the parts of a meta-block ---- */

/* Section 9.2: not the last one, its length. */
static void put_length(meta_block *m, bool uncompressed) {
  const unsigned nibbles = m->size - 1 < 1 << 16 ? 4 : m->size - 1 < 1 << 20 ? 5 : 6;
  aq_bits_put(&m->out, 1, 0);
  aq_bits_put(&m->out, 2, nibbles - 4);
  aq_bits_put(&m->out, 4 * nibbles, m->size - 1);
  aq_bits_put(&m->out, 1, uncompressed);
}

static void put_count(meta_block *m, const stretch *s) {
  const number_range *range = &block_counts[s->count_code];
  aq_prefix_put(&m->counts, s->count_code, &m->out);
  aq_bits_put(&m->out, range->bits, s->size - range->base);
}

static void put_types(meta_block *m) {
  const size_t types = m->classes.count;
  put_number(&m->out, types);
  if (types > 1) {
    aq_prefix_make(m->type_counts, types + 2, AQ_PREFIX_LONGEST, &m->types);
    aq_prefix_make(m->count_counts, COUNT_CODES, AQ_PREFIX_LONGEST, &m->counts);
    aq_prefix_describe(&m->types, m->type_counts, types + 2, &m->out);
    aq_prefix_describe(&m->counts, m->count_counts, COUNT_CODES, &m->out);
    put_count(m, &m->stretches[0]);
  }
  put_number(&m->out, 1); /* type of commands */
  put_number(&m->out, 1); /* and of distances */
}

/* Section 7.3: every context of type t has code t. Moved to the front, the map is t and then zeros, for each type. */
static void put_context_map(meta_block *m) {
  const size_t types = m->classes.count;
  uint32_t counts[AQ_LITERAL_CLASSES + CONTEXT_RUNS] = {0};
  aq_prefix_code code;
  put_number(&m->out, types);
  if (types == 1) return;
  aq_bits_put(&m->out, 1, 1);
  aq_bits_put(&m->out, 4, CONTEXT_RUNS - 1);
  counts[CONTEXT_RUNS] = 1; /* 64 zeros of type 0 */
  counts[CONTEXT_RUNS - 1] = (uint32_t)types - 1;
  for (size_t t = 1; t < types; t++) counts[t + CONTEXT_RUNS] = 1;
  aq_prefix_make(counts, types + CONTEXT_RUNS, AQ_PREFIX_LONGEST, &code);
  aq_prefix_describe(&code, counts, types + CONTEXT_RUNS, &m->out);
  aq_prefix_put(&code, CONTEXT_RUNS, &m->out);
  aq_bits_put(&m->out, CONTEXT_RUNS, CONTEXTS - (1U << CONTEXT_RUNS));
  for (size_t t = 1; t < types; t++) {
    aq_prefix_put(&code, t + CONTEXT_RUNS, &m->out);
    aq_prefix_put(&code, CONTEXT_RUNS - 1, &m->out);
    aq_bits_put(&m->out, CONTEXT_RUNS - 1, CONTEXTS - 1 - (1U << (CONTEXT_RUNS - 1)));
  }
  aq_bits_put(&m->out, 1, 1); /* moved to the front */
}

/* Section 5: the insert-and-copy symbol whose copy has the least length. */
static unsigned insert_symbol(size_t code) {
  static const unsigned bases[] = {128, 256, 448};
  return bases[code / 8] + (unsigned)(code % 8) * 8;
}

static void put_single(aq_bit_writer *out, unsigned bits, unsigned symbol) {
  aq_bits_put(out, 4, 1);
  aq_bits_put(out, bits, symbol);
}

static void put_header(meta_block *m) {
  const aq_literal_classes *c = &m->classes;
  const size_t insert = range_of(insert_lengths, AQ_COUNT_OF(insert_lengths), m->size);
  put_length(m, false);
  put_types(m);
  aq_bits_put(&m->out, 6, 0); /* distances: no postfix, none direct */
  for (size_t k = 0; k < c->count; k++) aq_bits_put(&m->out, 2, 0);
  put_context_map(m);
  put_number(&m->out, 1); /* code of distances */
  for (size_t k = 0; k < c->count; k++) aq_prefix_describe(&m->literals[k], c->counts[k], 256, &m->out);
  put_single(&m->out, INSERT_BITS, insert_symbol(insert));
  put_single(&m->out, DISTANCE_BITS, 0);
  aq_bits_put(&m->out, insert_lengths[insert].bits, m->size - insert_lengths[insert].base);
}

static void put_literals(meta_block *m) {
  const uint8_t *bytes = m->bytes;
  for (size_t i = 0; i < m->stretch_count; i++) {
    const stretch *s = &m->stretches[i];
    const aq_prefix_code *code = &m->literals[s->class];
    if (i > 0) {
      aq_prefix_put(&m->types, s->type_code, &m->out);
      put_count(m, s);
    }
    for (uint32_t j = 0; j < s->size; j++) aq_prefix_put(code, bytes[j], &m->out);
    bytes += s->size;
  }
}

static void put_raw(meta_block *m) {
  put_length(m, true);
  aq_bits_align(&m->out);
  for (size_t i = 0; i < m->size; i++) aq_bits_put(&m->out, 8, m->bytes[i]);
}

/* ---- a meta-block ---- */

static uint64_t literal_bits(meta_block *m) {
  const aq_literal_classes *c = &m->classes;
  uint64_t bits = 0;
  for (size_t k = 0; k < c->count; k++) {
    aq_prefix_make(c->counts[k], 256, AQ_PREFIX_LONGEST, &m->literals[k]);
    for (size_t b = 0; b < 256; b++) bits += (uint64_t)c->counts[k][b] * m->literals[k].lengths[b];
  }
  return bits;
}

/* An empty meta-block of metadata ends with a whole byte. */
static void finish(meta_block *m, aq_buffer *out) {
  if (m->out.count > 0) {
    aq_bits_put(&m->out, 6, 6);
    aq_bits_align(&m->out);
  }
  out->size = (size_t)(m->out.at - out->data);
}

static aq_status write_meta_block(meta_block *m, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_literal_classes_find(m->bytes, m->size, &m->classes, err));
  AQ_TRY(find_stretches(m, err));
  const uint64_t bits = literal_bits(m);
  const size_t room = HEADER_ROOM(m->stretch_count);
  AQ_TRY(aq_buffer_reserve(out, AQ_MAX((size_t)(bits / 8), m->size) + room, err));
  m->out = (aq_bit_writer){.at = out->data + out->size};
  if (bits / 8 < m->size) {
    put_header(m);
    put_literals(m);
  }
  if (bits / 8 >= m->size || (size_t)(m->out.at - out->data) - out->size >= m->size) {
    m->out = (aq_bit_writer){.at = out->data + out->size};
    put_raw(m);
  }
  finish(m, out);
  return AQ_OK;
}

aq_status aq_brotli_block(const uint8_t *bytes, size_t size, aq_buffer *out, aq_error *err) {
  meta_block *m = aq_malloc(sizeof *m);
  if (m == NULL) return aq_fail_memory(err, sizeof *m);
  aq_status status = AQ_OK;
  for (size_t at = 0; at < size && status == AQ_OK; at += META_BLOCK) {
    *m = (meta_block){.bytes = bytes + at, .size = AQ_MIN(size - at, META_BLOCK)};
    status = write_meta_block(m, out, err);
    aq_literal_classes_reset(&m->classes);
    aq_free(m->stretches);
  }
  aq_free(m);
  return status;
}
