/* test_parquet_encodings.c - RLE and bit-packed runs, delta-encoded integers: the specification's examples, and what is
 * not allowed. */
#include "check.h"
#include "core/compiler.h"
#include "parquet/read/delta.h"
#include "parquet/read/rle.h"

/* ---- runs ---- */

static void rle_example_of_the_specification_is_read(void **state) {
  (void)state;
  static const uint8_t packed[] = {0x03, 0x88, 0xc6, 0xfa}; /* one group of 8: 0..7 in 3 bits */
  uint32_t out[8];
  assert_true(aq_rle_decode(packed, sizeof packed, 3, 8, out));
  for (uint32_t i = 0; i < 8; i++) assert_int_equal(out[i], i);
  static const uint8_t runs[] = {0x06, 0x2c, 0x01, 0x04, 0xff, 0x01}; /* 3 times 300, 2 times 511; 9 bits */
  assert_true(aq_rle_decode(runs, sizeof runs, 9, 5, out));
  assert_true(out[0] == 300 && out[2] == 300 && out[3] == 511 && out[4] == 511);
}

static void rle_last_group_may_lack_unused_bytes(void **state) {
  (void)state;
  static const uint8_t cut[] = {0x03, 0x88, 0xc6}; /* 16 of 24 bits: five values of 3 bits */
  uint32_t out[8];
  assert_true(aq_rle_decode(cut, sizeof cut, 3, 5, out));
  assert_int_equal(out[4], 4);
  assert_false(aq_rle_decode(cut, sizeof cut, 3, 6, out));
}

static void rle_width_zero_needs_no_bytes(void **state) {
  (void)state;
  uint32_t out[3] = {9, 9, 9};
  assert_true(aq_rle_decode((const uint8_t *)"", 0, 0, 3, out));
  assert_true(out[0] == 0 && out[2] == 0);
}

static void rle_ends_and_bad_headers_are_refused(void **state) {
  (void)state;
  uint32_t out[64];
  uint8_t levels[64];
  static const uint8_t short_run[] = {0x04, 0x01}, no_value[] = {0x06}, wide[] = {0x04, 0x03},
                       endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, zero_run[] = {0x00, 0x00, 0x00, 0x00};
  assert_false(aq_rle_decode(short_run, sizeof short_run, 1, 3, out));
  assert_false(aq_rle_decode(no_value, sizeof no_value, 8, 3, out));
  assert_false(aq_rle_decode(wide, sizeof wide, 1, 2, out)); /* the value 3 in one bit */
  assert_false(aq_rle_decode(endless, sizeof endless, 8, 3, out));
  assert_false(aq_rle_decode(zero_run, sizeof zero_run, 8, 3, out));
  assert_false(aq_rle_decode(short_run, sizeof short_run, 33, 1, out));
  assert_true(aq_rle_decode_levels(wide, sizeof wide, 2, 3, 2, levels));
  assert_false(aq_rle_decode_levels(wide, sizeof wide, 2, 2, 2, levels)); /* above the maximum */
  static const uint8_t packed[] = {0x03, 0xff, 0xff};
  assert_false(aq_rle_decode_levels(packed, sizeof packed, 2, 2, 8, levels));
}

static void bit_packed_levels_start_at_the_high_bit(void **state) {
  (void)state;
  static const uint8_t bytes[] = {0x05, 0x39, 0x77}; /* the specification's example: 0..7 in 3 bits */
  uint8_t out[8];
  assert_true(aq_bit_packed_decode_levels(bytes, sizeof bytes, 3, 7, 8, out));
  for (uint8_t i = 0; i < 8; i++) assert_int_equal(out[i], i);
  assert_false(aq_bit_packed_decode_levels(bytes, sizeof bytes, 3, 7, 9, out));
  assert_false(aq_bit_packed_decode_levels(bytes, sizeof bytes, 3, 6, 8, out));
}

static void bits_of_every_width_are_found(void **state) {
  (void)state;
  uint8_t bytes[80];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + 11);
  for (uint32_t width = 1; width <= 64; width++) {
    for (uint64_t i = 0; i < 9; i++) {
      uint64_t want = 0;
      for (uint32_t b = 0; b < width; b++) {
        const uint64_t bit = i * width + b;
        want |= (uint64_t)(bytes[bit / 8] >> (bit % 8) & 1) << b;
      }
      assert_true(aq_bits_get(bytes, i, width) == want);
    }
  }
}

/* ---- delta ---- */

static void delta_example_of_the_specification_is_read(void **state) {
  (void)state;
  /* 7, 5, 3, 1, 2, 3, 4, 5: blocks of 128 in 4 miniblocks, 8 values; first 7; smallest delta -2; 2-bit miniblock. */
  static const uint8_t bytes[] = {0x80, 0x01, 0x04, 0x08, 0x0e, 0x03, 0x02, 0x00, 0x00, 0x00,
                                  0xc0, 0x3f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xaa};
  static const int64_t want[] = {7, 5, 3, 1, 2, 3, 4, 5};
  int64_t out[8];
  size_t used = 0;
  aq_error err;
  assert_ok(aq_delta_decode(bytes, sizeof bytes, 64, 8, out, &used, &err));
  assert_memory_equal(out, want, sizeof want);
  assert_int_equal(used, sizeof bytes - 1); /* whole miniblock, nothing of what follows */
}

static void delta_sums_wrap_in_their_width(void **state) {
  (void)state;
  /* 2147483647, then a delta of 1. */
  static const uint8_t bytes[] = {0x80, 0x01, 0x04, 0x02, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x02, 0, 0, 0, 0};
  int64_t out[2];
  size_t used = 0;
  aq_error err;
  assert_ok(aq_delta_decode(bytes, sizeof bytes, 32, 2, out, &used, &err));
  assert_int_equal(out[0], INT32_MAX);
  assert_int_equal(out[1], INT32_MIN);
  assert_ok(aq_delta_decode(bytes, sizeof bytes, 64, 2, out, &used, &err));
  assert_int_equal(out[1], (int64_t)INT32_MAX + 1);
}

static void delta_wrong_headers_are_refused(void **state) {
  (void)state;
  static const struct {
    uint8_t bytes[16];
    size_t size;
    const char *said;
  } inputs[] = {
      {{0x80, 0x01, 0x04, 0x09, 0x0e}, 5, "9 values where 8"},
      {{0x81, 0x01, 0x04, 0x08, 0x0e}, 5, "129 values in 4"},
      {{0x80, 0x01, 0x00, 0x08, 0x0e}, 5, "in 0 miniblocks"},
      {{0x80, 0x01, 0x08, 0x08, 0x0e}, 5, "in 8 miniblocks"}, /* 16 values each: not a multiple of 32 */
      {{0x00, 0x04, 0x08, 0x0e}, 4, "blocks of 0"},
      {{0x80, 0x01, 0x04, 0x08}, 4, "within its header"},
      {{0x80, 0x01, 0x04, 0x08, 0x0e, 0x03, 0x02, 0x00}, 8, "within a block header"},
      {{0x80, 0x01, 0x04, 0x08, 0x0e, 0x03, 0x02, 0x00, 0x00, 0x00, 0xc0}, 11, "within a miniblock"},
      {{0x80, 0x01, 0x04, 0x08, 0x0e, 0x03, 0x41, 0x00, 0x00, 0x00, 0xc0}, 11, "65-bit deltas"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(inputs); i++) {
    int64_t out[8];
    size_t used = 0;
    aq_error err;
    assert_int_equal(aq_delta_decode(inputs[i].bytes, inputs[i].size, 64, 8, out, &used, &err), AQ_ERR_FORMAT);
    assert_non_null(strstr(err.message, inputs[i].said));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rle_example_of_the_specification_is_read),
      cmocka_unit_test(rle_last_group_may_lack_unused_bytes),
      cmocka_unit_test(rle_width_zero_needs_no_bytes),
      cmocka_unit_test(rle_ends_and_bad_headers_are_refused),
      cmocka_unit_test(bit_packed_levels_start_at_the_high_bit),
      cmocka_unit_test(bits_of_every_width_are_found),
      cmocka_unit_test(delta_example_of_the_specification_is_read),
      cmocka_unit_test(delta_sums_wrap_in_their_width),
      cmocka_unit_test(delta_wrong_headers_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
