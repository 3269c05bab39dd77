/* test_arrow_message.c - the Arrow schema of a table of vectors, read by the rules of flatbuffers. */
#include "io/arrow/arrow_message.h"

#include "check.h"
#include "core/bytes.h"
#include "core/memory.h"
#include "faulty_allocator.h"

static size_t decode(const char *text, uint8_t *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t size = 0;
  uint32_t bits = 0;
  unsigned have = 0;
  for (; *text != '\0' && *text != '='; text++) {
    const char *digit = strchr(digits, *text);
    assert_non_null(digit);
    bits = bits << 6 | (uint32_t)(digit - digits);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out[size++] = (uint8_t)(bits >> have);
  }
  return size;
}

static const uint8_t *follow(const uint8_t *at) {
  assert_int_equal((uintptr_t)at % 4, 0);
  return at + aq_load_u32(at);
}

/* Field `i` of a table; NULL when it is left out. */
static const uint8_t *field(const uint8_t *table, size_t i) {
  const uint8_t *vtable = table - (int32_t)aq_load_u32(table);
  if (4 + 2 * i >= aq_load_u16(vtable)) return NULL;
  const uint16_t at = aq_load_u16(vtable + 4 + 2 * i);
  assert_true(at < aq_load_u16(vtable + 2));
  return at != 0 ? table + at : NULL;
}

static void expect_field(const uint8_t *f, const char *name, uint8_t type, uint32_t children) {
  const uint8_t *text = follow(field(f, 0));
  assert_int_equal(aq_load_u32(text), strlen(name));
  assert_string_equal((const char *)text + 4, name);
  assert_int_equal(*field(f, 1), 1); /* nullable */
  assert_int_equal(*field(f, 2), type);
  assert_null(field(f, 4)); /* dictionary */
  assert_int_equal(aq_load_u32(follow(field(f, 5))), children);
}

static void message_names_columns_and_types(void **state) {
  (void)state;
  static const uint32_t dimensions[] = {1, 384, 65536};
  for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++) {
    aq_error err;
    char *text;
    _Alignas(8) uint8_t bytes[1024];
    assert_ok(aq_arrow_message_make("text", "embedding", dimensions[i], &text, &err));
    assert_int_equal(strlen(text) % 4, 0);
    const size_t size = decode(text, bytes);
    aq_free(text);
    assert_int_equal(aq_load_u32(bytes), UINT32_MAX);
    assert_int_equal(aq_load_u32(bytes + 4), size - 8);
    assert_int_equal(size % 8, 0);
    const uint8_t *message = follow(bytes + 8);
    assert_int_equal(aq_load_u16(field(message, 0)), 4); /* version 5 */
    assert_int_equal(*field(message, 1), 1);             /* a schema */
    const uint8_t *columns = follow(field(follow(field(message, 2)), 1));
    assert_int_equal(aq_load_u32(columns), 2);
    expect_field(follow(columns + 4), "text", 5, 0);
    const uint8_t *list = follow(columns + 8);
    expect_field(list, "embedding", 16, 1);
    assert_int_equal(aq_load_u32(field(follow(field(list, 3)), 0)), dimensions[i]);
    const uint8_t *element = follow(follow(field(list, 5)) + 4);
    expect_field(element, "element", 3, 0);
    assert_int_equal(aq_load_u16(field(follow(field(element, 3)), 0)), 1); /* single precision */
  }
}

static void message_of_the_longest_names_fits(void **state) {
  (void)state;
  static const char name[] = "abcdefghijklmnopqrstuvwxyz012345";
  aq_error err;
  char *text;
  uint8_t bytes[1024];
  assert_int_equal(strlen(name), 32);
  assert_ok(aq_arrow_message_make(name, name, 7, &text, &err));
  assert_true(decode(text, bytes) <= 8 + 512);
  aq_free(text);
}

static void message_without_memory_says_so(void **state) {
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_error err;
  char *text;
  aq_set_allocator(&faulty);
  atomic_store(&countdown, 1);
  const aq_status status = aq_arrow_message_make("text", "embedding", 3, &text, &err);
  aq_set_allocator(NULL);
  assert_int_equal(status, AQ_ERR_MEMORY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(message_names_columns_and_types),
      cmocka_unit_test(message_of_the_longest_names_fits),
      cmocka_unit_test(message_without_memory_says_so),
  };
  return cmocka_run_group_tests_name("Arrow message", tests, NULL, NULL);
}
