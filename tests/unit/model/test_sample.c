/* test_sample.c - which tokens are drawn, and how often. */
#include <math.h>

#include "check.h"
#include "model/run/sample.h"

enum { TOKENS = 5, DRAWS = 20000 };
/* Probabilities .1 .4 .2 .25 .05. */
static void make_logits(float *logits) {
  static const double p[TOKENS] = {.1, .4, .2, .25, .05};
  for (size_t i = 0; i < TOKENS; i++) logits[i] = (float)log(p[i]) + 3;
}

static void draw(double temperature, double top_p, uint64_t seed, double *shares) {
  float logits[TOKENS];
  aq_error err;
  aq_sampler s = {0};
  make_logits(logits);
  assert_ok(aq_sampler_init(&s, temperature, top_p, seed, TOKENS, &err));
  for (size_t i = 0; i < TOKENS; i++) shares[i] = 0;
  for (size_t i = 0; i < DRAWS; i++) shares[aq_sampler_next(&s, logits)] += 1;
  for (size_t i = 0; i < TOKENS; i++) shares[i] /= DRAWS;
  aq_sampler_reset(&s);
}

/* Five deviations of a share of that many draws. */
static void assert_shares(const double *shares, const double *expected) {
  for (size_t i = 0; i < TOKENS; i++) {
    const double most = 5 * sqrt(expected[i] * (1 - expected[i]) / DRAWS);
    if (!(fabs(shares[i] - expected[i]) <= most)) fail_msg("token %zu: %g, expected %g", i, shares[i], expected[i]);
  }
}

static void tokens_are_drawn_as_often_as_the_model_says(void **state) {
  (void)state;
  double shares[TOKENS];
  draw(1, 1, 7, shares);
  assert_shares(shares, (const double[]){.1, .4, .2, .25, .05});
}

/* At temperature .5 probabilities are squared: .01 .16 .04 .0625 .0025 of .275. */
static void a_low_temperature_sharpens(void **state) {
  (void)state;
  double shares[TOKENS];
  draw(.5, 1, 8, shares);
  assert_shares(shares, (const double[]){.01 / .275, .16 / .275, .04 / .275, .0625 / .275, .0025 / .275});
}

/* .4 and .25 do not reach .7; with .2 they do. */
static void a_nucleus_is_the_fewest_that_reach_it(void **state) {
  (void)state;
  double shares[TOKENS];
  draw(1, .7, 9, shares);
  assert_shares(shares, (const double[]){0, .4 / .85, .2 / .85, .25 / .85, 0});
  draw(1, 1e-9, 9, shares);
  assert_shares(shares, (const double[]){0, 1, 0, 0, 0});
}

static void without_a_temperature_the_first_of_the_largest_is_taken(void **state) {
  (void)state;
  const float logits[] = {1, 5, 2, 5, 0};
  aq_error err;
  aq_sampler s = {0};
  assert_ok(aq_sampler_init(&s, 0, 1, 1, TOKENS, &err));
  for (size_t i = 0; i < 10; i++) assert_int_equal(aq_sampler_next(&s, logits), 1);
  aq_sampler_reset(&s);
}

static void a_seed_gives_the_same_tokens_again(void **state) {
  (void)state;
  float logits[TOKENS];
  int32_t first[64];
  aq_error err;
  size_t different = 0;
  make_logits(logits);
  for (uint64_t seed = 0; seed < 3; seed++) {
    aq_sampler s = {0};
    assert_ok(aq_sampler_init(&s, 1, .9, seed / 2, TOKENS, &err)); /* 0, 0, 1 */
    for (size_t i = 0; i < 64; i++) {
      const int32_t token = aq_sampler_next(&s, logits);
      if (seed == 0) first[i] = token;
      if (seed == 1) assert_int_equal(token, first[i]);
      if (seed == 2 && token != first[i]) different++;
    }
    aq_sampler_reset(&s);
  }
  assert_true(different > 10);
}

static void what_is_out_of_range_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_sampler s = {0};
  assert_int_equal(aq_sampler_init(&s, -1, 1, 0, TOKENS, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_sampler_init(&s, NAN, 1, 0, TOKENS, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_sampler_init(&s, 1, 0, 0, TOKENS, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_sampler_init(&s, 1, 1.1, 0, TOKENS, &err), AQ_ERR_ARGUMENT);
  aq_sampler_reset(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tokens_are_drawn_as_often_as_the_model_says),
      cmocka_unit_test(a_low_temperature_sharpens),
      cmocka_unit_test(a_nucleus_is_the_fewest_that_reach_it),
      cmocka_unit_test(without_a_temperature_the_first_of_the_largest_is_taken),
      cmocka_unit_test(a_seed_gives_the_same_tokens_again),
      cmocka_unit_test(what_is_out_of_range_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
