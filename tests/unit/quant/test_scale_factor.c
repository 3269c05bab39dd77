/* test_scale_factor.c - scales with a common factor, there and back. */
#include "check.h"

#include <math.h>

#include "quant/scale_factor.h"

enum { COUNT = 16, MOST = 31 };

static bool has_few_bits(float x) {
  int exponent;
  const double digits = ldexp(frexp((double)x, &exponent), 8);
  return digits == rint(digits);
}

static void scales_become_near_multiples(void **state) {
  (void)state;
  for (int power = -14; power <= 10; power++) {
    float scales[COUNT], rounded[COUNT], factor;
    for (int i = 0; i < COUNT; i++) rounded[i] = scales[i] = (float)ldexp(1.0 / 3 + i * 0.137, power);
    aq_scale_factor_round(rounded, COUNT, MOST);
    assert_true(aq_scale_factor_find(rounded, COUNT, MOST, &factor));
    for (int i = 0; i < COUNT; i++) {
      const double step = (double)scales[COUNT - 1] / MOST * 1.25;
      assert_true(fabs((double)rounded[i] - (double)scales[i]) <= fmax(step / 2, fmax(step - (double)scales[i], 0)));
      assert_true(has_few_bits(rounded[i]) && rounded[i] >= factor && rounded[i] <= MOST * factor);
      assert_true(rintf(rounded[i] / factor) * factor == rounded[i]);
    }
  }
}

static void factor_is_the_example_of_the_page(void **state) {
  (void)state;
  float scales[] = {0.1F, 0.031F, 0.0002F, 0}, factor;
  aq_scale_factor_round(scales, 4, MOST); /* 0.1 / 31 = 0.003226, up to 7 * 2^-11 */
  assert_true(scales[0] == 29 * 7 * ldexpf(1, -11) && scales[1] == 9 * 7 * ldexpf(1, -11));
  assert_true(scales[2] == 7 * ldexpf(1, -11) && scales[3] == scales[2]);
  assert_true(aq_scale_factor_find(scales, 4, MOST, &factor) && factor == 7 * ldexpf(1, -11));
}

static void zeros_and_the_smallest_have_a_factor(void **state) {
  (void)state;
  float zeros[] = {0, 0}, small[] = {1e-9F, 3e-8F}, factor;
  assert_true(aq_scale_factor_find(zeros, 2, MOST, &factor) && factor == ldexpf(1, -24));
  aq_scale_factor_round(zeros, 2, MOST);
  aq_scale_factor_round(small, 2, MOST);
  assert_true(zeros[0] == ldexpf(1, -24) && small[0] == ldexpf(1, -24) && small[1] == ldexpf(1, -24));
}

static void other_scales_have_none(void **state) {
  (void)state;
  float large[] = {70000, 1}, off[] = {31, 0.5F}, long_one[] = {0.1F, 0.1F}, negative[] = {1, -1}, nan[] = {1, NAN};
  float factor;
  aq_scale_factor_round(large, 2, MOST);
  assert_true(large[0] == 70000 && large[1] == 1);
  assert_false(aq_scale_factor_find(off, 2, MOST, &factor)); /* 62 and 1 */
  assert_true(aq_scale_factor_find(off, 2, 62, &factor) && factor == 0.5F);
  assert_false(aq_scale_factor_find(long_one, 2, MOST, &factor));
  assert_false(aq_scale_factor_find(negative, 2, MOST, &factor));
  assert_false(aq_scale_factor_find(nan, 2, MOST, &factor));
  const float infinite[] = {INFINITY, 1}, wide[] = {31 * 65504.0F};
  assert_false(aq_scale_factor_find(infinite, 2, MOST, &factor));
  assert_true(aq_scale_factor_find(wide, 1, MOST, &factor) && factor == 65504);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scales_become_near_multiples),
      cmocka_unit_test(factor_is_the_example_of_the_page),
      cmocka_unit_test(zeros_and_the_smallest_have_a_factor),
      cmocka_unit_test(other_scales_have_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
