/* test_criteria.c - acceptance criteria on reports made by hand, at and around their limits. */
#include <jansson.h>
#include <math.h>

#include "check.h"
#include "ops/validate/validate.h"
#include "report/report.h"

/* A type's entry that passes everything. */
static json_t *good_type(const char *type, double compression, double cosine) {
  return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:[{s:b}], s:{s:[{},{}]}}", "type", type, "compression_ratio",
                   compression, "mean_cosine", cosine, "loss_percent", (1 - cosine) * 100, "quantize_seconds", 1.0,
                   "load_seconds", 0.5, "checks", "passed", 1, "weights", "tensors");
}

static json_t *good_root(void) {
  return json_pack("{s:{s:i}, s:{s:[{s:b}]}, s:[o,o,o]}", "model", "tensors", 2, "v1", "checks", "passed", 1, "types",
                   good_type("int8", 4.0, 0.99995), good_type("int4", 7.0, 0.996), good_type("int2", 13.0, 0.945));
}

static json_t *type_of(json_t *root, size_t index) { return json_array_get(json_object_get(root, "types"), index); }

/* Applies the criteria and checks which one fails (NULL: none). */
static void assert_fails_only(json_t *root, const char *id) {
  aq_error err;
  assert_ok(aq_validate_criteria(root, &err));
  const json_t *verdict = json_object_get(root, "verdict"), *failed = json_object_get(verdict, "failed");
  assert_int_equal(aq_json_get_flag(verdict, "passed"), id == NULL);
  assert_int_equal(json_array_size(failed), id == NULL ? 0 : 1);
  if (id != NULL) assert_string_equal(json_string_value(json_array_get(failed, 0)), id);
  json_decref(root);
}

static void criteria_good_figures_pass(void **state) {
  (void)state;
  json_t *root = good_root();
  aq_error err;
  assert_ok(aq_validate_criteria(root, &err));
  assert_int_equal(json_array_size(json_object_get(root, "criteria")), 6 + 1 + 3 * 3 + 3 + 3);
  assert_fails_only(root, NULL);
}

static void criteria_one_bad_figure_fails_alone(void **state) {
  (void)state;
  static const struct {
    size_t type;
    const char *key;
    double value;
    const char *id;
  } cases[] = {
      {0, "compression_ratio", 2.0, "int8_compression"}, /* more than 2, not 2 */
      {2, "compression_ratio", 4.0, "int2_compression"},   {0, "loss_percent", 15.0, "int8_loss"},
      {0, "mean_cosine", 0.99989, "int8_cosine_promised"}, {1, "mean_cosine", 0.9949, "int4_cosine_promised"},
      {2, "mean_cosine", 0.9399, "int2_cosine_promised"},  {1, "quantize_seconds", 60.0, "int4_quantize_time"},
      {2, "load_seconds", 5.0, "int2_load_time"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *root = good_root();
    json_object_set_new(type_of(root, cases[i].type), cases[i].key, json_real(cases[i].value));
    if (cases[i].type == 2 && cases[i].value == 4.0) {
      json_object_set_new(type_of(root, 0), "compression_ratio", json_real(3.0));
    }
    assert_fails_only(root, cases[i].id);
  }
}

static void criteria_just_inside_the_limits_pass(void **state) {
  (void)state;
  json_t *root = good_root();
  json_object_set_new(type_of(root, 0), "compression_ratio", json_real(2.0001));
  json_object_set_new(type_of(root, 2), "compression_ratio", json_real(4.0001));
  json_object_set_new(type_of(root, 1), "mean_cosine", json_real(0.995));
  json_object_set_new(type_of(root, 1), "quantize_seconds", json_real(59.999));
  json_object_set_new(type_of(root, 1), "load_seconds", json_real(4.999));
  assert_fails_only(root, NULL);
}

static void criteria_low_cosine_fails_both_limits(void **state) {
  (void)state;
  json_t *root = good_root();
  aq_error err;
  json_object_set_new(type_of(root, 2), "mean_cosine", json_real(0.70));
  assert_ok(aq_validate_criteria(root, &err));
  assert_int_equal(json_array_size(json_object_get(json_object_get(root, "verdict"), "failed")), 2);
  json_decref(root);
}

static void criteria_int2_larger_than_int8_fails(void **state) {
  (void)state;
  json_t *root = good_root();
  json_object_set_new(type_of(root, 0), "compression_ratio", json_real(13.0));
  assert_fails_only(root, "int2_smaller_than_int8");
}

static void criteria_failed_check_fails_the_schema(void **state) {
  (void)state;
  json_t *root = good_root();
  json_object_set_new(type_of(root, 1), "checks", json_pack("[{s:b},{s:b}]", "passed", 1, "passed", 0));
  assert_fails_only(root, "int4_schema");
  root = good_root();
  json_object_set_new(json_object_get(root, "v1"), "checks", json_array()); /* nothing checked is not passed */
  assert_fails_only(root, "v1_schema");
}

static void criteria_lost_tensor_fails(void **state) {
  (void)state;
  json_t *root = good_root();
  json_object_set_new(json_object_get(type_of(root, 2), "weights"), "tensors", json_pack("[{}]"));
  assert_fails_only(root, "int2_tensors_lost");
}

static void criteria_missing_figure_fails(void **state) {
  (void)state;
  json_t *root = good_root();
  json_object_set_new(type_of(root, 1), "mean_cosine", json_null());
  assert_fails_only(root, "int4_cosine_promised");
}

static void criteria_of_types_not_asked_for_are_left_out(void **state) {
  (void)state;
  json_t *root = good_root();
  json_array_remove(json_object_get(root, "types"), 0);
  aq_error err;
  assert_ok(aq_validate_criteria(root, &err));
  size_t i;
  json_t *c;
  json_array_foreach(json_object_get(root, "criteria"), i, c) {
    assert_null(strstr(aq_json_get_string(c, "id"), "int8"));
  }
  assert_fails_only(root, NULL);
}

/* Outputs as measured, for int8, int4 and int2. */
static json_t *root_with_outputs(double int8, double int4, double int2) {
  const double means[] = {int8, int4, int2};
  json_t *root = good_root();
  json_object_set_new(root, "outputs", json_pack("{s:b, s:s}", "measured", 1, "model_kind", "encoder"));
  for (size_t i = 0; i < 3; i++) {
    json_object_set_new(type_of(root, i), "outputs", json_pack("{s:o}", "mean_cosine", aq_json_real(means[i])));
  }
  return root;
}

static void criteria_of_outputs_hold_for_int8_and_int4_only(void **state) {
  (void)state;
  assert_fails_only(root_with_outputs(0.999, 0.955, 0.3), NULL);
  assert_fails_only(root_with_outputs(0.9989, 0.955, 0.3), "int8_outputs_promised");
  assert_fails_only(root_with_outputs(0.999, 0.9549, 0.3), "int4_outputs_promised");
  assert_fails_only(root_with_outputs(0.999, NAN, 0.3), "int4_outputs_promised");
}

static void criteria_of_outputs_not_measured_are_left_out(void **state) {
  (void)state;
  json_t *root = root_with_outputs(0.1, 0.1, 0.1);
  json_object_set_new(json_object_get(root, "outputs"), "measured", json_false());
  assert_fails_only(root, NULL);
}

/* Predictions as measured, for int8, int4 and int2, with limits (0: none). */
static json_t *root_with_predictions(const double kl[3], double increase, double max_kl, double max_increase) {
  json_t *root = good_root();
  json_object_set_new(root, "outputs",
                      json_pack("{s:b, s:s, s:o, s:o}", "measured", 1, "model_kind", "decoder", "max_kl",
                                max_kl > 0 ? json_real(max_kl) : json_null(), "max_ppl_increase",
                                max_increase > 0 ? json_real(max_increase) : json_null()));
  for (size_t i = 0; i < 3; i++) {
    json_object_set_new(type_of(root, i), "outputs",
                        json_pack("{s:{s:o}, s:f}", "divergence", "mean", aq_json_real(kl[i]),
                                  "perplexity_increase_percent", increase));
  }
  return root;
}

static void criteria_of_predictions_hold_for_int8_and_int4_only(void **state) {
  (void)state;
  assert_fails_only(root_with_predictions((const double[3]){0.02, 0.5, 9}, 50, 0, 0), NULL);
  assert_fails_only(root_with_predictions((const double[3]){0.0201, 0.5, 9}, 50, 0, 0), "int8_outputs_promised");
  assert_fails_only(root_with_predictions((const double[3]){0.02, 0.501, 9}, 50, 0, 0), "int4_outputs_promised");
  assert_fails_only(root_with_predictions((const double[3]){NAN, 0.5, 9}, 50, 0, 0), "int8_outputs_promised");
}

static void limits_of_the_caller_hold_for_each_type(void **state) {
  (void)state;
  aq_error err;
  const double kl[3] = {0.001, 0.2, 4};
  assert_fails_only(root_with_predictions(kl, 2, 4, 2), NULL);
  assert_fails_only(root_with_predictions(kl, 2, 3.9, 2), "int2_max_kl");
  json_t *root = root_with_predictions(kl, 2.01, 4, 2);
  assert_ok(aq_validate_criteria(root, &err));
  const json_t *failed = json_object_get(json_object_get(root, "verdict"), "failed");
  assert_int_equal(json_array_size(failed), 3);
  assert_string_equal(json_string_value(json_array_get(failed, 0)), "int8_max_ppl_increase");
  json_decref(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(criteria_good_figures_pass),
      cmocka_unit_test(criteria_one_bad_figure_fails_alone),
      cmocka_unit_test(criteria_just_inside_the_limits_pass),
      cmocka_unit_test(criteria_low_cosine_fails_both_limits),
      cmocka_unit_test(criteria_int2_larger_than_int8_fails),
      cmocka_unit_test(criteria_failed_check_fails_the_schema),
      cmocka_unit_test(criteria_lost_tensor_fails),
      cmocka_unit_test(criteria_missing_figure_fails),
      cmocka_unit_test(criteria_of_types_not_asked_for_are_left_out),
      cmocka_unit_test(criteria_of_outputs_hold_for_int8_and_int4_only),
      cmocka_unit_test(criteria_of_outputs_not_measured_are_left_out),
      cmocka_unit_test(criteria_of_predictions_hold_for_int8_and_int4_only),
      cmocka_unit_test(limits_of_the_caller_hold_for_each_type),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
