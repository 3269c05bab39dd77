/* test_encoded.c - finished tensors: their values, their bytes, and what a plan says of them. */
#include "quant/encoded.h"

#include <math.h>

#include "core/memory.h"
#include "plan_fixture.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

static aq_error err;

/* 60 values with a scale for each span of them. */
static aq_encoded make_encoded(aq_quant_type type, uint64_t span, bool shifted) {
  aq_encoded e = {.count = 60, .type = type, .quant_axis = span < 60 ? 0 : -1, .span_length = span};
  e.span_count = (60 + span - 1) / span;
  e.group_size = span < 60 ? (int32_t)span : 0;
  e.scales = aq_calloc((size_t)e.span_count, sizeof(float));
  e.zero_points = shifted ? aq_calloc((size_t)e.span_count, sizeof(float)) : NULL;
  e.codes = aq_calloc(60, 1);
  for (size_t i = 0; i < e.span_count; i++) {
    e.scales[i] = 0.5F + (float)i;
    if (shifted) e.zero_points[i] = (float)(i % 4) - 2;
  }
  const int32_t qmin = aq_quant_min(type), codes = aq_quant_max(type) - qmin + 1;
  for (int32_t i = 0; i < 60; i++) e.codes[i] = (int8_t)(qmin + i * 7 % codes);
  return e;
}

static const struct {
  aq_quant_type type;
  uint64_t span;
  bool shifted;
} cases[] = {{AQ_INT8, 4, false}, {AQ_INT8, 60, true}, {AQ_INT4, 4, true}, {AQ_INT3, 7, false}, {AQ_INT2, 8, true}};

static void values_are_codes_times_scales(void **state) {
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_encoded e = make_encoded(cases[i].type, cases[i].span, cases[i].shifted);
    float values[60];
    aq_encoded_decode(&e, values);
    for (size_t k = 0; k < 60; k++) {
      const size_t s = k / cases[i].span;
      const float zero = cases[i].shifted ? (float)(s % 4) - 2 : 0;
      assert_true(values[k] == ((float)e.codes[k] - zero) * (0.5F + (float)s));
    }
    int8_t again[60];
    aq_encoded_round(&e, values, again); /* and those values have these codes */
    assert_memory_equal(again, e.codes, 60);
    aq_encoded_reset(&e);
    assert_null(e.codes);
    assert_int_equal(e.count, 0);
  }
}

static void codes_that_are_rounded_are_the_nearest_in_range(void **state) {
  (void)state;
  aq_encoded e = make_encoded(AQ_INT4, 60, false);
  float w[60] = {0.24F, 0.26F, -0.26F, 0.25F, 0.75F, 100, -100};
  int8_t codes[60];
  aq_encoded_round(&e, w, codes); /* a scale of .5, ties to even */
  static const int8_t expected[] = {0, 1, -1, 0, 2, 7, -8, 0};
  assert_memory_equal(codes, expected, sizeof expected);
  aq_encoded_reset(&e);
}

static void bytes_are_those_of_encoding_the_values(void **state) {
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_encoded e = make_encoded(cases[i].type, cases[i].span, cases[i].shifted);
    const aq_scheme scheme = {.type = cases[i].type, .method = AQ_MSE, .symmetric = !cases[i].shifted};
    const uint32_t bits = aq_quant_type_bits(cases[i].type);
    float values[60], none[60] = {0};
    int8_t room[60], unpacked[60];
    uint8_t whole[60], packed[60], part[60];
    aq_encoded_decode(&e, values);
    aq_encode(&scheme, values, 60, cases[i].span, 0, e.scales, cases[i].shifted ? e.zero_points : none, room, whole);
    aq_encoded_pack(&e, 0, 60, packed);
    assert_memory_equal(packed, whole, (60 * bits + 7) / 8);
    aq_encoded_pack(&e, 24, 36, part); /* from a byte of its own on */
    assert_memory_equal(part, whole + 24 * bits / 8, (36 * bits + 7) / 8);
    aq_unpack_codes(cases[i].type, packed, 60, unpacked);
    assert_memory_equal(unpacked, e.codes, 60);
    aq_encoded_reset(&e);
  }
}

static void entries_say_what_the_codes_are(void **state) {
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_encoded e = make_encoded(cases[i].type, cases[i].span, cases[i].shifted);
    aq_plan_entry entry = {.action = AQ_QUANTIZE, .scheme = {.type = AQ_INT8, .method = AQ_RD, .symmetric = true}};
    entry.scales = aq_calloc(3, sizeof(float)); /* of an earlier try */
    entry.scale_count = 3;
    assert_ok(aq_encoded_describe(&e, &entry, &err));
    assert_int_equal(entry.scheme.type, e.type);
    assert_int_equal(entry.scheme.method, AQ_RD);
    assert_int_equal(entry.quant_axis, e.quant_axis);
    assert_int_equal(entry.group_size, e.group_size);
    assert_int_equal(entry.span_length, e.span_length);
    assert_int_equal(entry.scale_count, e.span_count);
    assert_ptr_not_equal(entry.scales, e.scales); /* copies, as the plan is written by itself */
    assert_memory_equal(entry.scales, e.scales, (size_t)e.span_count * sizeof(float));
    assert_int_equal(entry.zero_points != NULL, cases[i].shifted);
    if (cases[i].shifted) assert_memory_equal(entry.zero_points, e.zero_points, (size_t)e.span_count * sizeof(float));
    aq_plan_entry_drop_scales(&entry);
    aq_encoded_reset(&e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_codes_times_scales),
      cmocka_unit_test(codes_that_are_rounded_are_the_nearest_in_range),
      cmocka_unit_test(bytes_are_those_of_encoding_the_values),
      cmocka_unit_test(entries_say_what_the_codes_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
