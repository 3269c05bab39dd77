/* test_arrow_numbers.c - integers of a table as engines hand them out in Arrow: other widths, doubles, dictionaries,
 * columns of nulls, every kind of list. */
#include <math.h>

#include "arrow_fixture.h"

static void number_column(aq_column c, const char *format, const void *values) {
  fx.fields[c].format = format;
  fx.buffers[c][1] = values;
}

static void numbers_of_any_type_are_taken(void **state) {
  (void)state;
  static const double wide[ROWS] = {6, 1};
  static const float narrow[ROWS] = {0, -1}; /* quant_axis */
  static const uint16_t half[ROWS] = {0, 0};
  static const uint64_t u64[ROWS] = {6, 1};
  static const uint8_t u8[ROWS] = {6, 1};
  static const int16_t axis16[ROWS] = {0, -1};
  static const int64_t decimal[ROWS][2] = {{6, 0}, {1, 0}};
  static const struct {
    aq_column column;
    const char *format;
    const void *values;
  } cases[] = {{AQ_COLUMN_NUM_PARAMS, "g", wide},        {AQ_COLUMN_QUANT_AXIS, "f", narrow},
               {AQ_COLUMN_GROUP_SIZE, "e", half},        {AQ_COLUMN_NUM_PARAMS, "L", u64},
               {AQ_COLUMN_NUM_PARAMS, "C", u8},          {AQ_COLUMN_QUANT_AXIS, "s", axis16},
               {AQ_COLUMN_NUM_PARAMS, "d:38,0", decimal}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    build(2, OFFSETS_32, 0);
    number_column(cases[i].column, cases[i].format, cases[i].values);
    open_and_expect(2);
  }
}

static void nan_stands_for_a_null(void **state) {
  (void)state;
  static const double axis[ROWS] = {0, NAN}, size[ROWS] = {NAN, NAN}, params[ROWS] = {NAN, 1};
  build(2, OFFSETS_32, 0);
  number_column(AQ_COLUMN_QUANT_AXIS, "g", axis);
  number_column(AQ_COLUMN_GROUP_SIZE, "g", size);
  open_and_expect(2);
  build(2, OFFSETS_32, 0);
  number_column(AQ_COLUMN_NUM_PARAMS, "g", params);
  aq_source *s;
  assert_int_equal(aq_source_open_arrow(&fx.stream, &s, &err), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "row 0: num_params is null"));
}

static void column_of_nulls_has_no_buffer(void **state) {
  (void)state;
  build(2, OFFSETS_32, 0);
  fx.fields[AQ_COLUMN_GROUP_SIZE].format = "n";
  fx.arrays[AQ_COLUMN_GROUP_SIZE].n_buffers = 0;
  fx.arrays[AQ_COLUMN_GROUP_SIZE].buffers = NULL;
  fx.arrays[AQ_COLUMN_GROUP_SIZE].null_count = ROWS;
  open_and_expect(2);
}

static void numbers_may_have_a_dictionary(void **state) {
  (void)state;
  static const int64_t values[ROWS] = {1, 6};
  static const uint8_t indices[ROWS] = {1, 0};
  static const void *buffers[2] = {NULL, values};
  build(2, OFFSETS_32, 0);
  fx.fields[AQ_COLUMN_NUM_PARAMS].dictionary = &fx.dictionaries[AQ_COLUMN_NUM_PARAMS];
  fx.dictionaries[AQ_COLUMN_NUM_PARAMS] = (struct ArrowSchema){.format = "l", .name = ""};
  fx.dictionary_values[AQ_COLUMN_NUM_PARAMS] = (struct ArrowArray){.length = ROWS, .n_buffers = 2, .buffers = buffers};
  fx.arrays[AQ_COLUMN_NUM_PARAMS].dictionary = &fx.dictionary_values[AQ_COLUMN_NUM_PARAMS];
  number_column(AQ_COLUMN_NUM_PARAMS, "C", indices);
  open_and_expect(2);
}

static void elements_of_shapes_may_be_of_any_type(void **state) {
  (void)state;
  static const double reals[2] = {2, 3}, broken[2] = {2, 2.5}, missing[2] = {2, NAN};
  static const int64_t wide[2] = {2, 3}, too_wide[2] = {2, INT64_C(1) << 32};
  static const struct {
    const char *element;
    const void *values;
    const char *says; /* NULL: taken */
  } cases[] = {{"g", reals, NULL},
               {"l", wide, NULL},
               {"g", broken, "row 0: column 'shape' has a value that is no whole number"},
               {"g", missing, "a null in it"},
               {"l", too_wide, "row 0: a list of column 'shape' has the element 4294967296"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    build(2, OFFSETS_32, 0);
    fx.element.format = cases[i].element;
    fx.element_buffers[1] = cases[i].values;
    fx.elements.offset = 0;
    if (cases[i].says == NULL) {
      open_and_expect(2);
      continue;
    }
    aq_source *s;
    assert_int_not_equal(aq_source_open_arrow(&fx.stream, &s, &err), AQ_OK);
    if (strstr(err.message, cases[i].says) == NULL) fail_msg("%s", err.message);
  }
}

static void views_of_lists_are_taken(void **state) {
  (void)state;
  static const int32_t offsets[ROWS] = {0, 2}, sizes[ROWS] = {2, 0};
  static const int64_t offsets64[ROWS] = {0, 2}, sizes64[ROWS] = {2, 0};
  for (int wide = 0; wide < 2; wide++) {
    build(2, OFFSETS_32, 0);
    fx.fields[AQ_COLUMN_SHAPE].format = wide ? "+vL" : "+vl";
    fx.arrays[AQ_COLUMN_SHAPE].n_buffers = 3;
    fx.buffers[AQ_COLUMN_SHAPE][1] = wide ? (const void *)offsets64 : (const void *)offsets;
    fx.buffers[AQ_COLUMN_SHAPE][2] = wide ? (const void *)sizes64 : (const void *)sizes;
    open_and_expect(2);
  }
}

/* A fixed length is the rank of all tensors: two rows of rank 2. */
static void lists_of_fixed_length_are_taken(void **state) {
  (void)state;
  static const int32_t items[2 * ROWS] = {2, 3, 1, 1};
  build(2, OFFSETS_32, 0);
  fx.fields[AQ_COLUMN_SHAPE].format = "+w:2";
  fx.arrays[AQ_COLUMN_SHAPE].n_buffers = 1;
  fx.element_buffers[1] = items;
  fx.elements.offset = 0;
  fx.elements.length = 2 * ROWS;
  aq_source *s;
  assert_ok(aq_source_open_arrow(&fx.stream, &s, &err));
  assert_int_equal(aq_source_tensor(s, 0)->shape[1], 3);
  assert_int_equal(aq_source_tensor(s, 1)->rank, 2);
  assert_int_equal(aq_source_tensor(s, 1)->shape[0], 1);
  aq_source_close(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(numbers_of_any_type_are_taken, drop),
      cmocka_unit_test_teardown(nan_stands_for_a_null, drop),
      cmocka_unit_test_teardown(column_of_nulls_has_no_buffer, drop),
      cmocka_unit_test_teardown(numbers_may_have_a_dictionary, drop),
      cmocka_unit_test_teardown(elements_of_shapes_may_be_of_any_type, drop),
      cmocka_unit_test_teardown(views_of_lists_are_taken, drop),
      cmocka_unit_test_teardown(lists_of_fixed_length_are_taken, drop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
