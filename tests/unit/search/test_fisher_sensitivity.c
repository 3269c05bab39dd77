/* test_fisher_sensitivity.c - what texts say of the tensors that a search plans. */
#include <math.h>

#include "search_fixture.h"

static double mean_square(const float *w, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)w[i] * (double)w[i];
  return sum / (double)n;
}

static void matrices_of_the_encoder_have_what_texts_say(void **state) {
  (void)state;
  search_state s;
  search_prepare(&s, search_options(4));
  assert_int_equal(s.problem.count, ONE_LAYER_MATRICES - 1); /* all but the token types */
  size_t unused = 0;
  double relative = 0, least = INFINITY;
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_search_item *p = &s.problem.items[i];
    if (strcmp(s.source->tensors[p->tensor].name, search_pooler) == 0) {
      unused++;
      assert_null(aq_fisher_factors_of(s.calibration, s.source, p->tensor));
      assert_false(p->loss_is_similarity);
      for (size_t r = 1; r < p->rows; r++) assert_true(p->sensitivity[r] == p->sensitivity[0]);
      for (size_t r = 0; r < p->sample_rows; r++) assert_true(p->sample_sensitivity[r] == p->sensitivity[0]);
      relative = p->sensitivity[0] * mean_square(p->sample, p->sample_rows * p->cols);
      assert_non_null(strstr(p->why, "not used"));
      continue;
    }
    const aq_fisher_factors *f = aq_fisher_factors_of(s.calibration, s.source, p->tensor);
    assert_int_equal(f->tensor, p->tensor);
    assert_ptr_equal(p->sensitivity, f->sensitivity);
    assert_true(p->loss_is_similarity);
    double mean = 0; /* of the rows, geometric */
    for (size_t r = 0; r < p->rows; r++) mean += log((double)p->sensitivity[r]) / (double)p->rows;
    float *w = search_values(&s.calibration->original, f->tensor);
    least = fmin(least, exp(mean) * mean_square(w, p->rows * p->cols));
    free(w);
    assert_null(p->sample); /* all values count */
  }
  assert_int_equal(unused, 1);
  assert_true(fabs(relative / least - 1) < 1e-6); /* as the least sensitive matrix */
  search_end(&s);
}

/* A tensor that the encoder uses under another name is what texts say of that. */
static void tied_tensors_have_the_factors_of_the_one_that_is_used(void **state) {
  (void)state;
  search_state s;
  search_prepare(&s, search_options(4));
  const size_t used = search_find(s.source, "encoder.layer.0.output.dense.weight"),
               other = search_find(s.source, search_pooler);
  assert_null(aq_fisher_factors_of(s.calibration, s.source, other));
  s.source->tensors[used].alias_of = (int32_t)other;
  assert_int_equal(aq_fisher_factors_of(s.calibration, s.source, other)->tensor, used);
  s.source->tensors[used].alias_of = -1;
  search_end(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(matrices_of_the_encoder_have_what_texts_say),
      cmocka_unit_test(tied_tensors_have_the_factors_of_the_one_that_is_used),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
