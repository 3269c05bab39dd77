/* test_gptq.c - codes rounded for the inputs of a layer, against the rule written down again from its parts. */
#include "search/gptq.h"

#include <math.h>

#include "arrowquant_experimental.h"
#include "core/memory.h"
#include "plan_fixture.h"
#include "quant/feedback.h"
#include "tensor/dtype.h"

enum { ROWS = 40, COLS = 48, SAMPLES = 150 }; /* more samples than are added at one go */

static aq_error err;

static struct {
  aq_source *source;
  float w[ROWS * COLS], other[ROWS * COLS], inputs[SAMPLES * COLS];
  aq_activations given;
  aq_search_options search;
  aq_quantize_options options;
  aq_search_backend *backend;
  aq_encoded encoded[2];
  aq_plan plan;
} g;

/* A matrix with inputs and one without. */
static void begin_case(const char *per, uint32_t group, aq_symmetry symmetry) {
  char *why_not = NULL;
  memset(&g, 0, sizeof g);
  fill_noise(g.w, ROWS * COLS, 1);
  fill_noise(g.other, ROWS * COLS, 2);
  fill_noise(g.inputs, SAMPLES * COLS, 3);
  for (size_t i = 0; i < SAMPLES * COLS; i++) g.inputs[i] += (float)(i % COLS) / 10; /* columns that differ */
  g.given = (aq_activations){.tensor = "w", .values = g.inputs, .rows = SAMPLES, .cols = COLS};
  g.search = (aq_search_options){.activations = &g.given, .activation_count = 1};
  g.options = plan_options("int4", per, group, "gptq");
  g.options.symmetry = symmetry;
  g.options.search = &g.search;
  g.source = make_source();
  add_f32(g.source, "w", ROWS, COLS, g.w);
  add_f32(g.source, "other", ROWS, COLS, g.other);
  g.plan = make_plan(g.source, &g.options);
  g.options.run.threads = 2;
  assert_ok(aq_data_free_backend_open(g.source, &g.options, false, NULL, &g.backend, &why_not, &err));
}

static void end_case(void) {
  for (size_t i = 0; i < 2; i++) aq_encoded_reset(&g.encoded[i]);
  aq_search_backend_free(g.backend);
  aq_plan_reset(&g.plan);
  aq_source_close(g.source);
}

static aq_status run_gptq(void) { return aq_gptq_make(g.source, &g.options, g.backend, &g.plan, g.encoded, &err); }

/* By the rule: second moments summed input by input, damped by a hundredth and factored; scales of mse; feedback. */
static void round_again(const aq_encoded *found, int8_t *codes) {
  static float moments[COLS * COLS], l[COLS * COLS];
  float d[COLS], scales[ROWS * COLS], zeros[ROWS * COLS];
  const size_t span = found->quant_axis < 0 ? COLS : (size_t)found->span_length;
  memset(moments, 0, sizeof moments);
  for (size_t r = 0; r < SAMPLES; r++) {
    const float *x = g.inputs + r * COLS;
    for (size_t i = 0; i < COLS * COLS; i++) moments[i] += (x[i / COLS] * (1 / (float)SAMPLES)) * x[i % COLS];
  }
  assert_ok(aq_ldl(moments, COLS, 0.01, l, d, &err));
  for (size_t i = 0; i < ROWS * (COLS / span); i++) {
    const bool whole = found->quant_axis < 0;
    assert_true(aq_fit_span(&g.plan.entries[0].scheme, g.w + (whole ? 0 : i * span), whole ? ROWS * COLS : span,
                            &scales[i], &zeros[i]));
  }
  const aq_feedback f = {.rows = ROWS,
                         .cols = COLS,
                         .w = g.w,
                         .input_l = l,
                         .input_gain = 1,
                         .output_gain = 1,
                         .scales = scales,
                         .zero_points = zeros,
                         .span = span,
                         .qmin = aq_quant_min(AQ_INT4),
                         .qmax = aq_quant_max(AQ_INT4)};
  assert_ok(aq_feedback_round(&f, NULL, codes, &err));
  assert_memory_equal(scales, found->scales, (size_t)found->span_count * sizeof(float));
  assert_memory_equal(zeros, found->zero_points, (size_t)found->span_count * sizeof(float));
}

static void codes_are_those_of_the_rule(void **state) {
  (void)state;
  static const struct {
    const char *per;
    uint32_t group;
    aq_symmetry symmetry;
  } cases[] = {{"channel", 0, AQ_SYMMETRIC}, {"group", 16, AQ_ASYMMETRIC}, {"tensor", 0, AQ_ASYMMETRIC}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    int8_t codes[ROWS * COLS];
    begin_case(cases[i].per, cases[i].group, cases[i].symmetry);
    assert_ok(run_gptq());
    const aq_encoded *found = &g.encoded[0];
    assert_int_equal(found->count, ROWS * COLS);
    assert_int_equal(found->span_count * found->span_length, ROWS * COLS);
    round_again(found, codes);
    assert_memory_equal(found->codes, codes, sizeof codes);
    int8_t nearest[ROWS * COLS];
    aq_encoded_round(found, g.w, nearest);
    assert_memory_not_equal(found->codes, nearest, sizeof nearest); /* which is not what it is about */
    assert_non_null(strstr(g.plan.entries[0].rule, "rounded for its inputs"));
    assert_memory_equal(g.plan.entries[0].scales, found->scales, (size_t)found->span_count * sizeof(float));
    end_case();
  }
}

static void tensors_without_inputs_are_rounded_to_nearest(void **state) {
  (void)state;
  begin_case("channel", 0, AQ_SYMMETRIC);
  assert_ok(run_gptq());
  assert_int_equal(g.encoded[1].count, 0);
  assert_int_equal(g.plan.entries[1].scheme.method, AQ_MSE);
  assert_non_null(strstr(g.plan.entries[1].rule, "no inputs of it are known: rounded to nearest"));
  end_case();
}

static void inputs_that_do_not_fit_are_refused(void **state) {
  (void)state;
  begin_case("channel", 0, AQ_SYMMETRIC);
  g.given.cols = COLS - 1;
  assert_int_equal(run_gptq(), AQ_ERR_ARGUMENT);
  assert_string_equal(err.tensor, "w");
  g.given.cols = COLS;
  g.given.tensor = "ww";
  assert_int_equal(run_gptq(), AQ_ERR_NO_MATCH);
  g.search.activation_count = 0; /* and no model that is run either */
  assert_int_equal(run_gptq(), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.hint, "`calib=FILE`"));
  end_case();
}

static void values_that_are_not_finite_are_refused(void **state) {
  (void)state;
  begin_case("group", 16, AQ_SYMMETRIC);
  g.w[100] = NAN;
  assert_int_equal(run_gptq(), AQ_ERR_NONFINITE);
  assert_string_equal(err.tensor, "w");
  end_case();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(codes_are_those_of_the_rule),
      cmocka_unit_test(tensors_without_inputs_are_rounded_to_nearest),
      cmocka_unit_test(inputs_that_do_not_fit_are_refused),
      cmocka_unit_test(values_that_are_not_finite_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
