/* test_scale_grid.c - scales and zero points that FP16 blocks and whole zero points hold without loss. */
#include "quant/scale_grid.h"

#include <math.h>

#include "check.h"
#include "core/bytes.h"
#include "core/compiler.h"
#include "kernels/kernels.h"
#include "quant/scheme.h"

static bool is_f16(float x) {
  uint8_t bits[2];
  float back;
  aq_kernels_get()->f32_to_f16(&x, 1, bits);
  aq_kernels_get()->f16_to_f32(bits, 1, &back);
  return isfinite(back) && back == x;
}

/* Floats of every exponent, with fractions all over. */
static float float_at(uint32_t i) { return aq_bits_f32(0x00800000u + i * 7919u); }

static void scales_are_the_nearest_fp16_numbers(void **state) {
  (void)state;
  for (uint32_t i = 0; float_at(i) <= 65504; i++) {
    float scale = float_at(i), zero = 0;
    aq_scale_grid_round(AQ_GRID_F16, AQ_INT8, 0, 0, &scale, &zero);
    assert_true(is_f16(scale) && scale > 0 && zero == 0);
    const float unit = fmaxf(exp2f(floorf(log2f(float_at(i))) - 10), 0x1p-24F);
    assert_true(fabsf(scale - float_at(i)) <= unit / 2 || scale == 0x1p-24F);
  }
}

static void minima_of_whole_zero_points_are_fp16_numbers(void **state) {
  (void)state;
  for (uint32_t i = 0; float_at(i) <= 4096; i++) {
    for (int z = -8; z < 8; z++) {
      float scale = float_at(i), zero = (float)z + 0.25F;
      aq_scale_grid_round(AQ_GRID_F16_WHOLE_ZEROS, AQ_INT4, -1, 1, &scale, &zero);
      assert_true(zero == (float)z && is_f16(scale) && is_f16(-(8 + zero) * scale));
      assert_true(fabsf(scale - float_at(i)) <= float_at(i) / 64 || float_at(i) < 0x1p-17F);
    }
  }
}

static void spans_far_from_zero_reach_to_it(void **state) {
  (void)state;
  static const struct { float min, max, zero, code_of_far; } cases[] = {{10, 12, -8, 7}, {-12, -10, 7, -8}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    const float far = cases[i].zero < 0 ? cases[i].max : cases[i].min;
    float scale = 2.0F / 15, zero = -8 - cases[i].min / scale;
    aq_scale_grid_round(AQ_GRID_WHOLE_ZEROS, AQ_INT4, cases[i].min, cases[i].max, &scale, &zero);
    assert_true(zero == cases[i].zero);
    assert_true(fabsf((cases[i].code_of_far - zero) * scale - far) <= 1e-5F);
  }
}

static void scales_outside_fp16_stay_or_become_its_smallest(void **state) {
  (void)state;
  float scale = 70000, zero = 0;
  aq_scale_grid_round(AQ_GRID_F16, AQ_INT8, 0, 0, &scale, &zero);
  assert_true(scale == 70000);
  scale = 5000;
  aq_scale_grid_round(AQ_GRID_F16_WHOLE_ZEROS, AQ_INT4, 0, 0, &scale, &zero);
  assert_true(scale == 5000);
  scale = 1e-30F;
  aq_scale_grid_round(AQ_GRID_F16, AQ_INT8, 0, 0, &scale, &zero);
  assert_true(scale == 0x1p-24F);
  scale = 0;
  aq_scale_grid_round(AQ_GRID_F16, AQ_INT8, 0, 0, &scale, &zero);
  assert_true(scale == 0);
}

static void fits_end_on_the_grid(void **state) {
  (void)state;
  static const aq_method methods[] = {AQ_MINMAX, AQ_MSE};
  float x[64], scale, zero;
  for (size_t k = 0; k < 2 * 2 * 4; k++) {
    const aq_scheme scheme = {
        .type = k & 1 ? AQ_INT4 : AQ_INT3, .method = methods[k >> 1 & 1], .grid = AQ_GRID_F16_WHOLE_ZEROS};
    for (int i = 0; i < 64; i++) x[i] = sinf((float)(i * i) + (float)k) + (float)(k >> 2) * 3 - 4;
    assert_true(aq_fit_span(&scheme, x, 64, &scale, &zero));
    assert_true(is_f16(scale) && zero == rintf(zero) && is_f16(-(8 + zero) * scale));
    for (int i = 0; i < 64; i++) { /* and is a fit: no value is further away than it must be */
      const float code =
          fminf(fmaxf(rintf(x[i] / scale + zero), scheme.type == AQ_INT4 ? -8 : -4), scheme.type == AQ_INT4 ? 7 : 3);
      assert_true(fabsf((code - zero) * scale - x[i]) <= 1.6F * scale);
    }
  }
}

static void words_are_those_of_plans(void **state) {
  (void)state;
  aq_scale_grid grid = AQ_GRID_NONE;
  assert_null(aq_scale_grid_name(AQ_GRID_NONE));
  for (int i = AQ_GRID_F16; i <= AQ_GRID_F16_WHOLE_ZEROS; i++) {
    assert_true(aq_scale_grid_parse(aq_scale_grid_name((aq_scale_grid)i), &grid));
    assert_int_equal(grid, i);
  }
  assert_false(aq_scale_grid_parse("fp8", &grid));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scales_are_the_nearest_fp16_numbers),
      cmocka_unit_test(minima_of_whole_zero_points_are_fp16_numbers),
      cmocka_unit_test(spans_far_from_zero_reach_to_it),
      cmocka_unit_test(scales_outside_fp16_stay_or_become_its_smallest),
      cmocka_unit_test(fits_end_on_the_grid),
      cmocka_unit_test(words_are_those_of_plans),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
