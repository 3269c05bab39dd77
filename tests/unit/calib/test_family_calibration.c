/* test_family_calibration.c - a tiny encoder of each family: its statistics have the traces of the definition; bias
 * correction gives hidden states the means of the original's, where there are shifts for it; both give the same bits
 * when parameters are read part by part; tuning lowers the loss. */
#include "calib/bias_correction.h"
#include "calib/fisher/fisher_factors.h"
#include "calib/fisher/stats.h"
#include "calib/fisher/stats_arrays.h"
#include "calib/fisher/triangle.h"
#include "calib/tune/tune.h"
#include "family_fixture.h"

/* ---- statistics ---- */

/* tr a and tr g are both the mean of |X^T G|^2, summed in FP32 in two ways, over up to 110 tokens of values of all
 * sizes; moments are of directions, which have length 1. */
static void check_linear(const aq_stats *stats, uint32_t weight) {
  const aq_weight *w = &stats->model->weights[weight];
  const aq_linear_stats *l = &stats->linear[weight];
  const double a = aq_triangle_trace(l->a, w->cols), g = aq_triangle_trace(l->g, w->rows);
  assert_true(a > 0 && fabs(a - g) < 1e-4 * a);
  assert_true(fabs(aq_triangle_trace(l->moments, w->cols) - 1) < 1e-4);
  assert_true(fabs(aq_triangle_trace(l->first, w->cols) - 1) < 1e-4);
}

static void statistics_have_the_traces_of_the_definition(void **state) {
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    aq_error err;
    aq_stats stats;
    fam_set_up(&f, fam_configs[i]);
    const bool is_placed = aq_model_find(&f.model, AQ_NO_LAYER, AQ_ROLE_POSITION) != AQ_NO_WEIGHT;
    assert_ok(aq_stats_gather(&f.params, f.texts, fam_lengths, FAM_TEXTS, NULL, f.pool, NULL, &stats, &err));
    for (uint32_t k = 0; k < f.model.weight_count; k++) {
      if (f.model.weights[k].kind == AQ_WEIGHT_LINEAR) check_linear(&stats, k);
    }
    assert_true(aq_triangle_trace(stats.word_g, f.model.config.embedding) > 0);
    assert_int_equal(stats.position_g != NULL, is_placed);
    aq_stats_reset(&stats);
    fam_tear_down(&f);
  }
}

static void expect_same_arrays(aq_stats *whole, aq_stats *other, const char *config) {
  aq_error err;
  assert_int_equal(aq_stats_array_count(whole), aq_stats_array_count(other));
  for (size_t i = 0; i < aq_stats_array_count(whole); i++) {
    const aq_stats_array one = aq_stats_array_at(whole, i), two = aq_stats_array_at(other, i);
    const size_t bytes = aq_stats_array_floats(&one) * sizeof(float);
    float *values = malloc(bytes);
    assert_ok(aq_stats_array_read(other, &two, values, &err));
    if (memcmp(*one.values, values, bytes) != 0) fail_msg("%s: array %zu, %s", config, i, one.ending);
    free(values);
  }
}

static void expect_same_factors(const fam_fixture *f, const aq_stats *whole, const aq_stats *other,
                                const char *config) {
  aq_error err;
  const aq_stats *stats[2] = {whole, other};
  aq_fisher_factors *factors[2];
  size_t count[2];
  for (int k = 0; k < 2; k++) {
    assert_ok(aq_fisher_factors_create(&aq_encoder_factors, stats[k], f->pool, &factors[k], &count[k], &err));
  }
  assert_int_equal(count[0], count[1]);
  for (size_t i = 0; i < count[0]; i++) {
    const aq_fisher_factors *one = &factors[0][i], *two = &factors[1][i];
    float *inputs[2], *outputs[2];
    assert_memory_equal(one->sensitivity, two->sensitivity, one->rows * sizeof(float));
    assert_ok(aq_fisher_factors_expand(one, &inputs[0], &outputs[0], &err));
    assert_ok(aq_fisher_factors_expand(two, &inputs[1], &outputs[1], &err));
    const size_t bytes = inputs[0] != NULL ? one->cols * one->cols * sizeof(float) : 0;
    if (bytes > 0 && memcmp(inputs[0], inputs[1], bytes) != 0) fail_msg("%s: factors %zu", config, i);
    for (int k = 0; k < 2; k++) {
      aq_free(inputs[k]);
      aq_free(outputs[k]);
    }
  }
  for (int k = 0; k < 2; k++) aq_fisher_factors_free(factors[k], count[k]);
}

/* Parameters that are read part by part, and statistics in a file. */
static void parts_in_memory_one_by_one_give_the_same(void **state) {
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    aq_error err;
    aq_params by_part;
    aq_stats_options o = {.max_tokens = 0};
    aq_stats whole, other;
    fam_set_up(&f, fam_configs[i]);
    assert_ok(aq_params_open(&f.model, f.pool, &by_part, &err));
    assert_ok(aq_scratch_create(NULL, &o.scratch, &err));
    assert_ok(aq_stats_gather(&f.params, f.texts, fam_lengths, FAM_TEXTS, NULL, f.pool, NULL, &whole, &err));
    assert_ok(aq_stats_gather(&by_part, f.texts, fam_lengths, FAM_TEXTS, &o, f.alone, NULL, &other, &err));
    for (uint32_t k = 0; k < f.model.weight_count; k++) assert_null(other.linear[k].a);
    expect_same_arrays(&whole, &other, fam_configs[i]);
    expect_same_factors(&f, &whole, &other, fam_configs[i]);
    aq_stats_reset(&whole);
    aq_stats_reset(&other);
    aq_scratch_free(o.scratch);
    aq_params_reset(&by_part);
    fam_tear_down(&f);
  }
}

/* ---- bias correction ---- */

static void families_with_norms_of_sums_are_corrected(void **state) {
  static const char *const without[] = {"modernbert", "t5", "mt5", "albert"};
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    bool expected = true;
    fam_set_up(&f, fam_configs[i]);
    for (size_t k = 0; k < AQ_COUNT_OF(without); k++) {
      expected = expected && strcmp(f.model.config.arch->model_type, without[k]) != 0;
    }
    if (aq_bias_corrects(&f.model) != expected) fail_msg("%s", fam_configs[i]);
    fam_tear_down(&f);
  }
}

/* To nearest, with steps of 1/8; rows of the table of tokens get a mean error. */
static aq_params round_params(const fam_fixture *f) {
  aq_error err;
  aq_params p;
  assert_ok(aq_params_copy(&f->params, &p, &err));
  for (uint32_t i = 0; i < f->model.weight_count; i++) {
    const aq_weight *w = &f->model.weights[i];
    const size_t n = aq_weight_floats(w);
    for (size_t k = 0; k < n && w->kind == AQ_WEIGHT_LINEAR; k++) p.values[i][k] = roundf(p.values[i][k] * 8) / 8;
    for (size_t k = 0; k < n && w->role == AQ_ROLE_EMBEDDING; k++) p.values[i][k] += 0.01F * (float)(k % w->cols);
  }
  return p;
}

static double largest_mean(const float *a, const float *b, size_t tokens) {
  double largest = 0;
  for (size_t i = 0; i < FAM_HIDDEN; i++) {
    double sum = 0;
    for (size_t t = 0; t < tokens; t++) sum += (double)a[t * FAM_HIDDEN + i] - (double)b[t * FAM_HIDDEN + i];
    largest = fmax(largest, fabs(sum / (double)tokens));
  }
  return largest;
}

static void run_tape(const fam_fixture *f, const aq_params *p, aq_tape *tape) {
  aq_error err;
  assert_ok(aq_tape_begin(tape, p, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(tape, p, &err));
}

/* Float sums of values up to 10: each token's is off by some 2^-22, its mean over 110 tokens by less. */
#define ZERO 3e-6
static void check_family(const fam_fixture *f, const char *config) {
  aq_error err;
  aq_tape a = {0}, b = {0};
  aq_params rounded = round_params(f);
  run_tape(f, &f->params, &a);
  run_tape(f, &rounded, &b);
  for (uint32_t i = 0; i <= f->model.config.layers; i++) {
    assert_true(largest_mean(a.hidden[i], b.hidden[i], a.tokens) > 0.001);
  }
  assert_ok(aq_bias_correct(&f->params, &rounded, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
  run_tape(f, &rounded, &b);
  for (uint32_t i = 0; i <= f->model.config.layers; i++) {
    const double left = largest_mean(a.hidden[i], b.hidden[i], a.tokens);
    if (!(left < ZERO)) fail_msg("%s: layer %u is off by %g", config, i, left);
  }
  aq_tape_reset(&a);
  aq_tape_reset(&b);
  aq_params_reset(&rounded);
}

static void hidden_states_have_the_means_of_the_original(void **state) {
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    fam_set_up(&f, fam_configs[i]);
    if (aq_bias_corrects(&f.model)) check_family(&f, fam_configs[i]);
    fam_tear_down(&f);
  }
}

static aq_status read_rounded(const void *ctx, uint32_t weight, float *to, aq_error *err) {
  const aq_params *rounded = ctx;
  (void)err;
  memcpy(to, rounded->values[weight], aq_weight_floats(&rounded->model->weights[weight]) * sizeof *to);
  return AQ_OK;
}

/* Both networks read part by part: shifts are not of a part, so that corrections stay. */
static void check_parts(const fam_fixture *f, const char *config) {
  aq_error err;
  aq_params rounded = round_params(f), original, quantized;
  assert_ok(aq_params_open(&f->model, f->pool, &original, &err));
  assert_ok(aq_params_copy(&original, &quantized, &err));
  aq_params_set_reader(&quantized, (aq_weight_reader){read_rounded, &rounded});
  assert_ok(aq_bias_correct(&original, &quantized, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
  assert_ok(aq_bias_correct(&f->params, &rounded, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
  for (uint32_t i = 0; i < f->model.weight_count; i++) {
    const aq_weight *w = &f->model.weights[i];
    if (w->kind != AQ_WEIGHT_VECTOR) continue;
    assert_non_null(quantized.values[i]);
    if (memcmp(quantized.values[i], rounded.values[i], aq_weight_floats(w) * sizeof(float)) != 0) {
      fail_msg("%s: %s", config, aq_source_tensor(f->source, w->tensor)->name);
    }
  }
  aq_params_reset(&rounded);
  aq_params_reset(&original);
  aq_params_reset(&quantized);
}

static void parts_are_corrected_as_the_whole(void **state) {
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    fam_set_up(&f, fam_configs[i]);
    if (aq_bias_corrects(&f.model)) check_parts(&f, fam_configs[i]);
    fam_tear_down(&f);
  }
}

/* ---- tuning ---- */

typedef struct rounded_matrices {
  aq_tune_matrix all[TINY_MAX_TENSORS];
  size_t count;
} rounded_matrices;

/* Linears of layers to codes of 4 bits, a step a row. */
static void add_matrix(rounded_matrices *m, const fam_fixture *f, uint32_t weight, float *values) {
  const aq_weight *w = &f->model.weights[weight];
  const size_t count = aq_weight_floats(w);
  aq_tune_matrix *to = &m->all[m->count++];
  *to = (aq_tune_matrix){.tensor = w->tensor,
                         .rows = w->rows,
                         .cols = w->cols,
                         .span = w->cols,
                         .qmin = -8,
                         .qmax = 7,
                         .w = f->params.values[weight],
                         .steps = malloc(w->rows * sizeof(float)),
                         .codes = malloc(count),
                         .tune_codes = true,
                         .tune_steps = true};
  for (size_t i = 0; i < w->rows; i++) to->steps[i] = 0.25F;
  for (size_t i = 0; i < count; i++) {
    to->codes[i] = (int8_t)fmaxf(-8, fminf(7, roundf(to->w[i] / 0.25F)));
    values[i] = (float)to->codes[i] * 0.25F;
  }
}

static void check_tuning(const fam_fixture *f, const char *config) {
  aq_error err;
  aq_params quantized;
  rounded_matrices m = {.count = 0};
  aq_tune_options o;
  aq_tune_result result;
  aq_tune_options_init(&o);
  o.steps = 60;
  o.batch_tokens = 60;
  assert_ok(aq_params_copy(&f->params, &quantized, &err));
  for (uint32_t i = 0; i < f->model.weight_count; i++) {
    const aq_weight *w = &f->model.weights[i];
    if (w->kind == AQ_WEIGHT_LINEAR && w->layer != AQ_NO_LAYER) add_matrix(&m, f, i, quantized.values[i]);
  }
  assert_ok(aq_tune(&f->params, &quantized, m.all, m.count, f->texts, fam_lengths, FAM_TEXTS, f->texts, fam_lengths,
                    FAM_TEXTS, &o, f->pool, NULL, &result, &err));
  if (!(result.accepted && result.after < 0.9 * result.before)) {
    fail_msg("%s: the loss goes from %g to %g", config, result.before, result.after);
  }
  for (size_t i = 0; i < m.count; i++) {
    free(m.all[i].steps);
    free(m.all[i].codes);
  }
  aq_params_reset(&quantized);
}

/* Where layers share their weights it is refused before (search/calibration.c). */
static void tuning_lowers_the_loss(void **state) {
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    fam_set_up(&f, fam_configs[i]);
    if (f.model.config.passes == 1) check_tuning(&f, fam_configs[i]);
    fam_tear_down(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(statistics_have_the_traces_of_the_definition),
      cmocka_unit_test(parts_in_memory_one_by_one_give_the_same),
      cmocka_unit_test(families_with_norms_of_sums_are_corrected),
      cmocka_unit_test(hidden_states_have_the_means_of_the_original),
      cmocka_unit_test(parts_are_corrected_as_the_whole),
      cmocka_unit_test(tuning_lowers_the_loss),
  };
  return cmocka_run_group_tests_name("calibration of families", tests, NULL, NULL);
}
