/* test_json_set.c - one member of an object is set, and every other byte stays. */
#include "check.h"

#include "core/json_set.h"

static aq_error err;

static void expect(const char *text, const char *key, const char *value, const char *expected) {
  aq_buffer out = {NULL, 0, 0};
  assert_ok(aq_json_set(text, strlen(text), key, value, &out, &err));
  assert_int_equal(out.size, strlen(expected));
  assert_memory_equal(out.data, expected, out.size);
  aq_buffer_reset(&out);
}

static void refused(const char *text) {
  aq_buffer out = {NULL, 0, 0};
  assert_int_equal(aq_json_set(text, strlen(text), "a", "1", &out, &err), AQ_ERR_FORMAT);
  assert_string_equal(err.message, "the JSON text is not an object");
  aq_buffer_reset(&out);
}

static void member_that_is_there_gets_the_value(void **state) {
  (void)state;
  expect("{\"a\": 1, \"b\": 2}", "a", "[3]", "{\"a\": [3], \"b\": 2}");
  expect("{\"a\": 1, \"b\": 2}", "b", "\"x\"", "{\"a\": 1, \"b\": \"x\"}");
  expect(" {\n \"b\" : {\"c\":[1,{\"d\":2}]} ,\"a\":NaN}\n", "b", "null", " {\n \"b\" : null,\"a\":NaN}\n");
}

static void member_that_is_not_there_comes_first(void **state) {
  (void)state;
  expect("{}", "a", "1", "{\n  \"a\": 1\n}");
  expect("{ }\n", "a", "1", "{\n  \"a\": 1\n }\n");
  expect("{\"b\": 1e-05}", "a", "1", "{\n  \"a\": 1, \"b\": 1e-05}");
  expect("{\n  \"b\": 12345678901234567890.0}", "a", "1", "{\n  \"a\": 1,\n  \"b\": 12345678901234567890.0}");
}

static void brackets_and_keys_in_strings_and_deeper_objects_are_no_members(void **state) {
  (void)state;
  expect("{\"b\": \"\\\"a\\\": }, {\", \"c\": {\"a\": 1}, \"a\": 2}", "a", "3",
         "{\"b\": \"\\\"a\\\": }, {\", \"c\": {\"a\": 1}, \"a\": 3}");
  expect("{\"b\": {\"a\": 1}}", "a", "3", "{\n  \"a\": 3, \"b\": {\"a\": 1}}");
  expect("{\"aa\": 1, \"b\": \"a\"}", "a", "3", "{\n  \"a\": 3, \"aa\": 1, \"b\": \"a\"}");
}

static void text_that_is_no_object_or_ends_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"",          "  ",           "[1]",          "{",           "{\"a",     "{\"a\"",
                                      "{\"a\": 1", "{\"a\": \"1}", "{\"a\": [1}",  "{\"a\": {1}", "{\"a\\\"", "{1: 2}",
                                      "{\"a\" 1}", "{\"b\": 1, ",  "{\"b\": 1, x", "{\"a\": \"\\"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) refused(texts[i]);
}

static void expect_removed(const char *text, const char *expected) {
  aq_buffer out = {NULL, 0, 0};
  assert_ok(aq_json_remove(text, strlen(text), "a", &out, &err));
  assert_int_equal(out.size, strlen(expected));
  assert_memory_equal(out.data, expected, out.size);
  aq_buffer_reset(&out);
}

static void member_is_removed_with_its_comma(void **state) {
  (void)state;
  expect_removed("{\"a\": 1}", "{}");
  expect_removed("{\n  \"a\": {\"b\": [1, 2]},\n  \"b\": 2\n}\n", "{\n  \"b\": 2\n}\n");
  expect_removed("{\n  \"b\": 2,\n  \"a\": 1\n}\n", "{\n  \"b\": 2\n}\n");
  expect_removed("{\"b\":NaN,\"a\":[\"}\"],\"c\":3}", "{\"b\":NaN,\"c\":3}");
  expect_removed("{\"b\": {\"a\": 1}, \"aa\": \"a\"}", "{\"b\": {\"a\": 1}, \"aa\": \"a\"}");
  aq_buffer out = {NULL, 0, 0};
  assert_int_equal(aq_json_remove("{\"a\": 1", 7, "a", &out, &err), AQ_ERR_FORMAT);
  aq_buffer_reset(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(member_that_is_there_gets_the_value),
      cmocka_unit_test(member_that_is_not_there_comes_first),
      cmocka_unit_test(brackets_and_keys_in_strings_and_deeper_objects_are_no_members),
      cmocka_unit_test(member_is_removed_with_its_comma),
      cmocka_unit_test(text_that_is_no_object_or_ends_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
