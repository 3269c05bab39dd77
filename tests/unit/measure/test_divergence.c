/* test_divergence.c - next-token figures against numbers computed by hand. */
#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "measure/divergence.h"

static void check_near(double value, double expected, double most, int line) {
  if (!(fabs(value - expected) <= most)) fail_msg("line %d: %.17g, expected %.17g", line, value, expected);
}
#define assert_near(value, expected, most) check_near(value, expected, most, __LINE__)

/* Logits of FP32 hold ln .25 to 1.2e-8 relative; what follows from two of them stays within that. */
#define LOGIT_ERROR 1e-7

static void two_tokens_give_hand_computed_figures(void **state) {
  (void)state;
  const float even[] = {logf(.5F), logf(.5F)}, odd[] = {logf(.25F), logf(.75F)};
  const aq_token_figures f = aq_token_compare(even, odd, 2, 0);
  assert_true(f.is_finite);
  assert_near(f.divergence, .5 * log(4. / 3.), LOGIT_ERROR); /* .5 ln(.5 / .25) + .5 ln(.5 / .75) */
  assert_near(f.reference_loss, log(2.), LOGIT_ERROR);
  assert_near(f.loss, log(4.), LOGIT_ERROR);
  assert_near(f.confidence, .5, LOGIT_ERROR);
  assert_false(f.same_top); /* of equal logits the first is the top */
  assert_true(f.reference_is_right);
  assert_false(f.is_right);
}

static void divergence_is_not_symmetric(void **state) {
  (void)state;
  const float even[] = {0, 0}, odd[] = {logf(.25F), logf(.75F)};
  const double there = aq_token_compare(even, odd, 2, 1).divergence,
               back = aq_token_compare(odd, even, 2, 1).divergence;
  assert_near(back, .25 * log(.5) + .75 * log(1.5), LOGIT_ERROR);
  assert_true(there - back > .01);
}

/* A constant added to all logits changes nothing, and no exponential overflows. */
static void logits_count_up_to_a_constant(void **state) {
  (void)state;
  const float p[] = {4, 3, -2, 1.5F}, q[] = {3.5F, 3.25F, -1, 2};
  float far_p[4], far_q[4];
  for (size_t i = 0; i < 4; i++) far_p[i] = p[i] + 4096, far_q[i] = q[i] - 4096;
  const aq_token_figures near = aq_token_compare(p, q, 4, 2), far = aq_token_compare(far_p, far_q, 4, 2);
  assert_near(far.divergence, near.divergence, 0);
  assert_near(far.loss, near.loss, 0);
  assert_near(far.confidence, near.confidence, 0);
  assert_near(aq_token_compare(p, p, 4, 0).divergence, 0, 0);
}

static void logits_that_are_not_finite_are_counted_and_left_out(void **state) {
  (void)state;
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  const float good[] = {1, 2, 3};
  aq_token_figures tokens[4];
  aq_error err;
  aq_divergence d;
  for (size_t i = 0; i < 3; i++) {
    float other[] = {1, 2, 3};
    other[i] = bad[i];
    tokens[i] = aq_token_compare(good, other, 3, 1);
    assert_false(tokens[i].is_finite);
    assert_false(aq_token_compare(other, good, 3, 1).is_finite);
  }
  tokens[3] = aq_token_compare(good, good, 3, 1);
  assert_ok(aq_divergence_of(tokens, 4, &d, &err));
  assert_int_equal(d.count, 4);
  assert_int_equal(d.nonfinite, 3);
  assert_near(d.mean, 0, 0);
  assert_near(d.agreement, 1, 0);
  assert_ok(aq_divergence_of(tokens, 3, &d, &err));
  assert_int_equal(d.nonfinite, 3);
  assert_true(isnan(d.mean) && isnan(d.p50) && isnan(d.agreement) && isnan(d.other.perplexity));
}

static aq_token_figures token_of(double divergence, double confidence, bool same, bool reference_right, bool right) {
  return (aq_token_figures){.reference_loss = 1,
                            .loss = divergence,
                            .divergence = divergence,
                            .confidence = confidence,
                            .is_finite = true,
                            .same_top = same,
                            .reference_is_right = reference_right,
                            .is_right = right};
}

static void positions_are_summed_up(void **state) {
  (void)state;
  const aq_token_figures tokens[] = {token_of(4, 1, true, true, true), token_of(1, .25, false, true, false),
                                     token_of(0, .95, true, false, false), token_of(3, .2499, false, false, true),
                                     token_of(2, .5, true, true, true)};
  static const size_t counts[] = {1, 1, 1, 0, 2};
  aq_error err;
  aq_divergence d;
  assert_ok(aq_divergence_of(tokens, AQ_COUNT_OF(tokens), &d, &err));
  assert_near(d.mean, 2, 0);
  assert_near(d.p50, 2, 0);
  assert_near(d.p90, 3.6, 1e-12); /* position 3.6 of 0 1 2 3 4 */
  assert_near(d.p999, 3.996, 1e-12);
  assert_near(d.max, 4, 0);
  assert_near(d.agreement, .6, 1e-15);
  assert_near(d.flips, .4, 1e-15);
  for (size_t b = 0; b < AQ_CONFIDENCE_BUCKETS; b++) assert_int_equal(d.buckets[b].count, counts[b]);
  assert_near(d.buckets[4].divergence, 2, 0); /* 4 and 0 */
  assert_near(d.buckets[4].agreement, 1, 0);
  assert_near(d.buckets[1].divergence, 1, 0);
  assert_true(isnan(d.buckets[3].divergence));
}

static void perplexity_has_the_error_of_its_mean(void **state) {
  (void)state;
  static const double losses[] = {1, 2, 3, 4}; /* squared deviations 5, over 3 and over 4 */
  aq_text_loss p;
  aq_text_loss_of(losses, 4, &p);
  assert_int_equal(p.count, 4);
  assert_near(p.loss, 2.5, 0);
  assert_near(p.loss_error, sqrt(5. / 12), 1e-15);
  assert_near(p.perplexity, exp(2.5), 1e-12);
  assert_near(p.perplexity_error, exp(2.5) * sqrt(5. / 12), 1e-12);
  aq_text_loss_of(losses, 1, &p);
  assert_near(p.perplexity, exp(1.), 0);
  assert_true(isnan(p.perplexity_error));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_tokens_give_hand_computed_figures),
      cmocka_unit_test(divergence_is_not_symmetric),
      cmocka_unit_test(logits_count_up_to_a_constant),
      cmocka_unit_test(logits_that_are_not_finite_are_counted_and_left_out),
      cmocka_unit_test(positions_are_summed_up),
      cmocka_unit_test(perplexity_has_the_error_of_its_mean),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
