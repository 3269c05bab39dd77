/* test_brotli.c - brotli streams of literals, read by libbrotlidec; how near they come to the entropy of the bytes. */
#include <brotli/decode.h>

#include "byte_kinds.h"
#include "check.h"
#include "core/compiler.h"
#include "core/memory.h"
#include "faulty_allocator.h"
#include "parquet/codec/brotli/brotli_block.h"
#include "parquet/codec/brotli/prefix_code.h"
#include "parquet/codec/compress.h"
#include "parquet/format.h"

#define MIB ((size_t)1 << 20)

static void add_block(aq_buffer *out, const uint8_t *bytes, size_t size) {
  aq_error err;
  assert_ok(aq_brotli_block(bytes, size, out, &err));
}

static void add_byte(aq_buffer *out, uint8_t byte) {
  aq_error err;
  assert_ok(aq_buffer_append_byte(out, byte, &err));
}

/* The stream is these bytes, to its last byte and not one further. */
static void assert_stream(const aq_buffer *stream, const uint8_t *bytes, size_t size, const char *name) {
  uint8_t *found = malloc(size + 1);
  size_t found_size = size + 1;
  if (BrotliDecoderDecompress(stream->size, stream->data, &found_size, found) != BROTLI_DECODER_RESULT_SUCCESS) {
    fail_msg("%s, %zu bytes: the stream is damaged", name, size);
  }
  if (found_size != size || (size > 0 && memcmp(found, bytes, size) != 0)) {
    fail_msg("%s, %zu bytes: others came back", name, size);
  }
  found_size = size;
  if (BrotliDecoderDecompress(stream->size - 1, stream->data, &found_size, found) == BROTLI_DECODER_RESULT_SUCCESS) {
    fail_msg("%s, %zu bytes: the last byte is not needed", name, size);
  }
  free(found);
}

/* Size of the stream of one block, which is read back. */
static size_t stream_size(const uint8_t *bytes, size_t size, const char *name) {
  aq_buffer stream = {NULL, 0, 0};
  add_byte(&stream, AQ_BROTLI_FIRST);
  add_block(&stream, bytes, size);
  add_byte(&stream, AQ_BROTLI_LAST);
  assert_stream(&stream, bytes, size, name);
  const size_t made = stream.size;
  aq_buffer_reset(&stream);
  return made;
}

static const struct {
  const char *name;
  byte_kind at;
} kinds[] = {{"constant", constant_at},
             {"two values", two_values_at},
             {"noise", noise_at},
             {"geometric", geometric_at},
             {"wide", wide_at},
             {"narrow", narrow_at},
             {"rare", rare_at},
             {"fibonacci", fibonacci_at},
             {"fibonacci mixed", fibonacci_mixed_at}};

static const size_t sizes[] = {0, 1, 2, 31, 32, 33, 255, 256, 257, 65536, 65537, MIB - 1, MIB, MIB + 1, 3 * MIB};

/* Of a meta-block that is stored: header and what ends it with a byte. And the two bytes round the stream. */
static size_t stored_bound(size_t size) { return size + 6 * (size / MIB + 1) + 2; }

static void every_kind_of_every_size_comes_back_and_does_not_grow(void **state) {
  (void)state;
  uint8_t *bytes = malloc(3 * MIB);
  for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
    fill_bytes(bytes, 3 * MIB, kinds[k].at);
    for (size_t s = 0; s < AQ_COUNT_OF(sizes); s++) {
      const size_t made = stream_size(bytes, sizes[s], kinds[k].name);
      if (made > stored_bound(sizes[s])) fail_msg("%s, %zu bytes became %zu", kinds[k].name, sizes[s], made);
    }
  }
  free(bytes);
}

/* Every width of the numbers of an insert length and of a block's length. */
static void every_small_size_comes_back(void **state) {
  (void)state;
  uint8_t bytes[2500];
  fill_bytes(bytes, sizeof bytes, geometric_at);
  for (size_t size = 0; size <= sizeof bytes; size += 1 + size / 700) (void)stream_size(bytes, size, "geometric");
}

static void rows_of_two_kinds_come_back(void **state) {
  (void)state;
  static const size_t rows[] = {1, 31, 32, 33, 64, 300, 416, 3000, 20000, 70000};
  uint8_t *bytes = malloc(MIB + 77);
  for (size_t r = 0; r < AQ_COUNT_OF(rows); r++) {
    for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
      fill_rows(bytes, MIB + 77, rows[r], kinds[k].at, kinds[(k + 3) % AQ_COUNT_OF(kinds)].at);
      (void)stream_size(bytes, r % 2 == 0 ? MIB + 77 : MIB / 3, kinds[k].name);
    }
  }
  free(bytes);
}

/* Up to 40 kinds, more than there are classes; stretches of 32 bytes to 8 KiB. */
static void many_kinds_in_stretches_of_any_length_come_back(void **state) {
  (void)state;
  uint8_t *bytes = malloc(MIB);
  for (uint64_t trial = 0; trial < 24; trial++) {
    const size_t size = MIB - (size_t)(mix(trial) % 5000);
    for (size_t at = 0; at < size;) {
      const uint64_t r = mix(trial << 32 | at);
      const size_t length = (size_t)(1 + mix(r) % 256) * (trial % 3 == 0 ? 7 : 32), kind = r % (1 + trial % 5 * 10);
      for (size_t i = at; i < at + length && i < size; i++) {
        bytes[i] = (uint8_t)((kind * 37) + mix(i) % (1 + kind) + (mix(i + 9) % (2 + kind % 5)));
      }
      at += length;
    }
    (void)stream_size(bytes, size, "stretches");
  }
  free(bytes);
}

static void blocks_are_joined_to_one_stream(void **state) {
  (void)state;
  static const size_t parts[] = {10, 786432, 0, 1, 786432, 33, 1500000, 5};
  aq_buffer stream = {NULL, 0, 0};
  uint8_t *bytes = malloc(4 * MIB);
  size_t at = 0;
  add_byte(&stream, AQ_BROTLI_FIRST);
  for (size_t p = 0; p < AQ_COUNT_OF(parts); p++) {
    const byte_kind kind = kinds[p % AQ_COUNT_OF(kinds)].at;
    for (size_t i = 0; i < parts[p]; i++) bytes[at + i] = kind(i);
    aq_buffer block = {NULL, 0, 0}; /* each by itself, as threads make them */
    add_block(&block, bytes + at, parts[p]);
    aq_error err;
    assert_ok(aq_buffer_append(&stream, block.data, block.size, &err));
    aq_buffer_reset(&block);
    at += parts[p];
  }
  add_byte(&stream, AQ_BROTLI_LAST);
  assert_stream(&stream, bytes, at, "joined");
  aq_buffer_reset(&stream);
  free(bytes);
}

static void parts_of_a_page_are_a_stream(void **state) {
  (void)state;
  aq_error err;
  uint8_t bytes[5000];
  fill_bytes(bytes, sizeof bytes, narrow_at);
  aq_compressor none = {0};
  aq_buffer whole = {NULL, 0, 0}, stream = {NULL, 0, 0}, part = {NULL, 0, 0};
  assert_ok(aq_compress(&none, AQ_PQ_BROTLI, 0, AQ_PAGE_WHOLE, bytes, sizeof bytes, &whole, &err));
  assert_stream(&whole, bytes, sizeof bytes, "whole");
  static const struct {
    aq_page_part part;
    size_t begin, size;
  } parts[] = {{AQ_PAGE_BEGIN, 0, 10}, {AQ_PAGE_INSIDE, 10, 3000}, {AQ_PAGE_END, 3010, 1990}};
  for (size_t p = 0; p < AQ_COUNT_OF(parts); p++) {
    assert_ok(aq_compress(&none, AQ_PQ_BROTLI, 0, parts[p].part, bytes + parts[p].begin, parts[p].size, &part, &err));
    assert_ok(aq_buffer_append(&stream, part.data, part.size, &err));
  }
  assert_stream(&stream, bytes, sizeof bytes, "parts");
  aq_buffer_reset(&whole);
  aq_buffer_reset(&stream);
  aq_buffer_reset(&part);
}

/* ---- sizes ---- */

/* A meta-block of few classes has this much besides its literals: descriptions of up to 150 symbols at 4 bits. */
#define DESCRIPTION ((size_t)100)

static void one_distribution_takes_its_entropy(void **state) {
  (void)state;
  /* What Huffman's code of the kind has above the entropy: nothing for powers of 1/2; else .5 % of bells. */
  static const struct {
    byte_kind at;
    double above;
  } cases[] = {{geometric_at, 1.0001}, {wide_at, 1.01}, {narrow_at, 1.03}, {fibonacci_mixed_at, 1.05}};
  uint8_t *bytes = malloc(MIB);
  for (size_t c = 0; c < AQ_COUNT_OF(cases); c++) {
    uint32_t counts[256] = {0};
    fill_bytes(bytes, MIB, cases[c].at);
    for (size_t i = 0; i < MIB; i++) counts[bytes[i]]++;
    const double best = entropy_of(counts) / 8, made = (double)stream_size(bytes, MIB, "one distribution");
    if (made < best || made > best * cases[c].above + (double)DESCRIPTION) {
      fail_msg("case %zu: %.0f bytes, entropy %.0f", c, made, best);
    }
  }
  free(bytes);
}

/* Rows of whole segments: each class takes its own entropy, and what Huffman's code has above it (1 % of these). A
 * change of class takes its type, no bits where there are two, and how long it lasts: extra bits and no code where all
 * last alike; 2 bits of entropy, at most 1 above it and 4 extra bits where half of the rows go on in the same class. */
static void two_distributions_take_what_they_have_apart(void **state) {
  (void)state;
  static const struct {
    size_t row;
    bool shuffled;
    double changes, change_bits; /* a row */
  } cases[] = {{320, false, 1, 6}, {4096, false, 1, 11}, {65536, false, 1, 24},
               {32, true, .5, 7},  {64, true, .5, 8},    {320, true, .5, 12}};
  uint8_t *bytes = malloc(MIB);
  for (size_t c = 0; c < AQ_COUNT_OF(cases); c++) {
    const size_t row = cases[c].row;
    const bool shuffled = cases[c].shuffled;
    uint32_t all[256] = {0}, apart[2][256] = {{0}};
    (shuffled ? fill_shuffled_rows : fill_rows)(bytes, MIB, row, narrow_at, wide_at);
    for (size_t i = 0; i < MIB; i++) {
      all[bytes[i]]++;
      apart[shuffled ? is_odd_row(i / row) : i / row % 2][bytes[i]]++;
    }
    const double best = (entropy_of(apart[0]) + entropy_of(apart[1])) / 8, one = entropy_of(all) / 8;
    const double changes = (double)MIB / (double)row * cases[c].changes * cases[c].change_bits / 8;
    const double made = (double)stream_size(bytes, MIB, "two distributions");
    if (made < best || made > 1.01 * best + changes + 2 * (double)DESCRIPTION) {
      fail_msg("case %zu: %.0f bytes, apart %.0f, changes %.0f", c, made, best, changes);
    }
    if (made > 0.9 * one) fail_msg("case %zu: %.0f bytes, in one code %.0f", c, made, one);
  }
  free(bytes);
}

/* Bytes that all take in the one code of Huffman's tree, with its description. */
static double one_code_of(const uint8_t *bytes, size_t size) {
  uint32_t counts[256] = {0};
  uint8_t description[AQ_PREFIX_DESCRIPTION + 8];
  aq_prefix_code code;
  aq_bit_writer out = {.at = description};
  double bits = 0;
  for (size_t i = 0; i < size; i++) counts[bytes[i]]++;
  aq_prefix_make(counts, 256, AQ_PREFIX_LONGEST, &code);
  for (size_t b = 0; b < 256; b++) bits += (double)counts[b] * code.lengths[b];
  aq_prefix_describe(&code, counts, 256, &out);
  return bits / 8 + (double)(out.at - description);
}

/* Whatever the classes: those that do not earn their keep are merged. Rows of 32 and 64 bytes by turns are alike in
 * every stretch that the search begins with, and are not told apart. */
static void classes_cost_no_more_than_one_code(void **state) {
  (void)state;
  static const size_t rows[] = {32, 64, 100, 1000};
  uint8_t *bytes = malloc(MIB);
  for (size_t r = 0; r < AQ_COUNT_OF(rows); r++) {
    for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
      for (size_t size = 1000; size <= MIB; size = size * 32 + 576) {
        fill_rows(bytes, size, rows[r], kinds[k].at, kinds[(k + r + 1) % AQ_COUNT_OF(kinds)].at);
        const double one = one_code_of(bytes, size), made = (double)stream_size(bytes, size, kinds[k].name);
        if (made > 1.005 * one + 40) {
          fail_msg("%s, rows of %zu, %zu bytes: %.0f bytes, in one code %.0f", kinds[k].name, rows[r], size, made, one);
        }
      }
    }
  }
  free(bytes);
}

/* A segment across two rows of 300 bytes has the wrong code for up to half of it. It is still worth it. */
static void rows_across_segments_are_below_one_code(void **state) {
  (void)state;
  uint32_t all[256] = {0};
  uint8_t *bytes = malloc(MIB);
  fill_rows(bytes, MIB, 300, narrow_at, wide_at);
  for (size_t i = 0; i < MIB; i++) all[bytes[i]]++;
  assert_true((double)stream_size(bytes, MIB, "rows of 300") < 0.93 * entropy_of(all) / 8);
  free(bytes);
}

/* In one code each byte takes a bit at least. The entropy of places is .0156 bits a byte. */
static void runs_take_far_less_than_a_bit_a_byte(void **state) {
  (void)state;
  uint8_t *bytes = malloc(MIB);
  fill_bytes(bytes, MIB, rare_at);
  assert_in_range(stream_size(bytes, MIB, "runs"), MIB / 512, MIB / 8 / 4);
  fill_bytes(bytes, MIB, constant_at);
  assert_in_range(stream_size(bytes, MIB, "constant"), 5, 32);
  free(bytes);
}

/* ---- the same bytes, or an error ---- */

static void result_depends_on_the_bytes_alone(void **state) {
  (void)state;
  const size_t size = MIB + 1000;
  uint8_t *bytes = malloc(size + 64);
  aq_buffer first = {NULL, 0, 0};
  fill_rows(bytes, size, 96, narrow_at, rare_at);
  add_block(&first, bytes, size);
  for (size_t shift = 1; shift < 64; shift += 30) {
    aq_buffer again = {NULL, 0, 0};
    memmove(bytes + shift, bytes + (shift == 1 ? 0 : shift - 30), size);
    for (size_t i = 0; i < shift; i++) add_byte(&again, 0xff); /* what was in the buffer stays */
    add_block(&again, bytes + shift, size);
    assert_int_equal(again.size, first.size + shift);
    assert_memory_equal(again.data + shift, first.data, first.size);
    assert_int_equal(again.data[shift - 1], 0xff);
    aq_buffer_reset(&again);
  }
  aq_buffer_reset(&first);
  free(bytes);
}

static void every_allocation_that_fails_is_told_and_leaks_nothing(void **state) {
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  const size_t size = MIB + 5000; /* two meta-blocks */
  uint8_t *bytes = malloc(size);
  fill_rows(bytes, size, 320, narrow_at, wide_at);
  aq_status status = AQ_ERR_MEMORY;
  long n = 0;
  while (status != AQ_OK) {
    aq_error err;
    aq_buffer out = {NULL, 0, 0};
    assert_true(++n < 100);
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = aq_brotli_block(bytes, size, &out, &err);
    aq_buffer_reset(&out);
    aq_set_allocator(NULL);
    assert_true(status == AQ_OK || status == AQ_ERR_MEMORY);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
  }
  assert_true(n > 14); /* seven of each meta-block */
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_of_every_size_comes_back_and_does_not_grow),
      cmocka_unit_test(every_small_size_comes_back),
      cmocka_unit_test(rows_of_two_kinds_come_back),
      cmocka_unit_test(many_kinds_in_stretches_of_any_length_come_back),
      cmocka_unit_test(blocks_are_joined_to_one_stream),
      cmocka_unit_test(parts_of_a_page_are_a_stream),
      cmocka_unit_test(one_distribution_takes_its_entropy),
      cmocka_unit_test(two_distributions_take_what_they_have_apart),
      cmocka_unit_test(classes_cost_no_more_than_one_code),
      cmocka_unit_test(rows_across_segments_are_below_one_code),
      cmocka_unit_test(runs_take_far_less_than_a_bit_a_byte),
      cmocka_unit_test(result_depends_on_the_bytes_alone),
      cmocka_unit_test(every_allocation_that_fails_is_told_and_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
