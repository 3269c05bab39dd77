/* test_utf8.c - the one reader of UTF-8: every character there and back, every pair of bytes beside the definition. */
#include "check.h"
#include "core/utf8.h"

static void characters_go_there_and_back(void **state) {
  (void)state;
  for (uint32_t c = 0; c <= 0x10FFFF; c++) {
    uint8_t bytes[4];
    size_t width;
    const size_t size = aq_utf8_put(c, bytes);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    assert_int_equal(size, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
    assert_int_equal(aq_utf8_length(bytes, size), surrogate ? 0 : size);
    assert_int_equal(aq_utf8_length(bytes, size - (size > 1)), size > 1 ? 0 : 1); /* cut short */
    assert_int_equal(aq_utf8_get(bytes, &width), c);
    assert_int_equal(width, size);
  }
}

/* Unicode, table 3-7, for sequences of two bytes. */
static void pairs_of_bytes_are_well_formed_or_not(void **state) {
  (void)state;
  for (unsigned first = 0; first < 256; first++) {
    for (unsigned second = 0; second < 256; second++) {
      const uint8_t pair[] = {(uint8_t)first, (uint8_t)second};
      const bool two = first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
      assert_int_equal(aq_utf8_length(pair, 2), first < 0x80 ? 1 : two ? 2 : 0);
      assert_int_equal(aq_utf8_valid(pair, 2), two ? 2 : first >= 0x80 ? 0 : second >= 0x80 ? 1 : 2);
    }
  }
}

static void lengths_are_bounded_by_the_size(void **state) {
  (void)state;
  static const char text[] = "0123456\xE4\xB8\xAD";
  assert_int_equal(aq_utf8_valid((const uint8_t *)text, 10), 10);
  for (size_t size = 7; size < 10; size++) assert_int_equal(aq_utf8_valid((const uint8_t *)text, size), 7);
  assert_true(aq_utf8_ok(text) && aq_utf8_ok(""));
  assert_false(aq_utf8_ok("0123456\xE4\xB8"));
}

static void repaired_texts_are_well_formed(void **state) {
  (void)state;
  for (unsigned seed = 0; seed < 2000; seed++) {
    uint8_t bytes[24];
    aq_buffer out = {NULL, 0, 0};
    aq_error err;
    uint32_t x = seed * 2654435761u + 1;
    for (size_t i = 0; i < sizeof bytes; i++, x = x * 1664525u + 1013904223u)
      bytes[i] = (uint8_t)(x >> 24 | (x >> 8 & 0x80));
    assert_ok(aq_utf8_repair(bytes, sizeof bytes, &out, &err));
    assert_int_equal(aq_utf8_valid(out.data, out.size), out.size);
    aq_buffer again = {NULL, 0, 0};
    assert_ok(aq_utf8_repair(out.data, out.size, &again, &err)); /* what is well formed stays */
    assert_int_equal(again.size, out.size);
    assert_memory_equal(again.data, out.data, out.size);
    aq_buffer_reset(&out);
    aq_buffer_reset(&again);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(characters_go_there_and_back),
      cmocka_unit_test(pairs_of_bytes_are_well_formed_or_not),
      cmocka_unit_test(lengths_are_bounded_by_the_size),
      cmocka_unit_test(repaired_texts_are_well_formed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
