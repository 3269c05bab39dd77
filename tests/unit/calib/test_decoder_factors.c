/* test_decoder_factors.c - what planning and rounding need of a decoder's matrices, against the formulas. */
#include "calib/fisher/fisher_factors.h"

#include "calib/fisher/decoder_stats.h"
#include "calib/fisher/stats_arrays.h"
#include "calib/fisher/triangle.h"
#include "core/memory.h"
#include "decoder_pass_fixture.h"
#include "io/source.h"

static aq_error err;

static double at(const float *triangle, size_t i, size_t j) {
  return (double)(i < j ? triangle[aq_triangle_row(j) + i] : triangle[aq_triangle_row(i) + j]);
}

/* The damped inputs are L diag(d) L^T, but for the mean of d, which is in the sensitivity. */
static void check_factors(const aq_fisher_factors *f) {
  const double damping = 0.2 * aq_triangle_trace(f->inputs.values, f->cols) / (double)f->cols;
  const double mean = (double)f->sensitivity[0] / (double)f->row_weight[0];
  double sum = 0;
  for (size_t j = 0; j < f->cols; j++) sum += (double)f->input_d[j] / (double)f->cols;
  assert_true(fabs(sum - 1) < 1e-5);
  for (size_t i = 0; i < f->cols; i++) {
    for (size_t j = 0; j <= i; j++) {
      double product = 0;
      for (size_t k = 0; k <= j; k++) {
        product += at(f->input_l.values, i, k) * mean * (double)f->input_d[k] * at(f->input_l.values, j, k);
      }
      if (fabs(product - at(f->inputs.values, i, j) - (i == j ? damping : 0)) > 1e-4) fail_msg("input %zu, %zu", i, j);
    }
  }
  for (size_t i = 0; i < f->rows; i++) {
    assert_true(fabs((double)f->sensitivity[i] / ((double)f->row_weight[i] * mean) - 1) < 1e-4);
  }
  assert_int_equal(f->output_l.n, 0);
  assert_int_equal(f->outputs.n, 0);
}

static double *diagonal_of(const float *triangle, size_t n) {
  double *d = malloc(n * sizeof *d);
  for (size_t i = 0; i < n; i++) d[i] = at(triangle, i, i);
  return d;
}

static void check_kind(const tiny_kind *kind) {
  dec_fixture f;
  aq_stats s;
  aq_fisher_factors *factors;
  size_t count;
  dec_set_up(&f, kind);
  assert_ok(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, NULL, f.pool, NULL, &s, &err));
  const uint32_t key = aq_model_find(&f.model, 1, AQ_ROLE_KEY);
  const float *gathered = s.linear[key].g;
  double g[DEC_K], *a = diagonal_of(s.linear[key].a, DEC_HIDDEN), total = 0, mean = 0;
  double *moments = diagonal_of(s.linear[key].moments, DEC_HIDDEN);
  const double reads = aq_triangle_trace(s.word_g, DEC_HIDDEN);
  double predictions = 0;
  for (size_t i = 0; i < DEC_K; i++) g[i] = (double)gathered[i];
  for (size_t i = 0; i < DEC_WORDS; i++) predictions += (double)s.head_rows[i];
  for (size_t i = 0; i < DEC_HIDDEN; i++) total += a[i];
  for (size_t i = 0; i < DEC_K; i++) mean += g[i] / DEC_K;
  assert_ok(aq_fisher_factors_create(&aq_decoder_factors, &s, f.pool, &factors, &count, &err));
  assert_int_equal(count, (size_t)DEC_LAYERS * 7 + (kind->tied ? 1 : 2));
  for (size_t i = 0; i < count; i++) {
    check_factors(&factors[i]);
    if (factors[i].tensor != f.model.weights[key].tensor) continue;
    for (size_t r = 0; r < DEC_K; r++) {
      assert_true(fabs((double)factors[i].row_weight[r] / (0.5 * (g[r] + 0.1 * mean)) - 1) < 1e-5);
    }
    for (size_t c = 0; c < DEC_HIDDEN; c++) {
      assert_true(fabs(at(factors[i].inputs.values, c, c) - a[c] / total - 0.3 * moments[c]) < 1e-6);
    }
  }
  const aq_fisher_factors *table = &factors[(size_t)DEC_LAYERS * 7];
  double weight = 0; /* of all rows together: what is read, and of a tied table what is predicted */
  for (size_t i = 0; i < DEC_WORDS; i++) weight += (double)table->row_weight[i];
  assert_true(fabs(weight / (1.5 * (reads + (kind->tied ? predictions : 0))) - 1) < 1e-4);
  assert_true(table->row_weight[f.ids[2][0]] > 0);
  aq_fisher_factors_free(factors, count);
  aq_stats_reset(&s);
  free(a);
  free(moments);
  dec_tear_down(&f);
}

static void factors_are_those_of_the_formulas(void **state) {
  (void)state;
  check_kind(&tiny_llama);
  check_kind(&tiny_gemma);
}

/* A token that stands in more places has a row of more weight. */
static void rows_weigh_by_how_often_they_are_read(void **state) {
  (void)state;
  dec_fixture f;
  aq_stats s;
  aq_fisher_factors *factors;
  size_t count;
  dec_set_up(&f, &tiny_llama);
  assert_ok(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, NULL, f.pool, NULL, &s, &err));
  float counts[DEC_WORDS];
  memcpy(counts, s.word_counts, sizeof counts);
  assert_ok(aq_fisher_factors_create(&aq_decoder_factors, &s, f.alone, &factors, &count, &err));
  const float *w = factors[(size_t)DEC_LAYERS * 7].row_weight;
  for (size_t i = 1; i < DEC_WORDS; i++) {
    if (counts[i] == counts[i - 1]) assert_true(w[i] == w[i - 1]);
    if (counts[i] > counts[i - 1]) assert_true(w[i] > w[i - 1]);
  }
  assert_true(aq_fisher_factors_bytes(&f.model, 2) > aq_fisher_factors_bytes(&f.model, 1));
  aq_fisher_factors_free(factors, count);
  aq_stats_reset(&s);
  dec_tear_down(&f);
}

static float *read_metric(const aq_fisher_factors *f) {
  float *inputs = malloc(f->cols * f->cols * sizeof *inputs);
  assert_ok(aq_fisher_factors_metric(f, inputs, NULL, &err));
  return inputs;
}

static void expect_same_matrix(const aq_fisher_factors *one, const aq_fisher_factors *other) {
  const size_t square = one->cols * one->cols * sizeof(float);
  float *l[2], *none, *a = read_metric(one), *b = read_metric(other);
  assert_ok(aq_fisher_factors_expand(one, &l[0], &none, &err));
  assert_ok(aq_fisher_factors_expand(other, &l[1], &none, &err));
  assert_memory_equal(a, b, square);
  assert_memory_equal(l[0], l[1], square);
  assert_memory_equal(one->input_d, other->input_d, one->cols * sizeof(float));
  assert_memory_equal(one->sensitivity, other->sensitivity, one->rows * sizeof(float));
  assert_memory_equal(one->row_weight, other->row_weight, one->rows * sizeof(float));
  free(a);
  free(b);
  aq_free(l[0]);
  aq_free(l[1]);
}

/* Triangles are in the file of the statistics, and the same. */
static void factors_in_a_file_are_the_same(void **state) {
  (void)state;
  dec_fixture f;
  aq_stats s[2];
  aq_fisher_factors *factors[2];
  size_t count[2];
  aq_scratch *scratch;
  dec_set_up(&f, &tiny_gemma);
  aq_params by_layer;
  assert_ok(aq_params_open(&f.model, f.pool, &by_layer, &err));
  assert_ok(aq_scratch_create(NULL, &scratch, &err));
  for (int i = 0; i < 2; i++) {
    const aq_stats_options o = {.scratch = i == 0 ? NULL : scratch};
    const aq_params *params = i == 0 ? &f.params : &by_layer;
    assert_ok(aq_decoder_stats_gather(params, f.texts, dec_lengths, DEC_TEXTS, &o, f.pool, NULL, &s[i], &err));
    assert_ok(aq_fisher_factors_create(&aq_decoder_factors, &s[i], f.pool, &factors[i], &count[i], &err));
  }
  assert_int_equal(count[0], count[1]);
  for (size_t i = 0; i < count[0]; i++) {
    expect_same_matrix(&factors[0][i], &factors[1][i]);
    assert_null(factors[1][i].input_l.values);
    assert_null(factors[1][i].inputs.values);
  }
  for (int i = 0; i < 2; i++) {
    aq_fisher_factors_free(factors[i], count[i]);
    aq_stats_reset(&s[i]);
  }
  aq_params_reset(&by_layer);
  aq_scratch_free(scratch);
  dec_tear_down(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(factors_are_those_of_the_formulas),
      cmocka_unit_test(rows_weigh_by_how_often_they_are_read),
      cmocka_unit_test(factors_in_a_file_are_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
