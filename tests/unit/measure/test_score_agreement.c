/* test_score_agreement.c - figures of two sets of scores, against numbers made by hand. */
#include "measure/score_agreement.h"

#include <math.h>

#include "check.h"

static aq_score_figures compare(const float *reference, const float *other, const uint32_t *queries, size_t pairs,
                                size_t labels) {
  aq_error err;
  aq_score_figures f;
  assert_ok(aq_score_compare(reference, other, queries, pairs, labels, &f, &err));
  return f;
}

static void expect_near(double got, double wanted) {
  if (!(fabs(got - wanted) < 1e-12)) fail_msg("%.17g, not %.17g", got, wanted);
}

static const uint32_t queries[] = {0, 0, 0, 1, 1};

static void equal_scores_agree(void **state) {
  (void)state;
  static const float scores[] = {.1f, .5f, .3f, .9f, .2f};
  const aq_score_figures f = compare(scores, scores, queries, 5, 1);
  expect_near(f.spearman, 1);
  expect_near(f.order, 1);
  assert_int_equal(f.ordered, 4); /* 3 of the first query, 1 of the second */
  expect_near(f.max_difference, 0);
  expect_near(f.mean_difference, 0);
  expect_near(f.label_agreement, 1);
  assert_int_equal(f.worst, 0);
}

/* Ranks 1 2 3 4 5 against 2 1 3 5 4: squares of differences sum up to 4, 1 - 6 * 4 / (5 * 24). */
static void orders_are_those_within_a_query(void **state) {
  (void)state;
  static const float reference[] = {1, 2, 3, 4, 5}, other[] = {2, 1, 3, 5, 4};
  aq_score_figures f = compare(reference, other, queries, 5, 1);
  expect_near(f.spearman, 0.8);
  expect_near(f.order, 2.0 / 4);
  expect_near(f.mean_difference, 4.0 / 5);
  static const uint32_t one[] = {7, 7, 7, 7, 7}, each[] = {0, 1, 2, 3, 4};
  f = compare(reference, other, one, 5, 1);
  expect_near(f.order, 8.0 / 10);
  f = compare(reference, other, each, 5, 1);
  assert_true(isnan(f.order) && f.ordered == 0);
}

/* Of equal scores of the reference nothing is asked; of others equal ones are no order. */
static void ties_have_no_order(void **state) {
  (void)state;
  static const float reference[] = {1, 1, 2}, other[] = {5, 6, 6};
  const aq_score_figures f = compare(reference, other, queries, 3, 1);
  assert_int_equal(f.ordered, 2);
  expect_near(f.order, 0.5);
}

static void labels_are_taken_one_by_one(void **state) {
  (void)state;
  static const float reference[] = {1, 5, 2, 4, 3, 3}, other[] = {1, 3, 2, 3, 3, 4.5f};
  const aq_score_figures f = compare(reference, other, queries, 3, 2);
  expect_near(f.spearman, (1 + -0.8660254037844387) / 2); /* 5 4 3 and 3 3 4.5 */
  assert_int_equal(f.ordered, 6);
  expect_near(f.order, 3.0 / 6);
  expect_near(f.max_difference, 2);
  assert_int_equal(f.worst, 0);
  expect_near(f.mean_difference, (2 + 1 + 1.5) / 6);
  expect_near(f.label_agreement, 2.0 / 3); /* 3 and 3: the first; 3 and 4.5: the second */
}

static void no_pairs_have_no_figures(void **state) {
  (void)state;
  static const float constant[] = {1, 1};
  aq_score_figures f = compare(constant, constant, queries, 0, 1);
  assert_true(isnan(f.spearman) && isnan(f.order) && isnan(f.max_difference) && isnan(f.mean_difference) &&
              isnan(f.label_agreement));
  f = compare(constant, constant, queries, 2, 1);
  assert_true(isnan(f.spearman) && isnan(f.order));
  expect_near(f.max_difference, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equal_scores_agree), cmocka_unit_test(orders_are_those_within_a_query),
      cmocka_unit_test(ties_have_no_order), cmocka_unit_test(labels_are_taken_one_by_one),
      cmocka_unit_test(no_pairs_have_no_figures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
