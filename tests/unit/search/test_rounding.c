/* test_rounding.c - codes of a matrix with feedback and a descent: what they gain over rounding to nearest. */
#include "search/rounding.h"

#include "core/memory.h"
#include "quant/feedback.h"
#include "search_fixture.h"
#include "tensor/dtype.h"

#define LAMBDA 3e-7

static aq_error err;
static search_state s;

static int set_up(void **state) {
  (void)state;
  search_prepare(&s, search_options(4));
  s.problem.lambda = LAMBDA;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  search_end(&s);
  return 0;
}

static aq_encoded begin_item(size_t i) {
  aq_search_item *item = &s.problem.items[i];
  aq_encoded e = {.count = 0};
  float *w = search_weights(&s, &s.candidate.items[i]);
  assert_ok(aq_search_item_choose(&s.problem, item, w, 0, &e, &err));
  free(w);
  e.codes = aq_malloc((size_t)e.count);
  assert_non_null(e.codes);
  return e;
}

/* tr(G E A E^T), as the texts have it. */
static double loss_of(const aq_fisher_factors *f, const float *w, const aq_encoded *e) {
  float *values = aq_calloc((size_t)e->count, sizeof(float)), *a = aq_calloc(f->cols * f->cols, sizeof(float)),
        *g = f->outputs.n > 0 ? aq_calloc(f->rows * f->rows, sizeof(float)) : NULL;
  double loss;
  aq_encoded_decode(e, values);
  assert_ok(aq_fisher_factors_metric(f, a, g, &err));
  assert_ok(aq_feedback_loss(f->rows, f->cols, w, values, a, g, &loss, &err));
  aq_free(values);
  aq_free(a);
  aq_free(g);
  return loss;
}

/* Where texts say no more than the factors, and bits have no price: one pass of feedback, damped a little. */
static void without_a_metric_codes_are_those_of_feedback(void **state) {
  (void)state;
  for (size_t i = 0; i < s.problem.count; i++) {
    if (s.candidate.items[i].factors == NULL) continue;
    aq_fisher_factors f = *s.candidate.items[i].factors;
    f.outputs.n = 0;
    f.row_weight = NULL;
    f.input_d = NULL;
    aq_encoded e = begin_item(i);
    int8_t *codes = aq_calloc((size_t)e.count, 1);
    float *input_l, *output_l, *w = search_weights(&s, &s.candidate.items[i]);
    assert_ok(aq_fisher_factors_expand(&f, &input_l, &output_l, &err));
    const aq_feedback feedback = {.rows = f.rows,
                                  .cols = f.cols,
                                  .w = w,
                                  .input_l = input_l,
                                  .output_l = output_l,
                                  .input_gain = 0.9F,
                                  .output_gain = 0.9F,
                                  .scales = e.scales,
                                  .span = (size_t)e.span_length,
                                  .qmin = aq_quant_min(e.type),
                                  .qmax = aq_quant_max(e.type)};
    assert_ok(aq_feedback_round(&feedback, NULL, codes, &err));
    assert_ok(aq_rounding_with_feedback(&f, w, LAMBDA, 0, NULL, &e, &err));
    assert_memory_equal(e.codes, codes, (size_t)e.count);
    aq_free(codes);
    free(w);
    aq_free(input_l);
    aq_free(output_l);
    aq_encoded_reset(&e);
  }
}

static void feedback_loses_less_than_rounding_to_nearest(void **state) {
  (void)state;
  size_t compared = 0;
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_fisher_factors *f = s.candidate.items[i].factors;
    if (f == NULL || f->outputs.n == 0) continue;
    float *w = search_weights(&s, &s.candidate.items[i]);
    aq_encoded e = begin_item(i);
    aq_encoded_round(&e, w, e.codes);
    const double nearest = loss_of(f, w, &e);
    assert_ok(aq_rounding_with_feedback(f, w, 1e-12, 0, NULL, &e, &err)); /* bits cost next to nothing */
    assert_true(loss_of(f, w, &e) < nearest);
    free(w);
    aq_encoded_reset(&e);
    compared++;
  }
  assert_int_equal(compared, 6);
}

/* Bits that the codes take, at best. */
static double entropy_of(const aq_encoded *e) {
  size_t seen[256] = {0};
  double bits = 0;
  for (size_t i = 0; i < e->count; i++) seen[e->codes[i] + 128]++;
  for (size_t i = 0; i < 256; i++) {
    if (seen[i] > 0) bits += (double)seen[i] * log2((double)e->count / (double)seen[i]);
  }
  return bits;
}

static void dearer_bits_give_cheaper_codes(void **state) {
  (void)state;
  const aq_fisher_factors *f = NULL;
  size_t i = 0;
  while (f == NULL || f->outputs.n == 0) f = s.candidate.items[i++].factors;
  aq_encoded cheap = begin_item(i - 1), dear = begin_item(i - 1);
  float *w = search_weights(&s, &s.candidate.items[i - 1]);
  assert_ok(aq_rounding_with_feedback(f, w, LAMBDA, 0, NULL, &cheap, &err));
  assert_ok(aq_rounding_with_feedback(f, w, LAMBDA * 100, 0, NULL, &dear, &err));
  free(w);
  assert_true(entropy_of(&dear) < 0.95 * entropy_of(&cheap));
  aq_encoded_reset(&cheap);
  aq_encoded_reset(&dear);
}

/* Where codes are fine, feedback is not damped; and threads change nothing. */
static void expected_bits_decide_about_damping_and_threads_do_not(void **state) {
  (void)state;
  size_t different = 0;
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_fisher_factors *f = s.candidate.items[i].factors;
    if (f == NULL) continue;
    aq_encoded coarse = begin_item(i), fine = begin_item(i), shared = begin_item(i);
    const double bits = (double)coarse.count;
    float *w = search_weights(&s, &s.candidate.items[i]);
    assert_ok(aq_rounding_with_feedback(f, w, LAMBDA, 6 * bits, NULL, &coarse, &err));
    assert_ok(aq_rounding_with_feedback(f, w, LAMBDA, 6.01 * bits, NULL, &fine, &err));
    assert_ok(aq_rounding_with_feedback(f, w, LAMBDA, 6 * bits, s.problem.pool, &shared, &err));
    assert_memory_equal(coarse.codes, shared.codes, (size_t)coarse.count);
    free(w);
    different += memcmp(coarse.codes, fine.codes, (size_t)coarse.count) != 0 ? 1 : 0;
    aq_encoded_reset(&coarse);
    aq_encoded_reset(&fine);
    aq_encoded_reset(&shared);
  }
  assert_true(different > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(without_a_metric_codes_are_those_of_feedback, set_up, tear_down),
      cmocka_unit_test_setup_teardown(feedback_loses_less_than_rounding_to_nearest, set_up, tear_down),
      cmocka_unit_test_setup_teardown(dearer_bits_give_cheaper_codes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(expected_bits_decide_about_damping_and_threads_do_not, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
