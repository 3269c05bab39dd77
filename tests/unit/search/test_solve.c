/* test_solve.c - the search for lambda: how few evaluations it takes, and that what it finds keeps to the target. */
#include <math.h>

#include "check.h"
#include "core/error.h"
#include "search/solve.h"

/* A model of a file: parts whose bits a weight fall with ln lambda, saturate at 8 and cannot go below .3; a ripple; a
 * jump of the size at one lambda. As a similarity: a loss that grows with lambda. */
typedef struct fake {
  double ripple, jump;
  unsigned calls, fail_at;
  double seen[64];
} fake;

static double ripple_of(const fake *f, double lambda) { return f->ripple * sin(1e3 * log(lambda)); }

static aq_status fake_size(void *ctx, double lambda, double *value, aq_error *err) {
  fake *f = ctx;
  f->seen[f->calls % 64] = lambda;
  if (++f->calls == f->fail_at) return aq_fail(err, AQ_ERR_IO, "disk");
  double bits = 0;
  for (int part = 0; part < 4; ++part) {
    const double rate = -.5 * log2(lambda) - 10 - part;
    bits += .25 * fmin(rate > 4 ? rate : .3 + log1p(exp(rate - .3)), 8);
  }
  if (lambda < 3e-8) bits += f->jump;
  *value = 1e6 * bits * (1 + ripple_of(f, lambda));
  return AQ_OK;
}

static aq_status fake_similarity(void *ctx, double lambda, double *value, aq_error *err) {
  fake *f = ctx;
  f->seen[f->calls % 64] = lambda;
  if (++f->calls == f->fail_at) return aq_fail(err, AQ_ERR_IO, "disk");
  const double loss = 2e5 * lambda * (1 + ripple_of(f, lambda));
  *value = 1 - loss / (1 + loss);
  return AQ_OK;
}

static aq_solve_result found(const aq_solve_options *search, aq_solve_fn fn, fake *f) {
  aq_error err = {0};
  aq_solve_result result;
  assert_ok((fn == fake_size ? aq_solve_size : aq_solve_quality)(search, fn, f, &result, &err));
  assert_int_equal(result.evaluations, f->calls);
  assert_true(f->calls <= search->most);
  double again;
  assert_ok(fn(f, result.lambda, &again, &err));
  assert_true(again == result.value);
  return result;
}

static void size_any_target_uses_97_percent_in_few_steps(void **state) {
  (void)state;
  aq_solve_options search;
  aq_solve_options_init(&search);
  unsigned steps = 0;
  for (double target = 4e5; target < 7.9e6; target += 1e5) {
    fake f = {.ripple = 0};
    search.target = target;
    const aq_solve_result r = found(&search, fake_size, &f);
    assert_true(r.reached && r.value <= target && r.value >= .97 * target);
    steps += r.evaluations;
  }
  assert_true(steps <= 75 * 6);
}

static void size_good_start_takes_few_steps(void **state) {
  (void)state;
  fake f = {.ripple = 0};
  aq_solve_options search;
  aq_solve_options_init(&search);
  search.target = 2.2e6;
  search.start = 5e-9;
  const aq_solve_result r = found(&search, fake_size, &f);
  assert_true(r.reached && r.value >= .97 * search.target);
  assert_true(r.evaluations <= 4);
}

static void size_noise_keeps_to_target(void **state) {
  (void)state;
  aq_solve_options search;
  aq_solve_options_init(&search);
  for (double target = 6e5; target < 7.5e6; target += 1e5) {
    fake f = {.ripple = .02};
    search.target = target;
    const aq_solve_result r = found(&search, fake_size, &f);
    assert_true(r.reached && r.value <= target && r.value >= .94 * target);
  }
}

static void size_jump_gives_the_side_below(void **state) {
  (void)state;
  fake f = {.jump = 2};
  aq_solve_options search;
  aq_solve_options_init(&search);
  search.target = 2.5e6;
  search.most = 40;
  const aq_solve_result r = found(&search, fake_size, &f);
  assert_true(r.reached && r.value <= search.target);
  assert_true(r.lambda >= 3e-8 && r.lambda < 3.003e-8); /* the last one above the jump, to 12 bits */
  assert_true(r.evaluations <= 24);                     /* lines alone would take all 40 */
}

static void size_too_small_a_target_says_what_is_possible(void **state) {
  (void)state;
  for (unsigned most = 2; most < 20; ++most) {
    fake f = {.ripple = 0};
    aq_solve_options search;
    aq_solve_options_init(&search);
    search.target = 2e5;
    search.most = most;
    const aq_solve_result r = found(&search, fake_size, &f);
    assert_false(r.reached);
    assert_true(r.lambda == search.highest);
    assert_true(r.value > 3e5 && r.value < 3.1e5);
  }
}

static void size_target_above_everything_takes_the_lowest_lambda(void **state) {
  (void)state;
  fake f = {.ripple = 0};
  aq_solve_options search;
  aq_solve_options_init(&search);
  search.target = 1e9;
  const aq_solve_result r = found(&search, fake_size, &f);
  assert_true(r.reached && r.lambda == search.lowest);
  assert_true(r.evaluations <= 4);
}

static void quality_any_target_is_met_closely(void **state) {
  (void)state;
  static const double targets[] = {.5, .85, .95, .99, .999, .9999, .99999};
  for (size_t i = 0; i < sizeof targets / sizeof targets[0]; ++i) {
    fake f = {.ripple = .02};
    aq_solve_options search;
    aq_solve_options_init(&search);
    search.target = targets[i];
    search.slack = .1;
    const aq_solve_result r = found(&search, fake_similarity, &f);
    assert_true(r.reached && r.value >= targets[i]);
    assert_true(1 - r.value >= .9 * (1 - targets[i]));
    assert_true(r.evaluations <= 6);
  }
}

static void quality_out_of_reach_says_what_is_possible(void **state) {
  (void)state;
  fake f = {.ripple = 0};
  aq_solve_options search;
  aq_solve_options_init(&search);
  search.lowest = 1e-8;
  search.target = .9999;
  const aq_solve_result r = found(&search, fake_similarity, &f);
  assert_false(r.reached);
  assert_true(r.lambda == search.lowest);
  assert_true(r.value > .997 && r.value < .999);
}

static void search_failure_of_an_evaluation_is_passed_on(void **state) {
  (void)state;
  for (unsigned at = 1; at < 4; ++at) {
    fake f = {.fail_at = at};
    aq_solve_options search;
    aq_solve_options_init(&search);
    search.target = 2e6;
    aq_solve_result result;
    aq_error err = {0};
    assert_int_equal(aq_solve_size(&search, fake_size, &f, &result, &err), AQ_ERR_IO);
    assert_string_equal(err.message, "disk");
    assert_int_equal(f.calls, at);
  }
}

static aq_status not_a_number(void *ctx, double lambda, double *value, aq_error *err) {
  (void)ctx, (void)lambda, (void)err;
  *value = NAN;
  return AQ_OK;
}

static void search_nan_is_an_error(void **state) {
  (void)state;
  aq_solve_options search;
  aq_solve_options_init(&search);
  search.target = 1;
  aq_solve_result result;
  aq_error err = {0};
  assert_int_equal(aq_solve_size(&search, not_a_number, NULL, &result, &err), AQ_ERR_INTERNAL);
}

static void search_wrong_options_are_refused(void **state) {
  (void)state;
  aq_solve_options good;
  aq_solve_options_init(&good);
  good.target = .5;
  aq_solve_options bad[6];
  for (size_t i = 0; i < 6; ++i) bad[i] = good;
  bad[0].lowest = 0;
  bad[1].highest = good.lowest / 2;
  bad[2].target = 0;
  bad[3].slack = 1;
  bad[4].most = 1;
  bad[5].target = NAN;
  fake f = {0};
  aq_solve_result result;
  aq_error err = {0};
  for (size_t i = 0; i < 6; ++i) {
    assert_int_equal(aq_solve_size(&bad[i], fake_size, &f, &result, &err), AQ_ERR_ARGUMENT);
  }
  good.target = 1;
  assert_int_equal(aq_solve_quality(&good, fake_similarity, &f, &result, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(f.calls, 0);
}

static void lambdas_have_twelve_significant_bits(void **state) {
  (void)state;
  fake f = {.ripple = .01};
  aq_solve_options search;
  aq_solve_options_init(&search);
  search.target = 3.3e6;
  const aq_solve_result r = found(&search, fake_size, &f);
  for (unsigned i = 0; i < r.evaluations; ++i) {
    int exponent;
    const double scaled = ldexp(frexp(f.seen[i], &exponent), 12);
    assert_true(scaled == rint(scaled));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(size_any_target_uses_97_percent_in_few_steps),
      cmocka_unit_test(size_good_start_takes_few_steps),
      cmocka_unit_test(size_noise_keeps_to_target),
      cmocka_unit_test(size_jump_gives_the_side_below),
      cmocka_unit_test(size_too_small_a_target_says_what_is_possible),
      cmocka_unit_test(size_target_above_everything_takes_the_lowest_lambda),
      cmocka_unit_test(quality_any_target_is_met_closely),
      cmocka_unit_test(quality_out_of_reach_says_what_is_possible),
      cmocka_unit_test(search_failure_of_an_evaluation_is_passed_on),
      cmocka_unit_test(search_nan_is_an_error),
      cmocka_unit_test(search_wrong_options_are_refused),
      cmocka_unit_test(lambdas_have_twelve_significant_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
