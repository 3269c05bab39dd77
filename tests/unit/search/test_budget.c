/* test_budget.c - what a target leaves to the tensors that a search plans. */
#include "search/budget.h"

#include <sys/stat.h>

#include "problem_fixture.h"

static aq_error err;

static uint64_t params_of(size_t tensor) { return pf.source->tensors[tensor].num_params; }

static uint64_t planned_params(void) {
  return params_of(PROBLEM_WIDE) + params_of(PROBLEM_STACK) + params_of(PROBLEM_CONV) + params_of(PROBLEM_VECTOR);
}

/* Every quantized weight counts once, ties and kept tensors not at all; what a rule quantizes takes its part first. */
static void bits_per_weight_are_those_of_quantized_weights(void **state) {
  (void)state;
  aq_budget four, five;
  const double params = (double)(planned_params() + params_of(PROBLEM_RULED));
  assert_ok(aq_budget_measure(pf.source, &pf.plan, &pf.options, &four, &err));
  assert_true((double)four.quantized_params == params);
  const double ruled = 4 * params - four.bits;
  const double least =
      8 * (double)aq_plan_entry_bytes(&pf.source->tensors[PROBLEM_RULED], &pf.plan.entries[PROBLEM_RULED]);
  assert_true(ruled > least && ruled < least + 8 * 200); /* with its headers */
  pf.options.target_bpw = 5;
  assert_ok(aq_budget_measure(pf.source, &pf.plan, &pf.options, &five, &err));
  assert_true(five.bits - four.bits == params);
}

/* The whole file fits, and little of it is reserved for nothing. */
static void a_size_leaves_room_for_all_that_is_not_planned(void **state) {
  (void)state;
  aq_budget budget;
  struct stat info;
  problem_create("none", 0, 2);
  aq_source_close(problem_write(1e-3));
  assert_int_equal(stat(pf.output, &info), 0);
  const double planned = aq_search_problem_bits(&pf.problem);
  aq_plan_reset(&pf.plan);
  pf.plan = make_plan(pf.source, &pf.options);
  pf.options.target_bpw = 0;
  pf.options.target_size = (uint64_t)info.st_size;
  assert_ok(aq_budget_measure(pf.source, &pf.plan, &pf.options, &budget, &err));
  assert_true(budget.bits <= planned);
  assert_true(budget.bits >= planned - 8 * 8192);
  pf.options.target_size += 1000;
  aq_budget more;
  assert_ok(aq_budget_measure(pf.source, &pf.plan, &pf.options, &more, &err));
  assert_true(more.bits == budget.bits + 8000);
}

static void parts_take_rows_of_their_own(void **state) {
  (void)state;
  aq_budget whole, parts;
  pf.options.target_bpw = 0;
  pf.options.target_size = 1000000;
  assert_ok(aq_budget_measure(pf.source, &pf.plan, &pf.options, &whole, &err));
  pf.options.table.part_bytes = params_of(PROBLEM_WIDE); /* four parts of it, and four of what is tied to it */
  assert_ok(aq_budget_measure(pf.source, &pf.plan, &pf.options, &parts, &err));
  assert_true(whole.bits - parts.bits >= 8 * 8 * 200);
}

static void what_cannot_be_reached_says_what_can(void **state) {
  (void)state;
  const aq_budget budget = {.bits = 1000, .quantized_params = 2000};
  aq_quantize_options o = pf.options;
  o.target_bpw = 1.5;
  assert_int_equal(aq_budget_fail_too_small(&budget, &o, 2020, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "1.5 bits per weight cannot be reached; about 2.010 can");
  assert_string_equal(err.hint, "Use `target_bpw=2.01` or more");
  o.target_bpw = 0;
  o.target_size = 500000;
  assert_int_equal(aq_budget_fail_too_small(&budget, &o, 81000, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "a file of 500000 bytes cannot be reached; about 510000 can");
  assert_string_equal(err.hint, "Use `target_size=0.51MB` or more");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(bits_per_weight_are_those_of_quantized_weights, problem_set_up,
                                      problem_tear_down),
      cmocka_unit_test_setup_teardown(a_size_leaves_room_for_all_that_is_not_planned, problem_set_up,
                                      problem_tear_down),
      cmocka_unit_test_setup_teardown(parts_take_rows_of_their_own, problem_set_up, problem_tear_down),
      cmocka_unit_test_setup_teardown(what_cannot_be_reached_says_what_can, problem_set_up, problem_tear_down),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
