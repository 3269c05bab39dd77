/* test_gguf_pairs.c - pairs of JSON as bytes of a GGUF file, and JSON that a hostile table may carry. */
#include "check.h"

#include "core/bytes.h"
#include "io/gguf/gguf_pairs.h"

static aq_error err;

static aq_status write_text(const char *text, aq_buffer *out, uint64_t *count) {
  json_t *pairs = json_loads(text, 0, NULL);
  assert_non_null(pairs);
  *count = 0;
  const aq_status status = aq_gguf_pairs_write(pairs, out, count, &err);
  json_decref(pairs);
  return status;
}

static void expect(const char *text, const void *bytes, size_t size) {
  aq_buffer out = {NULL, 0, 0};
  uint64_t count;
  assert_ok(write_text(text, &out, &count));
  assert_int_equal(count, 1);
  assert_int_equal(out.size, 9 + size); /* after the key "k" */
  assert_memory_equal(out.data, "\1\0\0\0\0\0\0\0k", 9);
  assert_memory_equal(out.data + 9, bytes, size);
  aq_buffer_reset(&out);
}

static void values_have_the_bytes_of_their_types(void **state) {
  (void)state;
  expect("{\"k\": {\"type\": \"uint8\", \"value\": 255}}", "\0\0\0\0\xff", 5);
  expect("{\"k\": {\"type\": \"int16\", \"value\": -2}}", "\3\0\0\0\xfe\xff", 6);
  expect("{\"k\": {\"type\": \"uint32\", \"value\": 4294967295}}", "\4\0\0\0\xff\xff\xff\xff", 8);
  expect("{\"k\": {\"type\": \"float32\", \"value\": 1}}", "\6\0\0\0\0\0\x80\x3f", 8);
  expect("{\"k\": {\"type\": \"float32\", \"value\": \"-Infinity\"}}", "\6\0\0\0\0\0\x80\xff", 8);
  expect("{\"k\": {\"type\": \"bool\", \"value\": true}}", "\7\0\0\0\1", 5);
  expect("{\"k\": {\"type\": \"string\", \"value\": \"ab\"}}", "\10\0\0\0\2\0\0\0\0\0\0\0ab", 14);
  expect("{\"k\": {\"type\": \"int64\", \"value\": -1}}", "\13\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12);
  expect("{\"k\": {\"type\": \"array\", \"of\": \"int8\", \"value\": [-128, 127]}}",
         "\11\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\x80\x7f", 18);
  expect("{\"k\": {\"type\": \"array\", \"of\": \"string\", \"value\": []}}", "\11\0\0\0\10\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void values_that_are_not_of_their_type_are_refused_by_key(void **state) {
  (void)state;
  static const char *const texts[] = {"{\"k\": 1}",
                                      "{\"k\": {}}",
                                      "{\"k\": {\"type\": \"uint8\"}}",
                                      "{\"k\": {\"type\": \"uint8\", \"value\": 256}}",
                                      "{\"k\": {\"type\": \"uint8\", \"value\": -1}}",
                                      "{\"k\": {\"type\": \"int8\", \"value\": 128}}",
                                      "{\"k\": {\"type\": \"uint64\", \"value\": -1}}",
                                      "{\"k\": {\"type\": \"uint32\", \"value\": 1.5}}",
                                      "{\"k\": {\"type\": \"float32\", \"value\": \"nan\"}}",
                                      "{\"k\": {\"type\": \"bool\", \"value\": 1}}",
                                      "{\"k\": {\"type\": \"string\", \"value\": 1}}",
                                      "{\"k\": {\"type\": \"text\", \"value\": \"\"}}",
                                      "{\"k\": {\"type\": \"array\", \"of\": \"int8\", \"value\": 1}}",
                                      "{\"k\": {\"type\": \"array\", \"value\": [1]}}",
                                      "{\"k\": {\"type\": \"array\", \"of\": \"array\", \"value\": [[1]]}}",
                                      "{\"k\": {\"type\": \"array\", \"of\": \"int8\", \"value\": [1, 300]}}"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    aq_buffer out = {NULL, 0, 0};
    uint64_t count;
    assert_int_equal(write_text(texts[i], &out, &count), AQ_ERR_FORMAT);
    assert_non_null(strstr(err.message, "metadata key 'k': "));
    aq_buffer_reset(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_have_the_bytes_of_their_types),
      cmocka_unit_test(values_that_are_not_of_their_type_are_refused_by_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
