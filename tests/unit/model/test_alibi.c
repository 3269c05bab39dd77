/* test_alibi.c - slopes of heads as the paper gives them, and biases to both sides. */
#include "check.h"

#include <math.h>

#include "model/nn/alibi.h"

static void slopes_are_those_of_the_paper(void **state) {
  (void)state;
  for (uint32_t h = 0; h < 8; h++) assert_true(aq_alibi_slope(8, h) == ldexpf(1, -(int)h - 1));
  for (uint32_t h = 0; h < 16; h++) {
    assert_float_equal(aq_alibi_slope(16, h), pow(2, -0.5 * (h + 1)), 1e-7);
  }
  assert_true(aq_alibi_slope(1, 0) == 1.0F / 256);
}

/* Twelve heads have the slopes of eight, and then the first, third, fifth and seventh of sixteen. */
static void heads_of_no_power_of_two_have_slopes_of_two(void **state) {
  (void)state;
  for (uint32_t h = 0; h < 8; h++) assert_true(aq_alibi_slope(12, h) == aq_alibi_slope(8, h));
  for (uint32_t h = 8; h < 12; h++) assert_true(aq_alibi_slope(12, h) == aq_alibi_slope(16, 2 * (h - 8)));
}

static void biases_grow_to_both_sides(void **state) {
  (void)state;
  float scores[5] = {1, 1, 1, 1, 1};
  const float wanted[5] = {0, 0.5F, 1, 0.5F, 0};
  aq_alibi_add(0.5F, 2, 5, scores);
  assert_memory_equal(scores, wanted, sizeof wanted);
  float past[2] = {0, 0};
  aq_alibi_add(1, 4, 2, past); /* a query behind all keys */
  assert_true(past[0] == -4 && past[1] == -3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(slopes_are_those_of_the_paper),
      cmocka_unit_test(heads_of_no_power_of_two_have_slopes_of_two),
      cmocka_unit_test(biases_grow_to_both_sides),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
