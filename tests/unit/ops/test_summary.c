/* test_summary.c - the report of convert and quantize, against the plan and the file. */
#include <math.h>
#include <sys/stat.h>

#include "ops/summary.h"
#include "report/report.h"
#include "transform_fixture.h"

static aq_error err;

static json_t *member(json_t *root, const char *object, const char *key) {
  json_t *found = json_object_get(object != NULL ? json_object_get(root, object) : root, key);
  if (found == NULL) fail_msg("there is no %s.%s", object != NULL ? object : "", key);
  return found;
}

static uint64_t count_of(json_t *root, const char *object, const char *key) {
  return (uint64_t)json_integer_value(member(root, object, key));
}

static json_t *row_of(json_t *root, size_t tensor) {
  json_t *row = json_array_get(json_object_get(root, "tensors"), tensor);
  assert_string_equal(json_string_value(json_object_get(row, "name")), job_names[tensor]);
  return row;
}

/* Writes the table of a plan and reports on it. */
static aq_report *written(const char *type) {
  job_plan(type);
  const aq_transform job = job_make();
  const aq_summary summary = {.kind = "quantize",
                              .source = jf.source,
                              .plan = &jf.plan,
                              .output = jf.output,
                              .schema_version = 2,
                              .seconds = 1.5};
  aq_report *report;
  assert_ok(aq_transform_run(&job, NULL, &err));
  assert_ok(aq_summary_report(&summary, &report, &err));
  return report;
}

static void every_tensor_has_its_action_type_and_rule(void **state) {
  (void)state;
  static const struct {
    const char *action, *type;
  } expected[JOB_TENSORS] = {{"quantized", "int8 per channel sym minmax"},
                             {"quantized", "int8 per channel sym minmax"},
                             {"kept", "kept"},
                             {"kept", "kept"},
                             {"kept", "kept"},
                             {"kept", "kept"},
                             {"alias", "alias"}};
  aq_report *report = written("int8");
  for (size_t i = 0; i < JOB_TENSORS; i++) {
    json_t *row = row_of(report->root, i);
    assert_string_equal(json_string_value(json_object_get(row, "action")), expected[i].action);
    assert_string_equal(json_string_value(json_object_get(row, "type")), expected[i].type);
    assert_true(json_string_length(json_object_get(row, "rule")) > 0);
    assert_int_equal(count_of(row, NULL, "params"), jf.source->tensors[i].num_params);
  }
  assert_string_equal(json_string_value(member(row_of(report->root, JOB_TIED), NULL, "alias_of")), "matrix");
  assert_int_equal(count_of(row_of(report->root, JOB_TIED), NULL, "bytes_after"), 0);
  aq_report_free(report);
}

static void totals_add_up_to_the_file(void **state) {
  (void)state;
  aq_report *report = written("int4");
  aq_source *table = job_open();
  json_t *root = report->root;
  const uint64_t matrix = JOB_ROWS * JOB_COLUMNS, half = 30 * JOB_COLUMNS, rest = JOB_COLUMNS + 5 + 1;
  uint64_t stored = 0, quantized = 0;
  struct stat info;
  for (size_t i = 0; i < aq_source_tensor_count(table); i++) {
    const aq_tensor_info *t = aq_source_tensor(table, i);
    stored += t->stored_bytes;
    if (t->quant_type != AQ_KEPT) quantized += t->stored_bytes;
  }
  assert_int_equal(stat(jf.output, &info), 0);
  assert_int_equal(count_of(root, "totals", "tensors"), JOB_TENSORS);
  assert_int_equal(count_of(root, "totals", "params"), matrix + half + rest); /* those of the alias once */
  assert_int_equal(count_of(root, "totals", "quantized_tensors"), 2);
  assert_int_equal(count_of(root, "totals", "quantized_params"), matrix + half);
  assert_int_equal(count_of(root, "totals", "kept_tensors"), 4);
  assert_int_equal(count_of(root, "totals", "converted_tensors"), 0);
  assert_int_equal(count_of(root, "totals", "alias_tensors"), 1);
  assert_int_equal(count_of(root, "totals", "payload_bytes"), stored);
  assert_int_equal(count_of(root, "output", "file_bytes"), (uint64_t)info.st_size);
  const double bits = json_real_value(member(root, "totals", "bits_per_weight"));
  assert_true(fabs(bits - 8.0 * (double)quantized / (double)(matrix + half)) < 1e-12);
  const double ratio = json_real_value(member(root, "totals", "ratio_to_fp32"));
  assert_true(fabs(ratio - 4.0 * (double)(matrix + half + rest) / (double)info.st_size) < 1e-12);
  assert_true(json_real_value(member(root, NULL, "seconds")) == 1.5);
  aq_source_close(table);
  aq_report_free(report);
}

static void a_dry_run_has_an_estimate_and_no_output(void **state) {
  (void)state;
  job_plan("int8");
  jf.plan.entries[JOB_HALF].bits = 2;
  jf.plan.entries[JOB_HALF].loss = 0.25;
  json_t *options = json_pack("{s:s}", "type", "int8");
  const aq_summary summary = {.kind = "quantize",
                              .source = jf.source,
                              .plan = &jf.plan,
                              .schema_version = 2,
                              .options = options,
                              .memory_bytes = 12345,
                              .other_bytes = 1000};
  aq_report *report;
  assert_ok(aq_summary_report(&summary, &report, &err));
  json_t *root = report->root;
  assert_true(json_is_null(member(root, NULL, "output")));
  assert_int_equal(count_of(root, "estimate", "memory_bytes"), 12345);
  assert_int_equal(count_of(root, "estimate", "model_files_bytes"), 0);
  const uint64_t matrix = JOB_ROWS * JOB_COLUMNS + JOB_ROWS * 8, half = 30 * JOB_COLUMNS * 2 / 8; /* as expected */
  assert_int_equal(count_of(row_of(root, JOB_MATRIX), NULL, "bytes_after"), matrix);
  assert_int_equal(count_of(row_of(root, JOB_HALF), NULL, "bytes_after"), half);
  assert_true(json_real_value(member(row_of(root, JOB_HALF), NULL, "expected_loss")) == 0.25);
  assert_null(json_object_get(row_of(root, JOB_MATRIX), "expected_loss"));
  const uint64_t kept = (JOB_COLUMNS + 1) * 4 + 5 * 8;
  assert_int_equal(count_of(root, "estimate", "file_bytes_at_most"), matrix + half + kept + 1000);
  assert_string_equal(json_string_value(member(root, "options", "type")), "int8");
  aq_report_free(report);
  assert_int_equal(options->refcount, 1);
  json_decref(options);
}

static void a_dry_run_never_passes_the_target(void **state) {
  (void)state;
  job_plan("int8");
  const aq_summary summary = {.kind = "quantize",
                              .source = jf.source,
                              .plan = &jf.plan,
                              .schema_version = 2,
                              .other_bytes = 100000,
                              .size_limit = 5000};
  aq_report *report;
  assert_ok(aq_summary_report(&summary, &report, &err));
  assert_int_equal(count_of(report->root, "estimate", "file_bytes_at_most"), 5000);
  aq_report_free(report);
}

static void warnings_are_notes_and_matrices_kept_without_a_rule(void **state) {
  (void)state;
  job_plan("int8");
  assert_ok(aq_source_add_note(jf.source, &err, "a remark"));
  jf.plan.entries[JOB_MATRIX].unexpected = jf.plan.entries[JOB_TIED].unexpected = true; /* one matrix */
  const aq_summary summary = {.kind = "quantize", .source = jf.source, .plan = &jf.plan, .schema_version = 2};
  aq_report *report;
  assert_ok(aq_summary_report(&summary, &report, &err));
  const json_t *warnings = json_object_get(report->root, "warnings");
  assert_int_equal(json_array_size(warnings), 2);
  assert_string_equal(json_string_value(json_array_get(warnings, 0)), "a remark");
  assert_non_null(strstr(json_string_value(json_array_get(warnings, 1)), "1 matrix was kept"));
  aq_report_free(report);
}

/* Without a report there is no success: a file that does not have the tensors is removed. */
static void an_output_that_is_not_right_is_removed(void **state) {
  (void)state;
  aq_report_free(written("int8"));
  aq_source *fewer = make_source();
  aq_report *report;
  add_f32(fewer, "matrix", JOB_ROWS, JOB_COLUMNS, jf.matrix);
  const aq_summary summary = {
      .kind = "quantize", .source = fewer, .plan = &jf.plan, .output = jf.output, .schema_version = 2};
  assert_int_equal(aq_summary_report(&summary, &report, &err), AQ_ERR_INTERNAL);
  assert_null(report);
  assert_int_equal(access(jf.output, F_OK), -1);
  aq_source_close(fewer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_tensor_has_its_action_type_and_rule, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(totals_add_up_to_the_file, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(a_dry_run_has_an_estimate_and_no_output, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(a_dry_run_never_passes_the_target, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(warnings_are_notes_and_matrices_kept_without_a_rule, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(an_output_that_is_not_right_is_removed, job_set_up, job_tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
