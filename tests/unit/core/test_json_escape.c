/* test_json_escape.c - the escapes of JSON, whole, cut short and wrong. */
#include <string.h>

#include "check.h"
#include "core/json_escape.h"

static size_t unescape(const char *text, uint32_t *c) {
  *c = 0;
  return aq_json_unescape((const uint8_t *)text, strlen(text), c);
}

static void each_escape_has_its_character(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t length;
    uint32_t c;
  } rows[] = {
      {"\\\"", 2, '"'},
      {"\\\\", 2, '\\'},
      {"\\/", 2, '/'},
      {"\\b", 2, '\b'},
      {"\\f", 2, '\f'},
      {"\\n", 2, '\n'},
      {"\\r", 2, '\r'},
      {"\\t", 2, '\t'},
      {"\\nx", 2, '\n'},
      {"\\u0000", 6, 0},
      {"\\u00e9", 6, 0xE9},
      {"\\u20AC1", 6, 0x20AC},
      {"\\ud83d\\uDE00", 12, 0x1F600},
      {"\\udbff\\udfff!", 12, 0x10FFFF},
      /* half of a pair */
      {"\\ud83d", 6, 0xD83D},
      {"\\ude00\\ud83d", 6, 0xDE00},
      {"\\ud83d\\u0041", 6, 0xD83D},
      {"\\ud83d\\ude0", 6, 0xD83D},
      {"\\ud83dxude00", 6, 0xD83D},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint32_t c;
    assert_int_equal(unescape(rows[i].text, &c), rows[i].length);
    assert_int_equal(c, rows[i].c);
  }
}

static void what_json_does_not_have_is_no_escape(void **state) {
  (void)state;
  static const char *const texts[] = {"", "\\", "n", "nn", "\\a", "\\N", "\\u", "\\u123", "\\u12g4", "\\U0041", "\\ x"};
  uint32_t c;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_int_equal(unescape(texts[i], &c), 0);
  assert_int_equal(aq_json_unescape((const uint8_t *)"\\\0", 2, &c), 0);
  assert_int_equal(aq_json_unescape((const uint8_t *)"\\u0041", 5, &c), 0); /* the size counts, not the text */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_escape_has_its_character),
      cmocka_unit_test(what_json_does_not_have_is_no_escape),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
