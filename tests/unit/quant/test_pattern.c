/* test_pattern.c - which names a pattern takes. */
#include "check.h"
#include "core/compiler.h"
#include "quant/pattern.h"

static const struct {
  const char *pattern, *name;
  bool matches;
} cases[] = {
    {"lm_head.weight", "lm_head.weight", true},
    {"lm_head", "lm_head.weight", false},
    {"LM_HEAD.weight", "lm_head.weight", false},
    {"*", "encoder/layer.0", true},
    {"encoder.*.bias", "encoder.layer.0.output.bias", true},
    {"encoder.*.bias", "decoder.layer.0.output.bias", false},
    {"encoder.*.bias", "encoder.layer.0.output.bias.x", false},
    {"layer.?.weight", "layer.7.weight", true},
    {"layer.?.weight", "layer.17.weight", false},
    {"layer.[0-3].weight", "layer.2.weight", true},
    {"layer.[!0-3].weight", "layer.2.weight", false},
    {"layer[0].weight", "layer[0].weight", true}, /* a name with brackets is its own pattern */
    {"layer[0].weight", "layer0.weight", true},
    {"layer\\[0].weight", "layer[0].weight", true},
    {"layer\\[0].weight", "layer0.weight", false},
    {".hidden*", ".hidden.weight", true},
    {"*weight", ".weight", true},
    {"re:attention", "encoder.attention.weight", true},
    {"re:^attention", "encoder.attention.weight", false},
    {"re:layer\\.[0-9]+\\.(key|query)\\.weight$", "encoder.layer.11.query.weight", true},
    {"re:layer\\.[0-9]+\\.(key|query)\\.weight$", "encoder.layer.11.value.weight", false},
    {"re:a{2}", "baab", true},
    {"rex", "rex", true},
};

static void patterns_match_as_the_table_says(void **state) {
  (void)state;
  aq_error err;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_pattern *pattern;
    assert_ok(aq_pattern_create(cases[i].pattern, &pattern, &err));
    if (aq_pattern_matches(pattern, cases[i].name) != cases[i].matches) {
      fail_msg("'%s' on '%s': expected %d", cases[i].pattern, cases[i].name, cases[i].matches);
    }
    assert_string_equal(aq_pattern_text(pattern), cases[i].pattern);
    aq_pattern_free(pattern);
  }
}

static void pattern_is_exact_for_its_own_text_alone(void **state) {
  (void)state;
  aq_error err;
  aq_pattern *pattern;
  assert_ok(aq_pattern_create("layer[0]", &pattern, &err));
  assert_true(aq_pattern_is_exact(pattern, "layer[0]"));
  assert_false(aq_pattern_is_exact(pattern, "layer0"));
  aq_pattern_free(pattern);
  assert_ok(aq_pattern_create("re:x", &pattern, &err));
  assert_false(aq_pattern_is_exact(pattern, "re:x"));
  aq_pattern_free(pattern);
}

static void bad_regex_says_why(void **state) {
  (void)state;
  static const char *const bad[] = {"re:(", "re:[a", "re:a{2", "re:\\"};
  for (size_t i = 0; i < AQ_COUNT_OF(bad); i++) {
    aq_error err;
    aq_pattern *pattern = (aq_pattern *)&err;
    assert_int_equal(aq_pattern_create(bad[i], &pattern, &err), AQ_ERR_ARGUMENT);
    assert_null(pattern);
    assert_non_null(strstr(err.message, bad[i]));
    assert_true(strlen(err.message) > strlen("bad regular expression in '': ") + strlen(bad[i]));
    assert_int_equal(aq_pattern_create(bad[i], &pattern, NULL), AQ_ERR_ARGUMENT);
  }
}

static void empty_pattern_is_refused(void **state) {
  (void)state;
  static const char *const empty[] = {"", "re:", NULL};
  for (size_t i = 0; i < AQ_COUNT_OF(empty); i++) {
    aq_error err;
    aq_pattern *pattern;
    assert_int_equal(aq_pattern_create(empty[i], &pattern, &err), AQ_ERR_ARGUMENT);
    assert_null(pattern);
  }
  aq_pattern_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(patterns_match_as_the_table_says),
      cmocka_unit_test(pattern_is_exact_for_its_own_text_alone),
      cmocka_unit_test(bad_regex_says_why),
      cmocka_unit_test(empty_pattern_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
