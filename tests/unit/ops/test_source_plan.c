/* test_source_plan.c - plans of callers: made for a source, written as JSON and read again. */
#include <math.h>

#include "arrowquant_experimental.h"
#include "core/file.h"
#include "core/memory.h"
#include "quant/plan.h"
#include "source_fixture.h"
#include "temp_folder.h"

enum { ROWS = 40, COLUMNS = 48 };

static aq_error err;
static float values[ROWS * COLUMNS], other[ROWS * COLUMNS];

static aq_source *make_model(void) {
  aq_source *source = make_source();
  fill_noise(values, ROWS * COLUMNS, 1);
  fill_noise(other, ROWS * COLUMNS, 2);
  add_f32(source, "w", ROWS, COLUMNS, values);
  add_f32(source, "tied", ROWS, COLUMNS, values);
  add_f32(source, "bias", COLUMNS, 0, other);
  add_f32(source, "v", ROWS, COLUMNS, other);
  return source;
}

static aq_quantize_options int4_options(void) {
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.type = "int4";
  return o;
}

static void a_plan_is_what_quantize_would_carry_out(void **state) {
  (void)state;
  aq_source *source = make_model();
  aq_quantize_options o = int4_options();
  aq_plan *plan;
  char *text, *saved;
  assert_ok(aq_plan_create(source, &o, &plan, &err));
  o.dry_run = true;
  o.save_plan_path = temp_path("plan.json");
  assert_ok(aq_quantize_source(source, NULL, &o, NULL, &err));
  assert_int_equal(source->tensors[1].alias_of, -1); /* the source stays as it is */
  aq_source_close(source);
  assert_ok(aq_plan_render(plan, &text, &err));
  assert_ok(aq_file_slurp(o.save_plan_path, (size_t)1 << 20, &saved, NULL, &err));
  assert_string_equal(text, saved);
  assert_non_null(strstr(text, "\"name\": \"tied\""));
  aq_free(text);
  aq_free(saved);
  aq_plan_free(plan);
  aq_plan_free(NULL);
}

static void a_text_that_is_read_is_the_same_plan(void **state) {
  (void)state;
  aq_source *source = make_model();
  const aq_quantize_options o = int4_options();
  aq_plan *plan, *again;
  char *text, *second;
  assert_ok(aq_plan_create(source, &o, &plan, &err));
  assert_ok(aq_plan_render(plan, &text, &err));
  assert_ok(aq_plan_parse(source, text, strlen(text), &again, &err));
  assert_true(again->entries[1].tied);
  aq_source_close(source);
  assert_ok(aq_plan_render(again, &second, &err));
  const char *rule = strstr(text, "default int4");
  assert_non_null(rule); /* why, which a plan that was read says otherwise */
  assert_null(strstr(second, "default int4"));
  assert_non_null(strstr(second, "\"rule\": \"plan\""));
  assert_int_equal(plan->count, again->count);
  for (size_t i = 0; i < plan->count; i++) {
    char mine[64], theirs[64];
    assert_string_equal(aq_plan_entry_text(&plan->entries[i], mine, sizeof mine),
                        aq_plan_entry_text(&again->entries[i], theirs, sizeof theirs));
  }
  aq_free(text);
  aq_free(second);
  aq_plan_free(plan);
  aq_plan_free(again);
}

static void what_is_not_a_plan_for_the_source_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"", "{", "[]", "{\"arrowquant_plan\":1,\"tensors\":[]}",
                                      "{\"arrowquant_plan\":2,\"tensors\":[]}"};
  aq_source *source = make_model();
  aq_plan *plan = NULL;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    assert_int_not_equal(aq_plan_parse(source, texts[i], strlen(texts[i]), &plan, &err), AQ_OK);
    assert_null(plan);
    assert_true(err.message[0] != 0);
  }
  assert_int_equal(aq_plan_parse(NULL, "{}", 2, &plan, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_plan_create(NULL, NULL, &plan, &err), AQ_ERR_ARGUMENT);
  char *text;
  assert_int_equal(aq_plan_render(NULL, &text, &err), AQ_ERR_ARGUMENT);
  assert_null(text);
  aq_source_close(source);
}

static void what_needs_a_search_is_refused_and_policies_are_applied(void **state) {
  (void)state;
  aq_source *source = make_model();
  aq_quantize_options o = int4_options();
  aq_plan *plan;
  o.target_bpw = 3;
  assert_int_equal(aq_plan_create(source, &o, &plan, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.hint, "`save_plan_path`"));
  o = int4_options();
  o.nonfinite = AQ_NONFINITE_KEEP;
  other[5] = INFINITY;
  assert_ok(aq_plan_create(source, &o, &plan, &err));
  assert_int_equal(plan->entries[0].action, AQ_QUANTIZE);
  assert_int_equal(plan->entries[3].action, AQ_KEEP);
  aq_plan_free(plan);
  o.strict = true;
  assert_int_equal(aq_plan_create(source, &o, &plan, &err), AQ_ERR_DEGRADED);
  assert_string_equal(err.tensor, "v");
  assert_null(plan);
  aq_source_close(source);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_plan_is_what_quantize_would_carry_out),
      cmocka_unit_test(a_text_that_is_read_is_the_same_plan),
      cmocka_unit_test(what_is_not_a_plan_for_the_source_is_refused),
      cmocka_unit_test(what_needs_a_search_is_refused_and_policies_are_applied),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
