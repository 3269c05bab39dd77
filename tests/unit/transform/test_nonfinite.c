/* test_nonfinite.c - values that cannot be stored, and the policy that a plan goes through before work begins. */
#include "transform/nonfinite.h"

#include <math.h>

#include "core/error.h"
#include "plan_fixture.h"

static aq_error err;

/* More values than are read at a time. */
#define LONG_ROWS 600
#define LONG_COLUMNS 1024

static struct {
  aq_source *source;
  float *values[4];
  aq_plan plan;
} nf;

static const char *const names[] = {"first.weight", "kept.weight", "long.weight", "tied.weight"};

static int set_up(void **state) {
  (void)state;
  aq_quantize_options o = plan_options("int4", NULL, 0, NULL);
  o.keep_patterns = (const char *const[]){"kept.weight"};
  o.keep_pattern_count = 1;
  nf.source = make_source();
  for (size_t i = 0; i < 4; i++) {
    const int64_t rows = i == 2 ? LONG_ROWS : 40, columns = i == 2 ? LONG_COLUMNS : 32;
    nf.values[i] = i == 3 ? nf.values[0] : malloc((size_t)(rows * columns) * sizeof(float));
    if (i < 3) fill_noise(nf.values[i], (size_t)(rows * columns), (uint32_t)i);
    add_f32(nf.source, names[i], rows, columns, nf.values[i]);
  }
  tie_source(nf.source);
  assert_int_equal(nf.source->tensors[3].alias_of, 0);
  nf.plan = make_plan(nf.source, &o);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  aq_plan_reset(&nf.plan);
  aq_source_close(nf.source);
  for (size_t i = 0; i < 3; i++) free(nf.values[i]);
  return 0;
}

static void finite_values_change_nothing(void **state) {
  (void)state;
  for (uint32_t threads = 1; threads < 4; threads++) {
    assert_ok(aq_nonfinite_settle(nf.source, AQ_NONFINITE_REFUSE, threads, &nf.plan, &err));
    assert_ok(aq_nonfinite_settle(nf.source, AQ_NONFINITE_KEEP, threads, &nf.plan, &err));
    for (size_t i = 0; i < 4; i++) assert_int_equal(nf.plan.entries[i].action, i == 1 ? AQ_KEEP : AQ_QUANTIZE);
  }
}

static void what_is_kept_may_hold_anything(void **state) {
  (void)state;
  nf.values[1][0] = NAN;
  assert_ok(aq_nonfinite_settle(nf.source, AQ_NONFINITE_REFUSE, 2, &nf.plan, &err));
}

static void the_first_such_value_is_named_with_what_to_do(void **state) {
  (void)state;
  nf.values[2][500 * LONG_COLUMNS + 9] = INFINITY;
  nf.values[2][501 * LONG_COLUMNS] = NAN;
  assert_int_equal(aq_nonfinite_settle(nf.source, AQ_NONFINITE_REFUSE, 2, &nf.plan, &err), AQ_ERR_NONFINITE);
  assert_string_equal(err.tensor, "long.weight");
  assert_non_null(strstr(err.message, "[500, 9] is infinite"));
  assert_non_null(strstr(err.hint, "`nonfinite=keep`"));
  nf.values[0][33] = NAN; /* of a tensor before it */
  assert_int_equal(aq_nonfinite_settle(nf.source, AQ_NONFINITE_REFUSE, 2, &nf.plan, &err), AQ_ERR_NONFINITE);
  assert_string_equal(err.tensor, "first.weight");
  assert_non_null(strstr(err.message, "[1, 1] is NaN"));
}

static void such_tensors_are_kept_with_those_tied_to_them(void **state) {
  (void)state;
  nf.values[0][7] = NAN;
  assert_ok(aq_nonfinite_settle(nf.source, AQ_NONFINITE_KEEP, 2, &nf.plan, &err));
  for (size_t i = 0; i < 4; i++) assert_int_equal(nf.plan.entries[i].action, i == 2 ? AQ_QUANTIZE : AQ_KEEP);
  assert_non_null(strstr(nf.plan.entries[0].rule, "finite"));
}

static void hints_are_for_such_values_alone(void **state) {
  (void)state;
  aq_error_clear(&err);
  assert_int_equal(aq_nonfinite_hint(AQ_OK, &err), AQ_OK);
  assert_int_equal(aq_nonfinite_hint(AQ_ERR_IO, &err), AQ_ERR_IO);
  assert_string_equal(err.hint, "");
  assert_int_equal(aq_nonfinite_hint(AQ_ERR_NONFINITE, &err), AQ_ERR_NONFINITE);
  assert_non_null(strstr(err.hint, "`keep_patterns`"));
}

/* Numbers beyond fp16, which only a conversion finds; an infinity of the source can be stored. */
static void values_beyond_the_type_of_a_conversion_count_too(void **state) {
  (void)state;
  const aq_quantize_options o = plan_options("fp16", NULL, 0, NULL);
  aq_plan_reset(&nf.plan);
  nf.plan = make_plan(nf.source, &o);
  nf.values[1][3] = INFINITY;
  assert_ok(aq_nonfinite_settle(nf.source, AQ_NONFINITE_REFUSE, 2, &nf.plan, &err));
  nf.values[2][599 * LONG_COLUMNS + 1023] = 1e6F;
  assert_int_equal(aq_nonfinite_settle(nf.source, AQ_NONFINITE_REFUSE, 2, &nf.plan, &err), AQ_ERR_NONFINITE);
  assert_non_null(strstr(err.message, "1e+06 at index [599, 1023] does not fit"));
  assert_ok(aq_nonfinite_settle(nf.source, AQ_NONFINITE_KEEP, 2, &nf.plan, &err));
  for (size_t i = 0; i < 4; i++) assert_int_equal(nf.plan.entries[i].action, i == 2 ? AQ_KEEP : AQ_CONVERT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(finite_values_change_nothing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_kept_may_hold_anything, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_first_such_value_is_named_with_what_to_do, set_up, tear_down),
      cmocka_unit_test_setup_teardown(such_tensors_are_kept_with_those_tied_to_them, set_up, tear_down),
      cmocka_unit_test_setup_teardown(values_beyond_the_type_of_a_conversion_count_too, set_up, tear_down),
      cmocka_unit_test(hints_are_for_such_values_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
