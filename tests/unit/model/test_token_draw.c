/* test_token_draw.c - tokens are drawn as often as they are probable. */
#include "model/nn/token_draw.h"

#include "check.h"

static void draws_cover_the_unit_interval_by_probability(void **state) {
  (void)state;
  const float p[5] = {0.125f, 0, 0.5f, 0.25f, 0.125f};
  int drawn[5] = {0};
  for (int i = 0; i < 1000; i++) drawn[aq_token_draw(p, 5, (double)i / 1000)]++;
  const int expected[5] = {125, 0, 500, 250, 125};
  for (size_t i = 0; i < 5; i++) assert_int_equal(drawn[i], expected[i]);
}

static void weights_need_not_sum_to_one(void **state) {
  (void)state;
  const float p[3] = {2, 2, 4};
  assert_int_equal(aq_token_draw(p, 3, 0.24), 0);
  assert_int_equal(aq_token_draw(p, 3, 0.26), 1);
  assert_int_equal(aq_token_draw(p, 3, 0.51), 2);
}

static void what_is_never_drawn_is_not_drawn_at_the_end(void **state) {
  (void)state;
  const float p[4] = {0, 0.75f, 0, 0};
  assert_int_equal(aq_token_draw(p, 4, 0), 1);
  assert_int_equal(aq_token_draw(p, 4, 0x1.fffffffffffffp-1), 1);
  const float none[2] = {0, 0};
  assert_int_equal(aq_token_draw(none, 2, 0.5), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(draws_cover_the_unit_interval_by_probability),
      cmocka_unit_test(weights_need_not_sum_to_one),
      cmocka_unit_test(what_is_never_drawn_is_not_drawn_at_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
