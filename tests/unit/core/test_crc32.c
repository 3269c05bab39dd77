/* test_crc32.c - our CRC-32 against zlib's, at every short length, alignment and start. */
#include "check.h"

#include <zlib.h>

#include "core/crc32.h"

static void crc32_known_values(void **state) {
  (void)state;
  assert_int_equal(aq_crc32(0, "123456789", 9), 0xcbf43926); /* the check value of every CRC catalogue */
  assert_int_equal(aq_crc32(0, NULL, 0), 0);
  assert_int_equal(aq_crc32(0xdeadbeef, NULL, 0), 0xdeadbeef);
}

static void crc32_equals_zlib_at_every_length_and_alignment(void **state) {
  (void)state;
  static uint8_t bytes[1500];
  uint32_t random = 1;
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
  for (size_t start = 0; start < 17; start++) {
    for (size_t size = 0; size < 1400; size++) {
      const uint32_t crc = size % 3 == 0 ? 0 : (uint32_t)(size * 2654435761u);
      if (aq_crc32(crc, bytes + start, size) != crc32_z(crc, bytes + start, size)) {
        fail_msg("start %zu, size %zu", start, size);
      }
    }
  }
}

static void crc32_equals_zlib_on_extreme_bytes(void **state) {
  (void)state;
  static uint8_t bytes[70000];
  for (int value = 0; value <= 0xff; value += 0xff) {
    memset(bytes, value, sizeof bytes);
    assert_int_equal(aq_crc32(0, bytes, sizeof bytes), crc32_z(0, bytes, sizeof bytes));
    assert_int_equal(aq_crc32(0xffffffff, bytes, sizeof bytes), crc32_z(0xffffffff, bytes, sizeof bytes));
  }
}

static void crc32_pieces_join(void **state) {
  (void)state;
  static uint8_t bytes[5000];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * i >> 3);
  const uint32_t whole = aq_crc32(0, bytes, sizeof bytes);
  for (size_t cut = 0; cut <= sizeof bytes; cut += 37) {
    const uint32_t first = aq_crc32(0, bytes, cut), second = aq_crc32(0, bytes + cut, sizeof bytes - cut);
    assert_int_equal(aq_crc32(first, bytes + cut, sizeof bytes - cut), whole);
    assert_int_equal(aq_crc32_combine(first, second, sizeof bytes - cut), whole);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(crc32_known_values),
      cmocka_unit_test(crc32_equals_zlib_at_every_length_and_alignment),
      cmocka_unit_test(crc32_equals_zlib_on_extreme_bytes),
      cmocka_unit_test(crc32_pieces_join),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
