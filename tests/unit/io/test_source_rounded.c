/* test_source_rounded.c - values of FP32 come out as BF16 holds them, everything else as it is stored. */
#include "core/bytes.h"
#include "io/source_rounded.h"
#include "source_fixture.h"

static const float values[6] = {1.0F, 1.00390625F, 1.01171875F, -3.14159274F, 0, 1e-40F};
/* 1 + 2^-8 is half way between 1 and 1 + 2^-7, and goes to the even of them; 1 + 3 * 2^-8 goes up to 1 + 2^-6. */
static const float rounded[6] = {1.0F, 1.0F, 1.015625F, -3.140625F, 0, 0x1p-133F};

static void values_of_fp32_are_rounded(void **state) {
  (void)state;
  aq_error err;
  aq_source *base = make_source(), *source;
  float out[6];
  add_f32(base, "a", 2, 3, values);
  add_f32(base, "b", 6, 0, values);
  assert_true(aq_source_has_fp32(base));
  assert_ok(aq_source_round_bf16(base, &source, &err));
  aq_source_close(base); /* it is held */
  for (size_t i = 0; i < 2; i++) {
    assert_ok(aq_source_read_f32(source, i, 0, 6, out, &err));
    assert_memory_equal(out, rounded, sizeof out);
    assert_ok(aq_source_read_f32(source, i, 3, 2, out, &err));
    assert_memory_equal(out, rounded + 3, 2 * sizeof *out);
  }
  aq_tensor tensor;
  assert_ok(aq_source_load(source, 1, &tensor, &err));
  assert_memory_equal(tensor.data, rounded, sizeof rounded);
  aq_tensor_release(&tensor);
  assert_int_equal(aq_source_read_bytes(source, 0, 2, 4, out, &err), AQ_ERR_UNSUPPORTED);
  aq_source_close(source);
}

static void values_of_other_types_are_not(void **state) {
  (void)state;
  static const uint16_t halves[3] = {0x3c01, 0xbc03, 0x0001};
  aq_error err;
  aq_source *base = make_source(), *source;
  const aq_tensor_info info = {.name = "h", .dtype = AQ_F16, .rank = 1, .shape = {3}};
  float before[3], after[3];
  uint16_t bytes[3];
  assert_ok(aq_source_add(base, &info, halves, &err));
  assert_false(aq_source_has_fp32(base));
  assert_ok(aq_source_round_bf16(base, &source, &err));
  assert_ok(aq_source_read_f32(base, 0, 0, 3, before, &err));
  assert_ok(aq_source_read_f32(source, 0, 0, 3, after, &err));
  assert_memory_equal(before, after, sizeof before);
  assert_ok(aq_source_read_bytes(source, 0, 0, 6, bytes, &err));
  assert_memory_equal(bytes, halves, sizeof bytes);
  aq_source_close(source);
  aq_source_close(base);
}

/* More than is rounded at a time. */
static void long_tensors_are_rounded_everywhere(void **state) {
  (void)state;
  enum { COUNT = 3000 };
  static float many[COUNT], out[COUNT];
  aq_error err;
  aq_source *base = make_source(), *source;
  fill_noise(many, COUNT, 3);
  add_f32(base, "m", COUNT, 0, many);
  assert_ok(aq_source_round_bf16(base, &source, &err));
  assert_ok(aq_source_read_f32(source, 0, 0, COUNT, out, &err));
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(aq_f32_bits(out[i]) & 0xffff, 0);
    assert_true(out[i] - many[i] <= 0x1p-8F && many[i] - out[i] <= 0x1p-8F);
  }
  aq_source_close(source);
  aq_source_close(base);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_of_fp32_are_rounded),
      cmocka_unit_test(values_of_other_types_are_not),
      cmocka_unit_test(long_tensors_are_rounded_everywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
