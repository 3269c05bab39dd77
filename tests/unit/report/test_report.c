/* test_report.c - JSON values, and rendering. */
#include <math.h>

#include "check.h"
#include "report/report.h"

static const char *const kinds[] = {"convert", "quantize", "export",      "info",    "verify",
                                    "compare", "embed",    "sensitivity", "validate"};

static void report_has_the_common_fields(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  assert_ok(aq_report_create("info", &report, &err));
  assert_string_equal(report->kind, "info");
  char *text;
  assert_ok(aq_report_render(report, AQ_REPORT_JSON, &text, &err));
  json_t *json = json_loads(text, 0, NULL);
  assert_string_equal(aq_json_get_string(json, "kind"), "info");
  assert_string_equal(aq_json_get_string(json, "arrowquant"), aq_version());
  assert_int_equal(aq_json_get_count(json, "schema"), 1);
  json_decref(json);
  aq_free(text);
  aq_report_free(report);
}

static void report_of_unknown_kind_is_not_rendered(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  char *text;
  assert_ok(aq_report_create("unknown", &report, &err));
  assert_int_equal(aq_report_render(report, AQ_REPORT_TEXT, &text, &err), AQ_ERR_INTERNAL);
  assert_null(text);
  aq_report_free(report);
  aq_report_free(NULL);
}

/* A document may come from an older version: what is missing must not hurt. */
static void every_kind_renders_without_fields(void **state) {
  (void)state;
  aq_error err;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    aq_report *report;
    assert_ok(aq_report_create(kinds[i], &report, &err));
    for (int form = AQ_REPORT_JSON; form <= AQ_REPORT_MARKDOWN; form++) {
      char *text;
      assert_ok(aq_report_render(report, (aq_report_form)form, &text, &err));
      assert_true(strlen(text) > 0);
      assert_int_equal(text[strlen(text) - 1], '\n');
      aq_free(text);
    }
    aq_report_free(report);
  }
}

static void json_numbers_that_json_lacks_become_null(void **state) {
  (void)state;
  json_t *object = json_object();
  aq_error err;
  assert_ok(aq_report_set(object, "inf", aq_json_real(INFINITY), &err));
  assert_ok(aq_report_set(object, "nan", aq_json_real(NAN), &err));
  assert_ok(aq_report_set(object, "half", aq_json_real(0.5), &err));
  assert_true(json_is_null(aq_json_get(object, "inf")));
  assert_true(isnan(aq_json_get_real(object, "nan")));
  assert_true(aq_json_get_real(object, "half") == 0.5);
  assert_true(isnan(aq_json_get_real(object, "absent")));
  assert_int_equal(aq_report_set(object, "none", NULL, &err), AQ_ERR_MEMORY);
  json_decref(object);
}

static void json_strings_that_are_not_utf8_are_repaired(void **state) {
  (void)state;
  static const struct {
    const char *in, *out;
  } cases[] = {{"plain", "plain"},
               {"\xC3\xA9", "\xC3\xA9"},
               {"a\xFFz", "a\xEF\xBF\xBDz"},
               {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* overlong */
               {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* surrogate */
               {"cut\xE2\x82", "cut\xEF\xBF\xBD\xEF\xBF\xBD"},
               {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *value = aq_json_string(cases[i].in);
    assert_non_null(value);
    assert_string_equal(json_string_value(value), cases[i].out);
    json_decref(value);
  }
  json_t *none = aq_json_string(NULL);
  assert_true(json_is_null(none));
  json_decref(none);
}

static void json_counts_past_int64_are_capped(void **state) {
  (void)state;
  json_t *value = aq_json_count(UINT64_MAX);
  assert_true(json_integer_value(value) == INT64_MAX);
  json_decref(value);
}

/* ---- a kind ---- */

static void quantize_text_says_what_was_kept_and_why(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  assert_ok(aq_report_create("quantize", &report, &err));
  json_t *fields = json_loads(
      "{\"source\":{\"path\":\"m.safetensors\",\"format\":\"safetensors\",\"file_bytes\":4200},"
      "\"output\":{\"path\":\"m.parquet\",\"file_bytes\":1500,\"schema_version\":2},\"seconds\":0.25,"
      "\"totals\":{\"tensors\":2,\"params\":1010,\"quantized_tensors\":1,\"quantized_params\":1000,"
      "\"quantized_percent\":99.0099,\"ratio_to_fp32\":2.7},"
      "\"tensors\":[{\"name\":\"w\",\"shape\":[10,100],\"params\":1000,\"action\":\"quantized\",\"type\":\"int8\","
      "\"rule\":\"default\",\"bytes_before\":4000,\"bytes_after\":1100},"
      "{\"name\":\"b\",\"shape\":[10],\"params\":10,\"action\":\"kept\",\"type\":\"kept\",\"rule\":\"1-D tensor\","
      "\"bytes_before\":40,\"bytes_after\":40}],\"warnings\":[\"look\"]}",
      0, NULL);
  assert_non_null(fields);
  assert_int_equal(json_object_update(report->root, fields), 0);
  json_decref(fields);
  char *text;
  assert_ok(aq_report_render(report, AQ_REPORT_TEXT, &text, &err));
  assert_non_null(strstr(text, "quantized 1,000 of 1,010 parameters (99.01 %) in 1 tensors"));
  assert_non_null(strstr(text, "1-D tensor: 1 tensor, 10 parameters: b\n"));
  assert_non_null(strstr(text, "from  m.safetensors (safetensors, 4.2 kB)\nto    m.parquet (table V2, 1.5 kB)\n"));
  assert_non_null(strstr(text, "2.70 to FP32"));
  assert_non_null(strstr(text, "warning: look\n"));
  aq_free(text);
  assert_ok(aq_report_render(report, AQ_REPORT_MARKDOWN, &text, &err));
  assert_non_null(strstr(text, "Quantized 1,000 of 1,010 parameters (99.01 %) in 1 tensors\n\n| stored as |"));
  assert_non_null(strstr(text, "\n- 1-D tensor: 1 tensor, 10 parameters: `b`\n- **from**: `m.safetensors` ("));
  assert_non_null(strstr(text, "\n> warning: look\n"));
  aq_free(text);
  aq_report_free(report);
}

/* A page has the verdict first, a terminal where a reader comes to it. */
static void verify_lists_problems(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  assert_ok(aq_report_create("verify", &report, &err));
  json_t *fields = json_loads(
      "{\"source\":{\"path\":\"a`b\",\"format\":\"table V2\",\"file_bytes\":4200,\"tensors\":2,\"params\":7},"
      "\"pages\":2,\"pages_with_crc\":2,\"row_groups\":1,\"page_bytes\":100,\"rows\":2,\"ok\":false,\"seconds\":0.25,"
      "\"problems\":[{\"status\":\"corrupt\",\"tensor\":\"w|\\u001b\",\"message\":\"a *bad* page\","
      "\"offset\":4711,\"row_group\":3}]}",
      0, NULL);
  assert_non_null(fields);
  assert_int_equal(json_object_update(report->root, fields), 0);
  json_decref(fields);
  char *text;
  assert_ok(aq_report_render(report, AQ_REPORT_TEXT, &text, &err));
  assert_string_equal(text,
                      "a`b: table V2, 4.2 kB\n"
                      "pages    2 in 1 row group, 100 bytes, all with a checksum\n"
                      "rows     2, all with the lengths that their shapes require\n"
                      "tensors  2, 7 parameters\n"
                      "time     250 ms\n"
                      "NOT OK: 1 problem\n"
                      "  corrupt: tensor 'w|?': a *bad* page, offset 4711, row group 3\n");
  aq_free(text);
  assert_ok(aq_report_render(report, AQ_REPORT_MARKDOWN, &text, &err));
  assert_string_equal(text,
                      "**NOT OK: 1 problem**\n\n"
                      "``a`b``: table V2, 4.2 kB\n\n"
                      "- **pages**: 2 in 1 row group, 100 bytes, all with a checksum\n"
                      "- **rows**: 2, all with the lengths that their shapes require\n"
                      "- **tensors**: 2, 7 parameters\n"
                      "- **time**: 250 ms\n\n"
                      "## Problems\n\n"
                      "- corrupt: tensor '`w|?`': a \\*bad\\* page, offset 4711, row group 3\n");
  aq_free(text);
  aq_report_free(report);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(report_has_the_common_fields),
      cmocka_unit_test(report_of_unknown_kind_is_not_rendered),
      cmocka_unit_test(every_kind_renders_without_fields),
      cmocka_unit_test(json_numbers_that_json_lacks_become_null),
      cmocka_unit_test(json_strings_that_are_not_utf8_are_repaired),
      cmocka_unit_test(json_counts_past_int64_are_capped),
      cmocka_unit_test(quantize_text_says_what_was_kept_and_why),
      cmocka_unit_test(verify_lists_problems),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
