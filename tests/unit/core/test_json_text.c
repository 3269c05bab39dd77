/* test_json_text.c - JSON as Python writes it: bare words, and integers of any length. */
#include <stdlib.h>

#include "check.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/json_text.h"

static aq_error err;

static json_t *parse(const char *text) {
  json_t *value = NULL;
  assert_ok(aq_json_parse_python(text, strlen(text), &value, &err));
  return value;
}

static void long_integers_are_reals_of_either_sign(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double value;
  } rows[] = {{"{\"a\":12345678901234567890123}", 12345678901234567890123.0},
              {"{\"a\":-12345678901234567890123}", -12345678901234567890123.0},
              {"{\"a\":-12345678901234567890123.5}", -12345678901234567890123.5},
              {"{\"a\":-12345678901234567890123e2,\"b\":NaN}", -12345678901234567890123e2},
              {"{\"a\":0.1234567890123456789012345,\"b\":NaN}", 0.1234567890123456789012345},
              {"{\"a\":1e-00000000000000000000007,\"b\":NaN}", 1e-7},
              {"{\"a\":1E+00000000000000000000007,\"b\":NaN}", 1e7}};
  for (size_t i = 0; i < AQ_COUNT_OF(rows); i++) {
    json_t *object = parse(rows[i].text);
    assert_true(json_is_real(json_object_get(object, "a")));
    assert_true(json_real_value(json_object_get(object, "a")) == rows[i].value);
    json_decref(object);
  }
}

static void texts_are_no_numbers(void **state) {
  (void)state;
  json_t *object = parse("{\"a\":\"-12345678901234567890123, \\\"NaN\",\"b\":NaN}");
  assert_string_equal(json_string_value(json_object_get(object, "a")), "-12345678901234567890123, \"NaN");
  assert_string_equal(json_string_value(json_object_get(object, "b")), "NaN");
  json_decref(object);
}

/* A number of eight million digits takes a moment, not the hours of looking at each digit from each digit. */
static void digits_are_looked_at_once(void **state) {
  (void)state;
  static const char head[] = "{\"b\":NaN,\"a\":0.", tail[] = "}";
  const size_t digits = 8000000, size = sizeof head - 1 + digits + sizeof tail - 1;
  char *text = malloc(size);
  memcpy(text, head, sizeof head - 1);
  memset(text + sizeof head - 1, '1', digits);
  memcpy(text + size - (sizeof tail - 1), tail, sizeof tail - 1);
  json_t *object = NULL;
  assert_ok(aq_json_parse_python(text, size, &object, &err));
  assert_true(json_real_value(json_object_get(object, "a")) == 1.0 / 9);
  json_decref(object);
  free(text);
}

static void a_text_that_stays_wrong_leaves_nothing(void **state) {
  (void)state;
  static const char *const texts[] = {"{\"a\":--1}", "{\"a\":- 12345678901234567890123}", "{\"a\":Infinity5}", "[NaN]"};
  for (size_t i = 0; i < AQ_COUNT_OF(texts); i++) {
    json_t *object = NULL;
    assert_int_equal(aq_json_parse_python(texts[i], strlen(texts[i]), &object, &err), AQ_ERR_FORMAT);
    assert_null(object);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(long_integers_are_reals_of_either_sign),
      cmocka_unit_test(texts_are_no_numbers),
      cmocka_unit_test(digits_are_looked_at_once),
      cmocka_unit_test(a_text_that_stays_wrong_leaves_nothing),
  };
  return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}
