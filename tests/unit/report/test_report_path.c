/* test_report_path.c - values of a report by their path. */
#include <math.h>

#include "check.h"
#include "report/report.h"

static aq_report *make_report(void) {
  aq_error err;
  aq_report *report;
  assert_ok(aq_report_create("compare", &report, &err));
  json_t *filled = json_loads(
      "{\"totals\": {\"cosine\": 0.1, \"params\": 9007199254740991, \"snr_db\": null, \"equal\": true},"
      " \"tensors\": [{\"name\": \"a\"}, {\"name\": \"b\", \"shape\": [3, 5]}], \"output\": null}",
      0, NULL);
  assert_non_null(filled);
  assert_int_equal(json_object_update(report->root, filled), 0);
  json_decref(filled);
  return report;
}

static void numbers_are_exact(void **state) {
  (void)state;
  aq_error err;
  aq_report *report = make_report();
  const struct {
    const char *path;
    double value;
  } cases[] = {{"totals.cosine", 0.1},
               {"totals.params", 9007199254740991.0},
               {"totals.equal", 1},
               {"tensors[1].shape[0]", 3},
               {"schema", 1}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    double found;
    assert_ok(aq_report_number(report, cases[i].path, &found, &err));
    assert_true(found >= cases[i].value && found <= cases[i].value);
  }
  double none = 0;
  assert_ok(aq_report_number(report, "totals.snr_db", &none, &err));
  assert_true(isnan(none));
  aq_report_free(report);
}

static void texts_and_counts_are_found(void **state) {
  (void)state;
  aq_error err;
  aq_report *report = make_report();
  const char *text;
  size_t count;
  assert_ok(aq_report_text(report, "tensors[1].name", &text, &err));
  assert_string_equal(text, "b");
  assert_ok(aq_report_text(report, "output", &text, &err));
  assert_null(text);
  assert_ok(aq_report_count(report, "tensors", &count, &err));
  assert_int_equal(count, 2);
  assert_ok(aq_report_count(report, "totals", &count, &err));
  assert_int_equal(count, 4);
  aq_report_free(report);
}

static void what_is_missing_is_named_with_what_is_there(void **state) {
  (void)state;
  aq_error err;
  aq_report *report = make_report();
  const struct {
    const char *path, *part, *also;
  } cases[] = {
      {"totals.mean_cosine", "'totals' of the report has no member 'mean_cosine'", "cosine, params, snr_db, equal"},
      {"sums", "the report has no member 'sums'", "totals, tensors"},
      {"tensors[2].name", "'tensors' of the report has 2 elements", "element 2"},
      {"totals[0]", "'totals' of the report is no array", "element 0"},
      {"totals.cosine.mean", "'totals.cosine' of the report has no members", "mean"},
      {"output.path", "'output' of the report has no members", "path"}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    double found;
    assert_int_equal(aq_report_number(report, cases[i].path, &found, &err), AQ_ERR_NO_MATCH);
    if (strstr(err.message, cases[i].part) == NULL || strstr(err.message, cases[i].also) == NULL) {
      fail_msg("%s: %s", cases[i].path, err.message);
    }
  }
  aq_report_free(report);
}

static void what_is_no_path_or_no_number_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_report *report = make_report();
  static const char *const paths[] = {"",
                                      "[0]",
                                      "totals.",
                                      "totals..cosine",
                                      "tensors[",
                                      "tensors[]",
                                      "tensors[-1]",
                                      "tensors[1",
                                      "tensors[1]x.y.",
                                      "tensors[0].name",
                                      "tensors[99999999999999999999]",
                                      "tensors",
                                      "totals"};
  for (size_t i = 0; i < AQ_COUNT_OF(paths); i++) {
    double found;
    const aq_status status = aq_report_number(report, paths[i], &found, &err);
    if (status != AQ_ERR_ARGUMENT && status != AQ_ERR_NO_MATCH) fail_msg("'%s' gives %d", paths[i], (int)status);
    assert_true(isnan(found));
  }
  const char *text;
  assert_int_equal(aq_report_text(report, "totals.cosine", &text, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_report_number(NULL, "totals", &(double){0}, &err), AQ_ERR_ARGUMENT);
  aq_report_free(report);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_exact),
      cmocka_unit_test(texts_and_counts_are_found),
      cmocka_unit_test(what_is_missing_is_named_with_what_is_there),
      cmocka_unit_test(what_is_no_path_or_no_number_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
