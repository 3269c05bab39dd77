/* test_scale_factor.c - scales with a common factor, there and back. */
#include "check.h"

#include <math.h>
#include <string.h>

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
  float large[] = {70000, 1}, off[] = {31, 0.5F}, long_one[] = {0.1F, 0.1F}, nan[] = {1, NAN}, no_top[] = {0, NAN};
  float factor;
  aq_scale_factor_round(large, 2, MOST);
  assert_true(large[0] == 70000 && large[1] == 1);
  assert_false(aq_scale_factor_find(off, 2, MOST, &factor)); /* 62 and 1 */
  assert_true(aq_scale_factor_find(off, 2, 62, &factor) && factor == 0.5F);
  assert_false(aq_scale_factor_find(long_one, 2, MOST, &factor));
  assert_false(aq_scale_factor_find(nan, 2, MOST, &factor));
  assert_false(aq_scale_factor_find(no_top, 2, MOST, &factor));
  const float infinite[] = {INFINITY, 1}, wide[] = {31 * 65504.0F};
  assert_false(aq_scale_factor_find(infinite, 2, MOST, &factor));
  assert_true(aq_scale_factor_find(wide, 1, MOST, &factor) && factor == 65504);
}

/* Multiples of blocks that other programs make: products of a factor of either sign and -32 to 31. */
static void signs_are_found(void **state) {
  (void)state;
  static const int times[][4] = {{-32, 31, 1, 0}, {-32, -3, 7, 5}, {31, -31, 2, 0}, {17, 1, -5, 0}, {-1, 0, 0, 0}};
  for (size_t k = 0; k < sizeof times / sizeof *times; k++) {
    for (float d = -0.3125F; d <= 0.3125F; d += 0.625F) {
      float scales[4], factor;
      for (int i = 0; i < 4; i++) scales[i] = d * (float)times[k][i];
      assert_true(aq_scale_factor_find(scales, 4, MOST, &factor));
      for (int i = 0; i < 4; i++) {
        const float again = factor * (float)aq_scale_factor_times(scales[i], factor);
        assert_true(memcmp(&again, &scales[i], sizeof again) == 0);
      }
      if (k < 4) assert_true(factor == d); /* the one form that there is */
    }
  }
}

static void signs_that_no_factor_has_are_refused(void **state) {
  (void)state;
  const float both[] = {32, -32, 1}, zeros[] = {17, -0.0F, 0.0F, 1}, all_zeros[] = {0.0F, -0.0F};
  float factor = 1;
  assert_false(aq_scale_factor_find(both, 3, MOST, &factor));
  assert_false(aq_scale_factor_find(zeros, 4, MOST, &factor));
  assert_true(aq_scale_factor_find(all_zeros, 2, MOST, &factor) && factor == 0 && !signbit(factor));
  assert_int_equal(aq_scale_factor_times(all_zeros[0], factor), 0);
  assert_int_equal(aq_scale_factor_times(all_zeros[1], factor), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scales_become_near_multiples),
      cmocka_unit_test(factor_is_the_example_of_the_page),
      cmocka_unit_test(zeros_and_the_smallest_have_a_factor),
      cmocka_unit_test(other_scales_have_none),
      cmocka_unit_test(signs_are_found),
      cmocka_unit_test(signs_that_no_factor_has_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
