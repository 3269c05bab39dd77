/* test_thrift_read.c - the Thrift compact protocol, reading side. */
#include "check.h"
#include "core/compiler.h"
#include "parquet/format.h"
#include "parquet/read/thrift_read.h"

static aq_thrift start(const uint8_t *bytes, size_t size) {
  aq_thrift t;
  aq_thrift_init(&t, bytes, size);
  return t;
}

static void fields_of_every_type_are_read(void **state) {
  (void)state;
  static const uint8_t bytes[] = {0x15, 0x01,             /* 1: i32 -1 */
                                  0x26, 0x80, 0x01,       /* 3: i64 64 */
                                  0x11, 0x12,             /* 4: true, 5: false */
                                  0x18, 0x02, 'h',  'i',  /* 6: "hi" */
                                  0x05, 0x90, 0x03, 0x0a, /* 200, in full: i32 5 */
                                  0x13, 0xfe,             /* 201: byte -2 */
                                  0x00};
  aq_thrift t = start(bytes, sizeof bytes);
  aq_thrift_field f = {0, 0};
  assert_true(aq_thrift_next(&t, &f) && f.id == 1 && aq_thrift_i32(&t, &f) == -1);
  assert_true(aq_thrift_next(&t, &f) && f.id == 3 && aq_thrift_i64(&t, &f) == 64);
  assert_true(aq_thrift_next(&t, &f) && f.id == 4 && aq_thrift_bool(&t, &f));
  assert_true(aq_thrift_next(&t, &f) && f.id == 5 && !aq_thrift_bool(&t, &f));
  assert_true(aq_thrift_next(&t, &f) && f.id == 6);
  const aq_thrift_text text = aq_thrift_binary(&t, &f);
  assert_int_equal(text.size, 2);
  assert_memory_equal(text.bytes, "hi", 2);
  assert_true(aq_thrift_next(&t, &f) && f.id == 200 && aq_thrift_i32(&t, &f) == 5);
  assert_true(aq_thrift_next(&t, &f) && f.id == 201 && aq_thrift_i32(&t, &f) == -2);
  assert_false(aq_thrift_next(&t, &f));
  assert_null(t.problem);
  assert_int_equal(aq_thrift_used(&t), sizeof bytes);
}

static void unknown_fields_are_skipped(void **state) {
  (void)state;
  static const uint8_t bytes[] = {0x17, 0,    0,    0,    0,    0,    0, 0, 0, /* double */
                                  0x19, 0x21, 0x01, 0x02,                      /* list of two bools */
                                  0x1a, 0x25, 0x02, 0x04,                      /* set of two i32 */
                                  0x1b, 0x01, 0x85, 0x01, 'k',  0x02,          /* map of binary to i32, one pair */
                                  0x1b, 0x00,                                  /* empty map: no type byte */
                                  0x1c, 0x1c, 0x15, 0x02, 0x00, 0x00,          /* struct in struct */
                                  0x15, 0x0e, 0x00};
  aq_thrift t = start(bytes, sizeof bytes);
  aq_thrift_field f = {0, 0};
  for (int id = 1; id <= 6; id++) {
    assert_true(aq_thrift_next(&t, &f) && f.id == id);
    aq_thrift_skip(&t, &f);
  }
  assert_true(aq_thrift_next(&t, &f) && f.id == 7 && aq_thrift_i32(&t, &f) == 7);
  assert_false(aq_thrift_next(&t, &f));
  assert_null(t.problem);
}

static void input_cut_anywhere_is_a_problem(void **state) {
  (void)state;
  static const uint8_t bytes[] = {0x15, 0x80, 0x02, 0x18, 0x03, 'a', 'b', 'c', 0x19, 0x1c, 0x15, 0x02, 0x00, 0x00};
  for (size_t size = 0; size < sizeof bytes; size++) {
    aq_thrift t = start(bytes, size);
    for (aq_thrift_field f = {0, 0}; aq_thrift_next(&t, &f);) aq_thrift_skip(&t, &f);
    assert_non_null(t.problem);
    assert_true(t.at <= t.end);
  }
}

static void deep_nesting_is_a_problem(void **state) {
  (void)state;
  uint8_t bytes[1000];
  memset(bytes, 0x1c, sizeof bytes);
  aq_thrift t = start(bytes, sizeof bytes);
  aq_thrift_field f = {0, 0};
  assert_true(aq_thrift_next(&t, &f));
  aq_thrift_skip(&t, &f);
  assert_string_equal(t.problem, "nests too deep");
  memset(bytes, 0x19, sizeof bytes); /* lists of lists */
  t = start(bytes, sizeof bytes);
  f = (aq_thrift_field){0, 0};
  assert_true(aq_thrift_next(&t, &f));
  aq_thrift_skip(&t, &f);
  assert_string_equal(t.problem, "nests too deep");
}

static void counts_above_the_input_are_a_problem(void **state) {
  (void)state;
  static const uint8_t list[] = {0x19, 0xfc, 0xff, 0xff, 0x03, 0x00}, text[] = {0x18, 0x05, 'a', 'b'},
                       map[] = {0x1b, 0xff, 0xff, 0x7f, 0x88, 0x00};
  aq_thrift_field f = {0, 0};
  aq_thrift t = start(list, sizeof list);
  assert_true(aq_thrift_next(&t, &f));
  assert_int_equal(aq_thrift_list(&t, &f, AQ_TH_STRUCT), 0);
  assert_non_null(t.problem);
  f = (aq_thrift_field){0, 0};
  t = start(text, sizeof text);
  assert_true(aq_thrift_next(&t, &f));
  assert_int_equal(aq_thrift_binary(&t, &f).size, 0);
  assert_non_null(t.problem);
  f = (aq_thrift_field){0, 0};
  t = start(map, sizeof map);
  assert_true(aq_thrift_next(&t, &f));
  aq_thrift_skip(&t, &f);
  assert_non_null(t.problem);
}

static void wrong_types_and_numbers_are_a_problem(void **state) {
  (void)state;
  static const uint8_t wide[] = {0x16, 0x80, 0x80, 0x80, 0x80, 0x40},
                       endless[] = {0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
                       unknown[] = {0x1d, 0x00}, text[] = {0x18, 0x00};
  const struct {
    const uint8_t *bytes;
    size_t size;
  } inputs[] = {{wide, sizeof wide}, {endless, sizeof endless}, {unknown, sizeof unknown}, {text, sizeof text}};
  for (size_t i = 0; i < AQ_COUNT_OF(inputs); i++) {
    aq_thrift t = start(inputs[i].bytes, inputs[i].size);
    aq_thrift_field f = {0, 0};
    if (aq_thrift_next(&t, &f)) assert_int_equal(aq_thrift_i32(&t, &f), 0);
    assert_non_null(t.problem);
    assert_int_equal(aq_thrift_i64(&t, &f), 0); /* sticky */
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_of_every_type_are_read),        cmocka_unit_test(unknown_fields_are_skipped),
      cmocka_unit_test(input_cut_anywhere_is_a_problem),      cmocka_unit_test(deep_nesting_is_a_problem),
      cmocka_unit_test(counts_above_the_input_are_a_problem), cmocka_unit_test(wrong_types_and_numbers_are_a_problem),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
