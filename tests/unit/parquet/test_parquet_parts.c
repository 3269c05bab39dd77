/* test_parquet_parts.c - what the Parquet writer is made of: Thrift, levels, codecs, page headers, byte by byte. */
#include <zstd.h>

#include "check.h"
#include "parquet/codec/compress.h"
#include "parquet/format.h"
#include "parquet/parquet.h"
#include "parquet/write/level_write.h"
#include "parquet/write/page_write.h"
#include "parquet/write/thrift_write.h"

#define assert_bytes(buffer, ...)                                      \
  do {                                                                 \
    static const uint8_t expected_bytes[] = {__VA_ARGS__};             \
    assert_int_equal((buffer).size, sizeof expected_bytes);            \
    assert_memory_equal((buffer).data, expected_bytes, (buffer).size); \
    aq_buffer_reset(&(buffer));                                        \
  } while (0)

/* The same numbers everywhere (SplitMix64). */
static uint64_t mix(uint64_t i) {
  i += UINT64_C(0x9E3779B97F4A7C15);
  i = (i ^ i >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  i = (i ^ i >> 27) * UINT64_C(0x94D049BB133111EB);
  return i ^ i >> 31;
}

/* Sums of small numbers, bell-shaped as the codes of weights are. */
static uint8_t code_at(uint64_t i) {
  const uint64_t r = mix(i);
  return (uint8_t)((r & 31) + (r >> 8 & 31) + (r >> 16 & 31) + (r >> 24 & 31));
}

/* ---- Thrift ---- */

static void thrift_fields_have_the_bytes_of_the_specification(void **state) {
  (void)state;
  aq_error err;
  aq_thrift_out out;
  aq_thrift_out_begin(&out, &err);
  aq_thrift_put_i32(&out, 1, 1);
  aq_thrift_put_i64(&out, 3, -300);
  aq_thrift_put_i16(&out, 40, 2); /* too far for a difference */
  aq_thrift_put_string(&out, 41, "ab");
  aq_thrift_put_struct_begin(&out, 42);
  aq_thrift_put_i32(&out, 1, INT32_MIN);
  aq_thrift_put_struct_end(&out);
  aq_thrift_put_i32(&out, 43, 0);
  assert_ok(aq_thrift_out_end(&out));
  assert_bytes(out.bytes, 0x15, 2, 0x26, 0xD7, 4, 0x04, 80, 4, 0x18, 2, 'a', 'b', 0x1C, 0x15, 0xFF, 0xFF, 0xFF, 0xFF,
               15, 0, 0x15, 0, 0);
}

static void thrift_lists_count_short_and_long(void **state) {
  (void)state;
  aq_error err;
  aq_thrift_out out;
  aq_thrift_out_begin(&out, &err);
  aq_thrift_put_list(&out, 1, AQ_TH_I32, 2);
  aq_thrift_put_element_i32(&out, 5);
  aq_thrift_put_element_i32(&out, -1);
  aq_thrift_put_list(&out, 2, AQ_TH_BINARY, 15);
  for (int i = 0; i < 15; i++) aq_thrift_put_element_string(&out, "");
  assert_ok(aq_thrift_out_end(&out));
  assert_bytes(out.bytes, 0x19, 0x25, 10, 1, 0x19, 0xF8, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void thrift_nesting_too_deep_fails(void **state) {
  (void)state;
  aq_error err;
  aq_thrift_out out;
  aq_thrift_out_begin(&out, &err);
  for (int i = 0; i < AQ_THRIFT_OUT_DEPTH; i++) aq_thrift_put_struct_begin(&out, 1);
  assert_int_equal(aq_thrift_out_end(&out), AQ_ERR_INTERNAL);
  assert_null(out.bytes.data);
}

/* ---- levels ---- */

static void levels_all_equal_are_one_run(void **state) {
  (void)state;
  aq_error err;
  uint8_t levels[1000];
  memset(levels, 1, sizeof levels);
  aq_buffer out = {NULL, 0, 0};
  assert_ok(aq_levels_append(levels, sizeof levels, 1, &out, &err));
  assert_bytes(out, 3, 0, 0, 0, 0xD0, 0x0F, 1); /* varint(2000), value */
}

static void levels_that_alternate_are_packed(void **state) {
  (void)state;
  aq_error err;
  static const uint8_t bits[] = {0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1}, wide[] = {3, 1, 3, 0, 3, 1, 3, 1, 3};
  aq_buffer out = {NULL, 0, 0};
  assert_ok(aq_levels_append(bits, sizeof bits, 1, &out, &err));
  assert_bytes(out, 3, 0, 0, 0, 5, 0xAA, 0x05);
  assert_ok(aq_levels_append(wide, sizeof wide, 2, &out, &err));
  assert_bytes(out, 5, 0, 0, 0, 5, 0x37, 0x77, 0x03, 0x00);
}

/* ---- codecs ---- */

static void codec_text_in_any_case_parses(void **state) {
  static const struct {
    const char *text;
    aq_pq_codec_choice codec;
    int level;
  } cases[] = {{"auto", AQ_PQ_CODEC_AUTO, AQ_ZSTD_OWN_SETTINGS},
               {"None", AQ_PQ_CODEC_NONE, AQ_ZSTD_OWN_SETTINGS},
               {"ZSTD", AQ_PQ_CODEC_ZSTD, AQ_ZSTD_OWN_SETTINGS},
               {"zstd:1", AQ_PQ_CODEC_ZSTD, 1},
               {"Zstd:22", AQ_PQ_CODEC_ZSTD, 22},
               {"brotli", AQ_PQ_CODEC_BROTLI, AQ_ZSTD_OWN_SETTINGS},
               {"Brotli", AQ_PQ_CODEC_BROTLI, AQ_ZSTD_OWN_SETTINGS},
               {"lz4", AQ_PQ_CODEC_LZ4_RAW, AQ_ZSTD_OWN_SETTINGS},
               {"snappy", AQ_PQ_CODEC_SNAPPY, AQ_ZSTD_OWN_SETTINGS}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_pq_codec_choice codec;
    int level;
    aq_error err;
    assert_ok(aq_pq_codec_parse(cases[i].text, &codec, &level, &err));
    assert_int_equal(codec, cases[i].codec);
    assert_int_equal(level, cases[i].level);
  }
}

static void codec_text_unknown_is_refused_with_the_choices(void **state) {
  static const char *const texts[] = {"",      "gzip",  "zstd:",    "zstd:0",  "zstd:23", "zstd:-1",         "zstd:3x",
                                      "zstd3", "lz4:1", "brotli:5", "brotlis", "autos",   "zstd:99999999999"};
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    aq_pq_codec_choice codec;
    int level;
    aq_error err;
    if (aq_pq_codec_parse(texts[i], &codec, &level, &err) != AQ_ERR_ARGUMENT) fail_msg("'%s' was taken", texts[i]);
    assert_non_null(strstr(err.hint, "snappy"));
    assert_non_null(strstr(err.hint, "brotli"));
  }
}

static size_t zstd_size(int level, const uint8_t *bytes, size_t size) {
  aq_compressor compressor = {0};
  aq_buffer out = {NULL, 0, 0};
  aq_error err;
  assert_ok(aq_compress(&compressor, AQ_PQ_ZSTD, level, AQ_PAGE_WHOLE, bytes, size, &out, &err));
  assert_int_equal(ZSTD_getFrameContentSize(out.data, out.size), size);
  const size_t packed = out.size;
  aq_buffer_reset(&out);
  aq_compressor_reset(&compressor);
  return packed;
}

static void own_zstd_settings_come_near_level_19(void **state) {
  (void)state;
  const size_t size = AQ_PQ_BLOCK / 4;
  uint8_t *codes = malloc(size), *scales = malloc(size);
  for (size_t i = 0; i < size; i++) {
    codes[i] = code_at(i);
    /* FP32 near 1 with seven bits of mantissa */
    scales[i] = i % 4 == 3 ? 0x3F : i % 4 == 2 ? (uint8_t)(code_at(i) | 0x80) : 0;
  }
  assert_true((double)zstd_size(AQ_ZSTD_OWN_SETTINGS, codes, size) < 1.002 * (double)zstd_size(19, codes, size));
  assert_true((double)zstd_size(AQ_ZSTD_OWN_SETTINGS, scales, size) < 1.10 * (double)zstd_size(19, scales, size));
  free(codes);
  free(scales);
}

static void percent_saved_is_exact_at_the_limit(void **state) {
  (void)state;
  assert_true(aq_saves_percent(100, 97, 3));
  assert_false(aq_saves_percent(100, 98, 3));
  assert_false(aq_saves_percent(100, 101, 3));
  assert_false(aq_saves_percent(0, 0, 3));
}

static void page_past_two_gigabytes_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_buffer out = {NULL, 0, 0};
  assert_ok(aq_page_header(1, INT32_MAX, INT32_MAX, 0, &out, &err));
  assert_int_equal(aq_page_header(1, INT32_MAX, (uint64_t)INT32_MAX + 1, 0, &out, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_page_header(1, (uint64_t)INT32_MAX + 1, 1, 0, &out, &err), AQ_ERR_ARGUMENT);
  aq_buffer_reset(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(thrift_fields_have_the_bytes_of_the_specification),
      cmocka_unit_test(thrift_lists_count_short_and_long),
      cmocka_unit_test(thrift_nesting_too_deep_fails),
      cmocka_unit_test(levels_all_equal_are_one_run),
      cmocka_unit_test(levels_that_alternate_are_packed),
      cmocka_unit_test(codec_text_in_any_case_parses),
      cmocka_unit_test(codec_text_unknown_is_refused_with_the_choices),
      cmocka_unit_test(own_zstd_settings_come_near_level_19),
      cmocka_unit_test(percent_saved_is_exact_at_the_limit),
      cmocka_unit_test(page_past_two_gigabytes_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
