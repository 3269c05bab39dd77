/* test_source_read_ranges.c - many ranges read at once are what each gives by itself, at any number of threads. */
#include <stdlib.h>

#include "check.h"
#include "source_fixture.h"

enum { LARGE = 2000003, SMALL = 7, UNREAD = 1000 };

static float large_values[LARGE], small_values[SMALL], out[LARGE + UNREAD];
static aq_error err;

static aq_source *make_two(void) {
  aq_source *source = make_source();
  fill_noise(large_values, LARGE, 1);
  fill_noise(small_values, SMALL, 2);
  add_f32(source, "large", LARGE, 0, large_values);
  add_f32(source, "small", SMALL, 0, small_values);
  return source;
}

static void clear_out(void) {
  for (size_t i = 0; i < LARGE + UNREAD; i++) out[i] = 9;
}

static void values_go_where_each_range_says(void **state) {
  (void)state;
  aq_source *source = make_two();
  static const uint32_t threads[] = {0, 1, 2, 5};
  for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
    clear_out();
    const aq_f32_range ranges[] = {
        {.tensor = 1, .first = 2, .count = 3, .out = out},
        {.tensor = 0, .first = 1, .count = LARGE - 1, .out = out + 3},
        {.tensor = 1, .first = SMALL, .count = 0, .out = NULL},
        {.tensor = 1, .first = 0, .count = 1, .out = out + LARGE + 2},
    };
    assert_ok(aq_source_read_f32_ranges(source, ranges, 4, threads[t], &err));
    assert_memory_equal(out, small_values + 2, 3 * sizeof *out);
    assert_memory_equal(out + 3, large_values + 1, (LARGE - 1) * sizeof *out);
    assert_memory_equal(out + LARGE + 2, small_values, sizeof *out);
    for (size_t i = LARGE + 3; i < LARGE + UNREAD; i++) assert_true(out[i] == 9);
  }
  aq_source_close(source);
}

static void nothing_to_read_is_fine(void **state) {
  (void)state;
  aq_source *source = make_two();
  assert_ok(aq_source_read_f32_ranges(source, NULL, 0, 0, &err));
  aq_source_close(source);
}

/* Before anything is read: a range that is wrong anywhere leaves all memory as it was. */
static void ranges_are_checked_before_any_is_read(void **state) {
  (void)state;
  aq_source *source = make_two();
  const aq_f32_range wrong[] = {
      {.tensor = 2, .first = 0, .count = 1, .out = out},
      {.tensor = 1, .first = 0, .count = SMALL + 1, .out = out},
      {.tensor = 1, .first = SMALL + 1, .count = 0, .out = out},
      {.tensor = 1, .first = UINT64_MAX, .count = 2, .out = out},
      {.tensor = 1, .first = 1, .count = UINT64_MAX, .out = out},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    clear_out();
    const aq_f32_range ranges[] = {{.tensor = 1, .first = 0, .count = SMALL, .out = out}, wrong[i]};
    assert_int_equal(aq_source_read_f32_ranges(source, ranges, 2, 2, &err), AQ_ERR_ARGUMENT);
    assert_true(out[0] == 9);
  }
  aq_source_close(source);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_go_where_each_range_says),
      cmocka_unit_test(nothing_to_read_is_fine),
      cmocka_unit_test(ranges_are_checked_before_any_is_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
