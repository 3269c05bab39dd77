/* test_tensor.c - dtypes, quantization types, shapes, names of parts. */
#include "check.h"

#include "core/memory.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

static void dtype_names_go_both_ways(void **state) {
  (void)state;
  for (int d = AQ_F64; d <= AQ_BOOL; d++) {
    const aq_dtype dtype = (aq_dtype)d;
    assert_int_equal(aq_dtype_from_name(aq_dtype_name(dtype)), dtype);
    assert_int_equal(aq_dtype_from_name(aq_dtype_name(dtype) + strlen("torch.")), dtype);
    assert_int_equal(aq_dtype_from_safetensors(aq_dtype_safetensors_name(dtype)), dtype);
    assert_true(aq_dtype_size(dtype) > 0);
  }
  assert_int_equal(aq_dtype_from_name("torch.complex64"), AQ_DTYPE_INVALID);
  assert_int_equal(aq_dtype_from_name("invalid"), AQ_DTYPE_INVALID);
  assert_int_equal(aq_dtype_from_safetensors("F128"), AQ_DTYPE_INVALID);
  assert_int_equal(aq_dtype_from_safetensors(""), AQ_DTYPE_INVALID);
  assert_string_equal(aq_dtype_name((aq_dtype)1000), "invalid");
  assert_int_equal(aq_dtype_size(AQ_F32), 4);
  assert_int_equal(aq_dtype_size(AQ_BF16), 2);
  assert_int_equal(aq_dtype_size(AQ_BOOL), 1);
}

static void quant_types_have_their_ranges(void **state) {
  (void)state;
  static const struct {
    const char *name;
    aq_quant_type type;
    int bits, min, max;
  } rows[] = {{"int8", AQ_INT8, 8, -128, 127}, {"INT4", AQ_INT4, 4, -8, 7}, {"int3", AQ_INT3, 3, -4, 3},
              {"int2", AQ_INT2, 2, -2, 1},     {"fp16", AQ_KEPT, 0, 0, 0},  {"fp32", AQ_KEPT, 0, 0, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aq_quant_type type;
    assert_true(aq_quant_type_from_name(rows[i].name, &type));
    assert_int_equal(type, rows[i].type);
    assert_int_equal(aq_quant_type_bits(type), rows[i].bits);
    assert_int_equal(aq_quant_min(type), rows[i].min);
    assert_int_equal(aq_quant_max(type), rows[i].max);
  }
  aq_quant_type type;
  assert_false(aq_quant_type_from_name("int5", &type));
  assert_false(aq_quant_type_from_name("kept", &type));
  assert_string_equal(aq_kept_type_name(AQ_BF16), "fp16");
  assert_string_equal(aq_kept_type_name(AQ_I64), "fp32");
}

static void packed_bytes_round_up(void **state) {
  (void)state;
  uint64_t bytes;
  assert_true(aq_packed_bytes_ok(9, AQ_INT3, &bytes));
  assert_int_equal(bytes, 4);
  assert_true(aq_packed_bytes_ok(5, AQ_INT2, &bytes));
  assert_int_equal(bytes, 2);
  assert_true(aq_packed_bytes_ok(0, AQ_INT4, &bytes));
  assert_int_equal(bytes, 0);
  assert_false(aq_packed_bytes_ok(UINT64_MAX / 2, AQ_INT4, &bytes));
}

static void shape_products_are_checked(void **state) {
  (void)state;
  uint64_t count;
  const int64_t matrix[] = {3, 4}, negative[] = {3, -1}, huge[] = {INT64_C(1) << 40, INT64_C(1) << 40},
                empty[] = {0, INT64_MAX, 7};
  assert_true(aq_shape_count_ok(matrix, 2, &count));
  assert_int_equal(count, 12);
  assert_true(aq_shape_count_ok(NULL, 0, &count));
  assert_int_equal(count, 1);
  assert_false(aq_shape_count_ok(negative, 2, &count));
  assert_false(aq_shape_count_ok(huge, 2, &count));
  assert_false(aq_shape_count_ok(empty, 3, &count)); /* INT64_MAX * 7 overflows, whatever the zero */
  assert_true(aq_shape_count_ok(empty, 2, &count));
  assert_int_equal(count, 0);
}

static void shape_text_fits_or_is_cut(void **state) {
  (void)state;
  const int64_t shape[] = {30522, 384};
  char out[32], tiny[4];
  assert_string_equal(aq_shape_text(shape, 2, out, sizeof out), "[30522, 384]");
  assert_string_equal(aq_shape_text(shape, 0, out, sizeof out), "[]");
  assert_string_equal(aq_shape_text(shape, 2, tiny, sizeof tiny), "[30");
}

static void part_names_are_recognised(void **state) {
  (void)state;
  size_t base;
  int64_t lo, hi;
  assert_true(aq_part_name_parse("a.weight[10:20]", &base, &lo, &hi));
  assert_int_equal(base, 8);
  assert_int_equal(lo, 10);
  assert_int_equal(hi, 20);
  static const char *const no[] = {
      "a",      "a[1:1]", "a[2:1]", "a[:3]", "a[1:]", "a[01:3]", "a[1:3] ", "a[-1:3]", "a[1:99999999999999999999]",
      "a[1;3]", "[",      ""};
  for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
    assert_false(aq_part_name_parse(no[i], &base, &lo, &hi));
  }
  char *name = aq_part_name_make("w", 0, 5);
  assert_string_equal(name, "w[0:5]");
  aq_free(name);
}

static void scale_counts_follow_the_format(void **state) {
  (void)state;
  const int64_t shape[] = {3, 100};
  assert_int_equal(aq_scale_count(shape, 2, 300, -1, 0), 1);
  assert_int_equal(aq_scale_count(shape, 2, 300, 0, 0), 3);
  assert_int_equal(aq_scale_count(shape, 2, 300, 0, 64), 5);
  assert_int_equal(aq_scale_count(shape, 0, 1, 0, 0), 1);
  assert_int_equal(aq_scale_count(shape, 2, 0, 0, 0), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dtype_names_go_both_ways),       cmocka_unit_test(quant_types_have_their_ranges),
      cmocka_unit_test(packed_bytes_round_up),          cmocka_unit_test(shape_products_are_checked),
      cmocka_unit_test(shape_text_fits_or_is_cut),      cmocka_unit_test(part_names_are_recognised),
      cmocka_unit_test(scale_counts_follow_the_format),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
