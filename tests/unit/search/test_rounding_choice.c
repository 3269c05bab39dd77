/* test_rounding_choice.c - feedback or rounding to nearest: what texts say of each matrix by itself. */
#include "search/rounding_choice.h"

#include "core/memory.h"
#include "search_fixture.h"

#define LAMBDA 3e-6 /* coarse enough for some matrices to be better off without feedback */

static aq_error err;
static search_state s;

static int set_up(void **state) {
  (void)state;
  search_prepare(&s, search_options(4));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  search_end(&s);
  return 0;
}

/* Similarity of the original with one item's values replaced by what its codes, or the nearest codes, stand for. */
static double similarity_with(const aq_candidate_item *item, bool to_nearest) {
  aq_params single;
  aq_encoded e = item->encoded;
  double similarity;
  size_t count;
  e.codes = aq_malloc((size_t)e.count);
  memcpy(e.codes, item->encoded.codes, (size_t)e.count);
  if (to_nearest) aq_encoded_round(&e, item->factors->w, e.codes);
  assert_ok(aq_params_copy(&s.calibration->original, &single, &err));
  aq_encoded_decode(&e, aq_params_find(&single, item->factors->tensor, &count));
  assert_ok(aq_calibration_similarity(s.calibration, &single, &s.calibration->choose, &similarity, &err));
  aq_params_reset(&single);
  aq_free(e.codes);
  return similarity;
}

static void the_better_rounding_is_chosen(void **state) {
  (void)state;
  bool changed, some = false;
  assert_ok(search_round(&s, LAMBDA, &err));
  assert_ok(aq_candidate_choose_rounding(&s.candidate, &changed, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    some = some || item->to_nearest;
    if (item->factors == NULL || item->factors->input_l == NULL) {
      assert_false(item->to_nearest); /* there is nothing to choose from */
      continue;
    }
    assert_int_equal(item->to_nearest, similarity_with(item, true) > similarity_with(item, false));
  }
  assert_int_equal(changed, some);
}

/* Zeros in the place of one matrix are worse than any rounding of it; the others are judged without it. */
static void only_the_matrix_that_is_harmed_is_rounded_to_nearest(void **state) {
  (void)state;
  bool changed, before[16];
  assert_true(s.problem.count <= AQ_COUNT_OF(before));
  assert_ok(search_round(&s, LAMBDA, &err));
  assert_ok(aq_candidate_choose_rounding(&s.candidate, &changed, &err));
  size_t harmed = s.problem.count;
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    before[i] = item->to_nearest;
    if (!before[i] && item->factors != NULL && item->factors->input_l != NULL) harmed = i;
  }
  assert_true(harmed < s.problem.count);
  memset(s.candidate.items[harmed].encoded.codes, 0, (size_t)s.candidate.items[harmed].encoded.count);
  assert_ok(aq_candidate_choose_rounding(&s.candidate, &changed, &err));
  assert_true(changed);
  for (size_t i = 0; i < s.problem.count; i++) {
    assert_int_equal(s.candidate.items[i].to_nearest, i == harmed || before[i]);
  }
}

/* Only the decision is left behind. */
static void codes_and_parameters_stay_as_they_are(void **state) {
  (void)state;
  bool changed;
  assert_ok(search_round(&s, LAMBDA, &err));
  const size_t bytes = s.candidate.quantized.count * sizeof(float);
  float *before = malloc(bytes);
  memcpy(before, s.candidate.quantized.memory, bytes);
  const double bits = aq_search_problem_bits(&s.problem);
  assert_ok(aq_candidate_choose_rounding(&s.candidate, &changed, &err));
  assert_memory_equal(before, s.candidate.quantized.memory, bytes);
  assert_true(aq_search_problem_bits(&s.problem) == bits);
  free(before);
}

static bool stop(void *ctx, const aq_progress_event *event) {
  (void)ctx;
  (void)event;
  return false;
}

static void caller_can_stop_it(void **state) {
  (void)state;
  bool changed;
  const aq_run_options run = {.progress = stop};
  aq_progress progress;
  assert_ok(search_round(&s, LAMBDA, &err));
  aq_progress_begin(&progress, &run, "search", 0, 0);
  progress.last = 0; /* long ago: the caller is asked at once */
  s.candidate.progress = &progress;
  assert_int_equal(aq_candidate_choose_rounding(&s.candidate, &changed, &err), AQ_ERR_INTERRUPTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_better_rounding_is_chosen, set_up, tear_down),
      cmocka_unit_test_setup_teardown(only_the_matrix_that_is_harmed_is_rounded_to_nearest, set_up, tear_down),
      cmocka_unit_test_setup_teardown(codes_and_parameters_stay_as_they_are, set_up, tear_down),
      cmocka_unit_test_setup_teardown(caller_can_stop_it, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
