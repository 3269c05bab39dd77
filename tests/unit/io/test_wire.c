/* test_wire.c - fields of protocol buffers in memory. Those of files are in test_onnx.c. */
#include "check.h"
#include "io/wire.h"

#define BYTES(...) \
  (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]) { __VA_ARGS__ }

static aq_status read_next(const uint8_t *bytes, size_t size, aq_wire_field *field, aq_error *err) {
  static aq_wire wire;
  aq_wire_init_memory(&wire, bytes, size);
  return aq_wire_next(&wire, size, field, err);
}

static void field_of_memory_has_its_number_and_place(void **state) {
  (void)state;
  aq_error err;
  aq_wire_field field;
  assert_ok(read_next(BYTES(0x18, 0xAC, 0x02), &field, &err));
  assert_int_equal(field.number, 3);
  assert_int_equal(field.type, AQ_WIRE_VARINT);
  assert_int_equal(field.value, 300);
  assert_int_equal(field.end, 3);
  assert_ok(read_next(BYTES(0x15, 0, 0, 0x80, 0x3F), &field, &err));
  assert_int_equal(field.value, 0x3F800000);
  assert_int_equal(field.end, 5);
}

static void content_is_copied(void **state) {
  (void)state;
  aq_error err;
  aq_wire wire;
  aq_wire_field field;
  const uint8_t bytes[] = {0x0A, 3, 'a', 0, 'c', 0x0A, 0};
  uint8_t copy[3];
  aq_wire_init_memory(&wire, bytes, sizeof bytes);
  assert_ok(aq_wire_next(&wire, sizeof bytes, &field, &err));
  assert_int_equal(field.begin, 2);
  assert_ok(aq_wire_bytes(&wire, &field, copy, &err));
  assert_memory_equal(copy, "a\0c", 3);
  wire.at = field.end;
  assert_ok(aq_wire_next(&wire, sizeof bytes, &field, &err));
  assert_ok(aq_wire_bytes(&wire, &field, copy, &err));
  assert_int_equal(field.end, sizeof bytes);
}

static void damaged_bytes_are_refused(void **state) {
  (void)state;
  static const struct {
    uint8_t bytes[12];
    size_t size;
    aq_status status;
    const char *says;
  } cases[] = {{{0x0A, 5, 'a'}, 3, AQ_ERR_CORRUPT, "ends inside a field, at byte 3"},
               {{0x15, 0, 0}, 3, AQ_ERR_CORRUPT, "ends inside a field"},
               {{0x18}, 1, AQ_ERR_CORRUPT, "ends inside a field"},
               {{0x02, 0}, 2, AQ_ERR_FORMAT, "a tag is that of no field"},
               {{0x0B}, 1, AQ_ERR_FORMAT, "a type of the wire"},
               {{0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2}, 11, AQ_ERR_FORMAT, "64 bits"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    aq_error err;
    aq_wire_field field;
    assert_int_equal(read_next(cases[i].bytes, cases[i].size, &field, &err), cases[i].status);
    if (strstr(err.message, cases[i].says) == NULL) fail_msg("%s", err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(field_of_memory_has_its_number_and_place),
      cmocka_unit_test(content_is_copied),
      cmocka_unit_test(damaged_bytes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
