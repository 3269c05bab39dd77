/* test_problem.c - the tensors whose type and scales a search finds: their rows, their samples, their entries. */
#include "problem_fixture.h"

static void open_entries_are_planned_with_their_rows(void **state) {
  (void)state;
  size_t at = 0;
  problem_create(NULL, 0, 3);
  for (size_t i = 0; i < PROBLEM_TENSORS; i++) {
    if (problem_tensors[i].rows == 0) continue;
    const aq_search_item *p = &pf.problem.items[at++];
    assert_int_equal(p->tensor, i);
    assert_int_equal(p->rows, problem_tensors[i].rows);
    assert_int_equal(p->cols, problem_tensors[i].cols);
    assert_false(p->loss_is_similarity);
    assert_int_equal(p->row_group, i == PROBLEM_STACK ? 40 : i == PROBLEM_VECTOR ? 96 : 0);
    assert_true(p->why[0] != '\0');
    for (size_t r = 0; r < p->rows; r++) assert_true(p->sensitivity[r] > 0);
    assert_true(p->sample_rows <= p->rows && p->sample_rows * p->cols <= (size_t)1 << 18);
    /* The rows of a sample are rows of the tensor, in their order and evenly spaced. */
    for (size_t r = 0; r < p->sample_rows; r++) {
      const size_t row = r * p->rows / p->sample_rows;
      assert_memory_equal(p->sample + r * p->cols, pf.values[i] + row * p->cols, p->cols * sizeof(float));
    }
  }
  assert_int_equal(pf.problem.count, at);
  assert_int_equal(pf.problem.items[0].sample_rows, 512);
}

static void a_choice_becomes_the_entry_of_the_plan(void **state) {
  (void)state;
  problem_create(NULL, 0, 3);
  aq_source *table = problem_write(1e-3);
  for (size_t i = 0; i < pf.problem.count; i++) {
    const aq_search_item *p = &pf.problem.items[i];
    const aq_plan_entry *e = &pf.plan.entries[p->tensor];
    const aq_tensor_info *t = &pf.source->tensors[p->tensor];
    assert_int_equal(e->scheme.method, AQ_RD);
    assert_true(e->scheme.symmetric && e->zero_points == NULL && e->quant_axis == 0);
    assert_int_equal(e->scale_count * e->span_length, t->num_params);
    assert_true(strncmp(e->rule, "a test; ", 8) == 0 && strcmp(e->rule + 8, p->why) == 0);
    assert_true(e->bits == p->bits / (double)t->num_params);
    assert_true(e->loss == 0); /* nothing was measured */
    /* Rows of a stack are no channels of axis 0. */
    if (p->tensor == PROBLEM_STACK || p->tensor == PROBLEM_VECTOR) assert_true(e->group_size > 0);
  }
  aq_source_close(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(open_entries_are_planned_with_their_rows, problem_set_up, problem_tear_down),
      cmocka_unit_test_setup_teardown(a_choice_becomes_the_entry_of_the_plan, problem_set_up, problem_tear_down),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
