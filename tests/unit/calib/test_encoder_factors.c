/* test_encoder_factors.c - what planning and rounding need of an encoder's matrices, against the formulas. */
#include "calib/fisher/fisher_factors.h"
#include "calib/fisher/triangle.h"
#include "core/memory.h"
#include "pass_fixture.h"
#include "tiny_linears.h"

static aq_error err;

static double at(const float *triangle, size_t i, size_t j) {
  return (double)(i < j ? triangle[aq_triangle_row(j) + i] : triangle[aq_triangle_row(i) + j]);
}

static void gather(const fixture *f, aq_scratch *scratch, aq_stats *out) {
  const aq_stats_options o = {.scratch = scratch};
  assert_ok(aq_stats_gather(&f->params, f->texts, lengths, TEXTS, &o, f->pool, NULL, out, &err));
}

/* a mixed with moments; g as it is. */
static void check_linear(const aq_stats *s, uint32_t weight, const aq_fisher_factors *f) {
  const aq_linear_stats *l = &s->linear[weight];
  const double total = aq_triangle_trace(l->a, f->cols);
  assert_true(fabs(f->inputs_total / total - 1) < 1e-6);
  for (size_t i = 0; i < f->cols; i++) {
    for (size_t j = 0; j <= i; j++) {
      const double mixed = at(l->a, i, j) + total * (0.3 * at(l->moments, i, j) + 0.1 * at(l->first, i, j));
      assert_true(fabs(at(f->inputs.values, i, j) - mixed) < 1e-5 * total);
    }
  }
  assert_int_equal(f->outputs.n, f->rows);
  assert_memory_equal(f->outputs.values, l->g, aq_triangle_row(f->rows) * sizeof(float));
  assert_true(f->input_l.n == f->cols && f->output_l.n == f->rows && f->row_weight == NULL);
}

static void inputs_are_those_of_the_formulas(void **state) {
  const fixture *f = *state;
  aq_stats s;
  aq_fisher_factors *factors;
  size_t count;
  gather(f, NULL, &s);
  assert_ok(aq_fisher_factors_create(&aq_encoder_factors, &s, f->pool, &factors, &count, &err));
  assert_int_equal(count, TINY_LAYERS * TINY_LINEARS + 2);
  for (size_t i = 0; i < count - 2; i++) {
    const aq_weight *w = aq_model_find_tensor(s.model, factors[i].tensor);
    check_linear(&s, (uint32_t)(w - s.model->weights), &factors[i]);
  }
  const aq_fisher_factors *words = &factors[count - 2], *positions = &factors[count - 1];
  assert_memory_equal(words->inputs.values, s.word_g, aq_triangle_row(TINY_HIDDEN) * sizeof(float));
  assert_true(words->outputs.n == 0 && words->row_weight != NULL && words->input_d != NULL);
  assert_true(aq_fisher_factors_have_metric(words) && !aq_fisher_factors_have_metric(positions));
  assert_int_equal(positions->input_l.n, 0);
  aq_fisher_factors_free(factors, count);
  aq_stats_reset(&s);
}

static void expect_same_square(const float *a, const float *b, size_t n) {
  assert_int_equal(a == NULL, b == NULL);
  if (a != NULL) assert_memory_equal(a, b, n * n * sizeof *a);
}

static void expect_same_matrix(const aq_fisher_factors *one, const aq_fisher_factors *other) {
  float *l[2][2], *metric[2][2];
  const aq_fisher_factors *f[2] = {one, other};
  for (int i = 0; i < 2; i++) {
    assert_ok(aq_fisher_factors_expand(f[i], &l[i][0], &l[i][1], &err));
    metric[i][0] = calloc(one->cols * one->cols, sizeof(float));
    metric[i][1] = calloc(one->rows * one->rows, sizeof(float));
    if (one->inputs.n > 0) assert_ok(aq_fisher_factors_metric(f[i], metric[i][0], metric[i][1], &err));
  }
  expect_same_square(l[0][0], l[1][0], one->cols);
  expect_same_square(l[0][1], l[1][1], one->rows);
  expect_same_square(metric[0][0], metric[1][0], one->cols);
  expect_same_square(metric[0][1], metric[1][1], one->rows);
  assert_memory_equal(one->sensitivity, other->sensitivity, one->rows * sizeof(float));
  for (int i = 0; i < 2; i++) {
    aq_free(l[i][0]);
    aq_free(l[i][1]);
    free(metric[i][0]);
    free(metric[i][1]);
  }
}

static void factors_in_a_file_are_the_same(void **state) {
  const fixture *f = *state;
  aq_stats s[2];
  aq_fisher_factors *factors[2];
  size_t count[2];
  aq_scratch *scratch;
  assert_ok(aq_scratch_create(NULL, &scratch, &err));
  for (int i = 0; i < 2; i++) {
    gather(f, i == 0 ? NULL : scratch, &s[i]);
    assert_ok(aq_fisher_factors_create(&aq_encoder_factors, &s[i], f->pool, &factors[i], &count[i], &err));
  }
  assert_int_equal(count[0], count[1]);
  for (size_t i = 0; i < count[0]; i++) {
    expect_same_matrix(&factors[0][i], &factors[1][i]);
    assert_null(factors[1][i].input_l.values);
    assert_null(factors[1][i].outputs.values);
  }
  for (int i = 0; i < 2; i++) {
    aq_fisher_factors_free(factors[i], count[i]);
    aq_stats_reset(&s[i]);
  }
  aq_scratch_free(scratch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(inputs_are_those_of_the_formulas, set_up, tear_down),
      cmocka_unit_test_setup_teardown(factors_in_a_file_are_the_same, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
