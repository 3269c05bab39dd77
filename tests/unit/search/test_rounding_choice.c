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
  float *w = search_weights(&s, item);
  double similarity;
  size_t count;
  e.codes = aq_malloc((size_t)e.count);
  memcpy(e.codes, item->encoded.codes, (size_t)e.count);
  if (to_nearest) aq_encoded_round(&e, w, e.codes);
  assert_ok(aq_params_copy_whole(&s.calibration->original, s.calibration->pool, &single, &err));
  aq_encoded_decode(&e, aq_params_find(&single, item->factors->tensor, &count));
  assert_ok(aq_calibration_similarity(s.calibration, &single, &s.calibration->choose, &similarity, &err));
  aq_params_reset(&single);
  free(w);
  aq_free(e.codes);
  return similarity;
}

static bool has_choice(const aq_candidate_item *item) { return item->factors != NULL && item->factors->input_l.n > 0; }

static void the_better_rounding_is_chosen(void **state) {
  (void)state;
  bool nearest[16];
  assert_true(s.problem.count <= AQ_COUNT_OF(nearest));
  assert_ok(search_round(&s, LAMBDA, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    nearest[i] = has_choice(item) && similarity_with(item, true) > similarity_with(item, false);
  }
  assert_ok(aq_candidate_choose_rounding(&s.candidate, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    assert_int_equal(s.candidate.items[i].to_nearest, nearest[i]); /* false where there is nothing to choose from */
  }
}

/* The candidate is what another rounding, which keeps to the choice, makes. Zeros in the place of a matrix are worse
 * than any rounding of it. */
static void what_is_chosen_is_what_is_rounded_next(void **state) {
  (void)state;
  int8_t *codes[16];
  assert_true(s.problem.count <= AQ_COUNT_OF(codes));
  assert_ok(search_round(&s, LAMBDA, &err));
  assert_true(has_choice(&s.candidate.items[0]));
  memset(s.candidate.items[0].encoded.codes, 0, (size_t)s.candidate.items[0].encoded.count);
  assert_ok(aq_candidate_choose_rounding(&s.candidate, &err));
  assert_true(s.candidate.items[0].to_nearest);
  const double bits = aq_search_problem_bits(&s.problem);
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_encoded *e = &s.candidate.items[i].encoded;
    codes[i] = calloc((size_t)e->count, 1);
    if (e->codes != NULL) memcpy(codes[i], e->codes, (size_t)e->count);
  }
  assert_ok(search_round(&s, LAMBDA, &err));
  assert_true(aq_search_problem_bits(&s.problem) == bits);
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_encoded *e = &s.candidate.items[i].encoded;
    if (e->codes != NULL) assert_memory_equal(e->codes, codes[i], (size_t)e->count);
    free(codes[i]);
  }
}

/* The other matrices are judged without the one that is harmed. */
static void only_the_matrix_that_is_harmed_is_rounded_to_nearest(void **state) {
  (void)state;
  bool before[16];
  assert_true(s.problem.count <= AQ_COUNT_OF(before));
  assert_ok(search_round(&s, LAMBDA, &err));
  assert_ok(aq_candidate_choose_rounding(&s.candidate, &err));
  size_t harmed = s.problem.count;
  for (size_t i = 0; i < s.problem.count; i++) {
    before[i] = s.candidate.items[i].to_nearest;
    if (!before[i] && has_choice(&s.candidate.items[i])) harmed = i;
    s.candidate.items[i].to_nearest = false;
  }
  assert_true(harmed < s.problem.count);
  assert_ok(search_round(&s, LAMBDA, &err));
  memset(s.candidate.items[harmed].encoded.codes, 0, (size_t)s.candidate.items[harmed].encoded.count);
  assert_ok(aq_candidate_choose_rounding(&s.candidate, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    assert_int_equal(s.candidate.items[i].to_nearest, i == harmed || before[i]);
  }
}

static bool stop(void *ctx, const aq_progress_event *event) {
  (void)ctx;
  (void)event;
  return false;
}

static void caller_can_stop_it(void **state) {
  (void)state;
  const aq_run_options run = {.progress = stop};
  aq_progress progress;
  assert_ok(search_round(&s, LAMBDA, &err));
  aq_progress_begin(&progress, &run, "search", 0, 0);
  progress.last = 0; /* long ago: the caller is asked at once */
  s.candidate.progress = &progress;
  assert_int_equal(aq_candidate_choose_rounding(&s.candidate, &err), AQ_ERR_INTERRUPTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_better_rounding_is_chosen, set_up, tear_down),
      cmocka_unit_test_setup_teardown(only_the_matrix_that_is_harmed_is_rounded_to_nearest, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_chosen_is_what_is_rounded_next, set_up, tear_down),
      cmocka_unit_test_setup_teardown(caller_can_stop_it, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
