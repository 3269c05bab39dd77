/* test_cost.c - what tensors cost at a price of a bit, estimated and as files have it. */
#include "core/memory.h"
#include "problem_fixture.h"
#include "tensor/dtype.h"

static aq_error err;

static void estimates_fall_with_the_price_and_not_with_threads(void **state) {
  (void)state;
  double last = INFINITY;
  for (uint32_t i = 0; i < 5; i++) {
    const double lambda = 1e-6 * pow(8, i);
    problem_create(NULL, 0, 3);
    assert_ok(aq_search_problem_estimate(&pf.problem, lambda, &err));
    const double bits = aq_search_problem_bits(&pf.problem);
    assert_true(bits < last && bits > 0);
    assert_true(pf.problem.lambda == lambda);
    last = bits;
    problem_drop();
    problem_create(NULL, 0, 1 + i);
    assert_ok(aq_search_problem_estimate(&pf.problem, lambda, &err));
    assert_true(aq_search_problem_bits(&pf.problem) == bits);
    problem_drop();
  }
}

/* Budgets are kept because no tensor takes more than was counted; they are used because it takes little less. */
static void bits_are_those_of_the_file(void **state) {
  (void)state;
  static const struct {
    const char *codec;
    uint64_t part_bytes;
    double lambda;
  } cases[] = {{"none", 0, 1e-3},   {NULL, 0, 1e-3},     {NULL, 0, 1e-5},       {"brotli", 0, 1e-3}, {"lz4", 0, 1e-2},
               {"snappy", 0, 1e-2}, {"zstd:3", 0, 1e-2}, {"none", 40000, 1e-3}, {NULL, 40000, 1e-3}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    (void)problem_tear_down(NULL);
    (void)problem_set_up(NULL);
    problem_create(cases[i].codec, cases[i].part_bytes, 3);
    aq_source *table = problem_write(cases[i].lambda);
    for (size_t k = 0; k < pf.problem.count; k++) {
      const aq_search_item *p = &pf.problem.items[k];
      const aq_tensor_info *t = aq_source_tensor(table, search_find(table, problem_tensors[p->tensor].name));
      const double stored = 8.0 * (double)t->stored_bytes;
      if (stored > p->bits || stored < (cases[i].part_bytes > 0 ? 0.8 : 0.93) * p->bits) {
        fail_msg("case %zu, %s: %.0f bits were counted, %.0f are stored", i, t->name, p->bits, stored);
      }
      if (i == 0) assert_true(stored == p->bits); /* neither codec nor parts */
    }
    aq_source_close(table);
  }
}

static void estimates_are_near_what_is_counted(void **state) {
  (void)state;
  problem_create(NULL, 0, 3);
  double counted = 0;
  assert_ok(aq_search_problem_estimate(&pf.problem, 1e-3, &err));
  const double estimated = aq_search_problem_bits(&pf.problem);
  for (size_t i = 0; i < pf.problem.count; i++) {
    aq_encoded found = {.count = 0};
    assert_ok(aq_search_item_round_to_nearest(&pf.problem, &pf.problem.items[i], 0, &found, &err));
    assert_non_null(found.scales);
    assert_null(found.codes); /* which the writer makes */
    counted += pf.problem.items[i].bits;
    aq_encoded_reset(&found);
  }
  assert_true(fabs(estimated / counted - 1) < 0.05);
}

/* What layouts are compared by is an estimate; with all codes at hand it is counted. */
static void codes_that_are_dearer_take_more_bits(void **state) {
  (void)state;
  problem_create("none", 0, 3);
  aq_search_item *item = &pf.problem.items[0];
  pf.problem.lambda = 1e-3;
  aq_encoded found = {.count = 0};
  assert_ok(aq_search_item_choose(&pf.problem, item, pf.values[item->tensor], 0, &found, &err));
  found.codes = aq_calloc((size_t)found.count, 1);
  assert_ok(aq_search_item_count_bits(&pf.problem, item, &found, AQ_ALL_WORKERS, &err));
  const double alone = item->bits;
  const double least = (double)(found.count * aq_quant_type_bits(found.type)) + 64 * (double)found.span_count;
  assert_true(alone > least && alone < least + 8 * 3 * 100);                /* three page headers */
  assert_ok(aq_search_item_count_bits(&pf.problem, item, &found, 1, &err)); /* by one worker */
  assert_true(item->bits == alone);
  aq_encoded_reset(&found);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(estimates_fall_with_the_price_and_not_with_threads, problem_set_up,
                                      problem_tear_down),
      cmocka_unit_test_setup_teardown(bits_are_those_of_the_file, problem_set_up, problem_tear_down),
      cmocka_unit_test_setup_teardown(estimates_are_near_what_is_counted, problem_set_up, problem_tear_down),
      cmocka_unit_test_setup_teardown(codes_that_are_dearer_take_more_bits, problem_set_up, problem_tear_down),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
