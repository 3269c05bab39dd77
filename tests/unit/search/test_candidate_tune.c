/* test_candidate_tune.c - a candidate after gradient descent: its codes, its parameters and its bits still agree. */
#include "search/candidate_tune.h"

#include "arrowquant_experimental.h"
#include "search_fixture.h"

#define LAMBDA 1e-5 /* coarse, so that there is something to gain */

static aq_error err;

static void what_is_tuned_agrees_with_its_codes(void **state) {
  (void)state;
  search_state s;
  aq_tune_result result;
  aq_search_options search = {.tune_seconds = 1};
  search_prepare(&s, search_options(4));
  assert_ok(search_round(&s, LAMBDA, &err));
  assert_ok(aq_candidate_adjust(&s.candidate, &err));
  const double before = s.candidate.similarity, before_repair = s.candidate.before_repair;
  aq_quantize_options o = *search_options(4);
  o.search = &search;
  assert_ok(aq_candidate_tune(&s.candidate, &o, &result, &err));
  assert_true(result.steps > 0);
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    if (item->factors == NULL) continue;
    float decoded[64 * 64];
    assert_true(item->encoded.count <= AQ_COUNT_OF(decoded));
    aq_encoded_decode(&item->encoded, decoded);
    float *values = search_values(&s.candidate.quantized, item->factors->tensor);
    assert_memory_equal(decoded, values, (size_t)item->encoded.count * sizeof *values);
    free(values);
    const double bits = item->planned->bits;
    assert_ok(aq_search_item_count_bits(&s.problem, item->planned, &item->encoded, AQ_ALL_WORKERS, &err));
    assert_true(item->planned->bits == bits);
  }
  double measured;
  assert_ok(aq_calibration_similarity(s.calibration, &s.candidate.quantized, &s.calibration->held, &measured, &err));
  assert_true(s.candidate.similarity == measured);
  assert_true(s.candidate.before_repair == before_repair); /* that of the rounding */
  if (result.accepted) assert_true(s.candidate.similarity > before);
  if (!result.accepted) assert_true(s.candidate.similarity == before);
  search_end(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_tuned_agrees_with_its_codes)};
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
