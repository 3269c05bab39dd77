/* test_base64.c - the vectors of RFC 4648, every byte, and what is no base64. */
#include "check.h"
#include "core/base64.h"
#include "core/compiler.h"

static const char *const vectors[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}};

static void vectors_of_the_rfc_go_both_ways(void **state) {
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(vectors); i++) {
    char text[16];
    uint8_t bytes[16];
    size_t size;
    const size_t length = strlen(vectors[i][0]);
    assert_int_equal(aq_base64_length(length), strlen(vectors[i][1]));
    aq_base64_encode((const uint8_t *)vectors[i][0], length, text);
    assert_string_equal(text, vectors[i][1]);
    assert_true(aq_base64_decode(text, strlen(text), bytes, &size));
    assert_int_equal(size, length);
    assert_memory_equal(bytes, vectors[i][0], length);
  }
}

/* All pairs of a byte and its neighbour, at each place in a group. The buffer is as large as promised. */
static void bytes_of_any_value_and_count_come_back(void **state) {
  (void)state;
  for (size_t size = 0; size <= 260; size++) {
    uint8_t bytes[260];
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(i * 151 + size);
    char *text = malloc(aq_base64_length(size) + 1);
    assert_non_null(text);
    aq_base64_encode(bytes, size, text);
    assert_int_equal(strlen(text), aq_base64_length(size));
    uint8_t *back = malloc(aq_base64_room(strlen(text)) + 1);
    assert_non_null(back);
    size_t found;
    assert_true(aq_base64_decode(text, strlen(text), back, &found));
    assert_int_equal(found, size);
    assert_true(found <= aq_base64_room(strlen(text)));
    assert_memory_equal(back, bytes, size);
    free(back);
    free(text);
  }
}

static void decode_refuses_what_is_no_base64(void **state) {
  (void)state;
  static const char *const wrong[] = {"Z",         "Zg",      "Zg=",     "Zg==Zg==", "Z===",    "====", "Zm9v\n",
                                      "Zm9vYg=\n", "Zm 9",    "Zm-v",    "Zm_v",     "Zh==",    "Zm9=", "Zm=v",
                                      "=m9v",      "Zm9\x80", "Zm9vZm9", "Zg==Zm9v", "Zm9v===="};
  for (size_t i = 0; i < AQ_COUNT_OF(wrong); i++) {
    uint8_t bytes[16];
    size_t size;
    if (aq_base64_decode(wrong[i], strlen(wrong[i]), bytes, &size)) fail_msg("'%s' was taken", wrong[i]);
  }
  static const char zero[4] = {'Z', 'm', '\0', 'v'};
  uint8_t bytes[4];
  size_t size;
  assert_false(aq_base64_decode(zero, sizeof zero, bytes, &size));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vectors_of_the_rfc_go_both_ways),
      cmocka_unit_test(bytes_of_any_value_and_count_come_back),
      cmocka_unit_test(decode_refuses_what_is_no_base64),
  };
  return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
