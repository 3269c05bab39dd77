/* test_distribution.c - order statistics against numbers computed by hand. */
#include <math.h>

#include "check.h"
#include "measure/metrics.h"

static void check_near(double value, double expected, double most, int line) {
  if (!(fabs(value - expected) <= most)) fail_msg("line %d: %.17g, expected %.17g", line, value, expected);
}
#define assert_near(value, expected, most) check_near(value, expected, most, __LINE__)

static void distribution_known_numbers_give_hand_computed_figures(void **state) {
  (void)state;
  double values[] = {9, 2, 4, 5, 4, 7, 4, 5}; /* mean 5, squared deviations 16+9+1+0+1+4+1+0 = 32 */
  aq_distribution d;
  aq_distribution_of(values, 8, &d);
  assert_int_equal(d.count, 8);
  assert_near(d.mean, 5, 0);
  assert_near(d.stddev, 2, 0);
  assert_near(d.min, 2, 0);
  assert_near(d.max, 9, 0);
  assert_near(d.p50, 4.5, 0);
  assert_near(d.p5, 2.7, 1e-12);  /* position .35 between 2 and 4 */
  assert_near(d.p95, 8.3, 1e-12); /* position 6.65 between 7 and 9 */
  assert_near(d.p1, 2.14, 1e-12);
}

static void distribution_hundred_and_one_steps_has_whole_percentiles(void **state) {
  (void)state;
  double values[101];
  for (int i = 0; i <= 100; i++) values[i] = (double)(100 - i);
  aq_distribution d;
  aq_distribution_of(values, 101, &d);
  assert_near(d.p1, 1, 1e-12);
  assert_near(d.p5, 5, 1e-12);
  assert_near(d.p50, 50, 1e-12);
  assert_near(d.p95, 95, 1e-12);
  assert_near(d.mean, 50, 1e-12);
}

static void distribution_one_number_is_all_of_it(void **state) {
  (void)state;
  double value = 0.1;
  aq_distribution d;
  aq_distribution_of(&value, 1, &d);
  assert_true(d.mean == 0.1 && d.min == 0.1 && d.max == 0.1 && d.p1 == 0.1 && d.p95 == 0.1);
  assert_true(d.stddev == 0);
}

static void distribution_equal_numbers_have_that_mean_exactly(void **state) {
  (void)state;
  double values[7];
  for (int i = 0; i < 7; i++) values[i] = 0.1;
  aq_distribution d;
  aq_distribution_of(values, 7, &d);
  assert_true(d.mean == 0.1 && d.p50 == 0.1);
}

static void distribution_order_of_values_does_not_matter(void **state) {
  (void)state;
  double forth[50], back[50];
  for (int i = 0; i < 50; i++) forth[i] = back[49 - i] = 1.0 / (double)(i + 3);
  aq_distribution a, b;
  aq_distribution_of(forth, 50, &a);
  aq_distribution_of(back, 50, &b);
  assert_memory_equal(&a, &b, sizeof a);
}

static void distribution_of_nothing_has_no_figures(void **state) {
  (void)state;
  aq_distribution d;
  aq_distribution_of(NULL, 0, &d);
  assert_int_equal(d.count, 0);
  assert_true(isnan(d.mean) && isnan(d.min) && isnan(d.p5) && isnan(d.stddev));
}

static void distribution_infinities_do_not_become_nan(void **state) {
  (void)state;
  double values[] = {INFINITY, 1, INFINITY, INFINITY};
  aq_distribution d;
  aq_distribution_of(values, 4, &d);
  assert_true(isinf(d.p50) && isinf(d.max) && d.min == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(distribution_known_numbers_give_hand_computed_figures),
      cmocka_unit_test(distribution_hundred_and_one_steps_has_whole_percentiles),
      cmocka_unit_test(distribution_one_number_is_all_of_it),
      cmocka_unit_test(distribution_equal_numbers_have_that_mean_exactly),
      cmocka_unit_test(distribution_order_of_values_does_not_matter),
      cmocka_unit_test(distribution_of_nothing_has_no_figures),
      cmocka_unit_test(distribution_infinities_do_not_become_nan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
