/* test_rd.c - steps, layouts and estimates against what follows from docs/schemes/rd.md. */
#include <float.h>
#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "faulty_allocator.h"
#include "quant/rd.h"
#include "quant/rd_steps.h"
#include "tensor/dtype.h"

static size_t as_it_is(void *ctx, const uint8_t *bytes, size_t size) {
  (void)ctx;
  (void)bytes;
  return size;
}

/* What an ideal coder of single bytes takes, with a table of 16 bytes for each call. */
static size_t by_entropy(void *ctx, const uint8_t *bytes, size_t size) {
  size_t counts[256] = {0};
  double bits = 0;
  (void)ctx;
  for (size_t i = 0; i < size; i++) counts[bytes[i]]++;
  for (int b = 0; b < 256; b++) {
    if (counts[b] > 0) bits -= (double)counts[b] * log2((double)counts[b] / (double)size);
  }
  return 16 + (size_t)(bits / 8);
}

static uint64_t random64 = 1;
static float normal(void) { /* nearly: a sum of 12, of variance 1 */
  float sum = -6;
  for (int k = 0; k < 12; k++) {
    random64 = random64 * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    sum += (float)(random64 >> 40) * 0x1p-24f;
  }
  return sum;
}

#define ROWS 128
#define COLS 256
static float weights[ROWS * COLS], sensitivity[ROWS];

static aq_rd_matrix usual_matrix(void) {
  random64 = 1;
  for (size_t i = 0; i < AQ_COUNT_OF(weights); i++) weights[i] = normal();
  for (size_t i = 0; i < ROWS; i++) sensitivity[i] = expf(0.5f * normal());
  return (aq_rd_matrix){weights, ROWS, COLS, sensitivity, 0.25f, 4};
}

/* The lambda whose step is x where the sensitivity is 1. */
static double lambda_of(double x) { return x * x / AQ_RD_KAPPA; }

static void example_gives_the_documented_steps(void **state) {
  (void)state;
  aq_error err;
  const float w[8] = {-0.9f, -0.4f, -0.1f, 0.0f, 0.2f, 0.3f, 0.7f, 1.6f}, s[2] = {1, 4};
  const aq_rd_matrix matrix = {w, 2, 4, s, 0.25f, 4};
  aq_rd_choice c;
  assert_ok(aq_rd_choose(&matrix, 0.03, 0, as_it_is, NULL, &c, &err));
  assert_int_equal(c.type, AQ_INT4);
  assert_int_equal(c.group_size, 0);
  assert_int_equal(c.span_count, 2);
  assert_true(c.steps[0] == 0.5f && c.steps[1] == 0.25f);
  assert_true(c.bits == 96 && c.clipped == 0);
  assert_true(fabs(c.loss - (0.03 + 4 * 0.0175)) < 1e-7);
  aq_rd_choice_reset(&c);
  assert_null(c.steps);
}

/* ---- the parts of a step ---- */

static void cut_keeps_the_bits_asked_for(void **state) {
  (void)state;
  static const struct {
    double x;
    int significant;
    bool up;
    float cut;
  } cases[] = {{0.5109, 4, false, 0.5f},    {0.54, 4, false, 0.5625f}, {0.5109, 4, true, 0.5625f},
               {0.5625, 4, true, 0.5625f},  {1.9, 2, false, 2},        {1.7, 2, false, 1.5f},
               {1.3, 1, true, 2},           {3.3, 24, false, 3.3f},    {1e-300, 4, false, FLT_MIN},
               {1e300, 4, true, 0x1.ep127f}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    assert_true(aq_rd_cut(cases[i].x, cases[i].significant, cases[i].up) == cases[i].cut);
  }
}

static void log2_is_that_of_the_library(void **state) {
  (void)state;
  for (double x = 1e-300; x < 1e300; x *= 1.7) assert_true(fabs(aq_rd_log2(x) - log2(x)) < 1e-13 * (1 + fabs(log2(x))));
  assert_true(aq_rd_log2(1) == 0 && aq_rd_log2(8) == 3);
}

/* Sensitivities 1, 4 and 16: the mean is 4, and its step sqrt(8.7 * lambda / 4). */
static void row_steps_follow_sensitivity_within_limits(void **state) {
  (void)state;
  const float w[3] = {1, 1, 1}, s[3] = {1, 4, 16}, equal[3] = {7, 7, 7}, zero[3] = {1, 0, 1};
  aq_rd_matrix matrix = {w, 3, 1, s, 0.25f, 4};
  double steps[3];
  assert_true(aq_rd_row_steps(&matrix, 4 / AQ_RD_KAPPA, steps));
  assert_true(fabs(steps[0] - 2) < 1e-12 && fabs(steps[1] - 1) < 1e-12 && fabs(steps[2] - 0.5) < 1e-12);
  matrix.narrow = 0.75f;
  matrix.wide = 1.5f;
  assert_true(aq_rd_row_steps(&matrix, 4 / AQ_RD_KAPPA, steps));
  assert_true(fabs(steps[0] - 1.5) < 1e-12 && fabs(steps[1] - 1) < 1e-12 && fabs(steps[2] - 0.75) < 1e-12);
  matrix.sensitivity = equal;
  assert_true(aq_rd_row_steps(&matrix, 7 / AQ_RD_KAPPA, steps));
  assert_true(fabs(steps[0] - 1) < 1e-12 && steps[0] == steps[2]);
  matrix.sensitivity = zero;
  assert_false(aq_rd_row_steps(&matrix, 1, steps));
}

/* ---- which layout ---- */

static void rates_choose_the_type(void **state) {
  (void)state;
  static const struct {
    double step;
    aq_quant_type type;
  } cases[] = {{2.6, AQ_INT4}, {1, AQ_INT4}, {0.2, AQ_INT8}, {0.05, AQ_INT8}};
  const aq_rd_matrix matrix = usual_matrix();
  double before = HUGE_VAL;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_error err;
    aq_rd_choice c;
    assert_ok(aq_rd_choose(&matrix, lambda_of(cases[i].step), 0, by_entropy, NULL, &c, &err));
    assert_int_equal(c.type, cases[i].type);
    assert_true(c.loss < before);
    before = c.loss;
    aq_rd_choice_reset(&c);
  }
}

/* With few significant bits there are 8 steps an octave; rows that are all alike must not jump from one to the next. */
static void rows_alike_have_fine_steps(void **state) {
  (void)state;
  const aq_rd_matrix matrix = usual_matrix();
  for (int alike = 0; alike < 2; alike++) {
    int different = 0;
    float before = 0;
    for (size_t r = 0; r < ROWS; r++) sensitivity[r] = alike || r > 0 ? 1 : 1.001f;
    for (int i = 0; i < 16; i++) {
      aq_error err;
      aq_rd_choice c;
      assert_ok(aq_rd_choose(&matrix, lambda_of(0.5 * (1 + i / 128.0)), 0, by_entropy, NULL, &c, &err));
      different += c.steps[c.span_count - 1] != before;
      before = c.steps[c.span_count - 1];
      aq_rd_choice_reset(&c);
    }
    assert_int_equal(different, alike ? 16 : 2);
  }
}

/* A weight of 150 standard deviations: its group alone has another step, and every other is its row's. */
static void far_weight_is_left_to_its_group(void **state) {
  (void)state;
  static const double steps[] = {0.3, 0.1, 0.05};
  for (size_t i = 0; i < AQ_COUNT_OF(steps); i++) {
    aq_error err;
    aq_rd_choice c;
    const aq_rd_matrix matrix = usual_matrix();
    for (size_t r = 0; r < ROWS; r++) sensitivity[r] = 1;
    weights[40 * COLS + 130] = 150;
    assert_ok(aq_rd_choose(&matrix, lambda_of(steps[i]), 0, by_entropy, NULL, &c, &err));
    assert_true(c.group_size > 0);
    const size_t a_row = COLS / (size_t)c.group_size, at = 40 * a_row + 130 / (size_t)c.group_size;
    assert_true(c.steps[at] > 2 * c.steps[40 * a_row]);
    assert_true(c.steps[at] * ((float)aq_quant_max(c.type) + 0.5f) > 140);
    for (size_t s = 40 * a_row; s < 41 * a_row; s++) assert_true(s == at || c.steps[s] == c.steps[40 * a_row]);
    aq_rd_choice_reset(&c);
  }
}

/* Far beyond what int8 can tell apart, steps come from the largest weight of a group. */
static void finest_steps_cover_their_group(void **state) {
  (void)state;
  aq_error err;
  aq_rd_choice c;
  const aq_rd_matrix matrix = usual_matrix();
  assert_ok(aq_rd_choose(&matrix, 1e-12, 0, by_entropy, NULL, &c, &err));
  assert_int_equal(c.type, AQ_INT8);
  assert_int_equal(c.group_size, 32);
  for (size_t s = 0; s < c.span_count; s++) {
    float most = 0;
    for (size_t j = 0; j < 32; j++) most = fmaxf(most, fabsf(weights[s * 32 + j]));
    assert_true(c.steps[s] > 0.85f * most / 127.5f && c.steps[s] < 1.15f * most / 127);
  }
  aq_rd_choice_reset(&c);
}

static void zero_matrix_has_steps_and_no_loss(void **state) {
  (void)state;
  aq_error err;
  aq_rd_choice c;
  const aq_rd_matrix matrix = usual_matrix();
  memset(weights, 0, sizeof weights);
  assert_ok(aq_rd_choose(&matrix, 1, 0, by_entropy, NULL, &c, &err));
  for (size_t s = 0; s < c.span_count; s++) assert_true(c.steps[s] >= FLT_MIN && c.steps[s] <= FLT_MAX);
  assert_true(c.loss == 0 && c.clipped == 0);
  aq_rd_choice_reset(&c);
}

/* ---- estimates ---- */

/* Loss and cut codes by rounding every weight; bits by packing all of int4. */
static void estimates_from_all_weights_are_exact(void **state) {
  (void)state;
  aq_error err;
  aq_rd_choice c;
  const aq_rd_matrix matrix = usual_matrix();
  static uint8_t packed[ROWS * COLS];
  for (size_t i = 0; i < AQ_COUNT_OF(weights); i += 900) weights[i] *= 3; /* some are cut off */
  assert_ok(aq_rd_choose(&matrix, lambda_of(0.9), 0, by_entropy, NULL, &c, &err));
  assert_int_equal(c.type, AQ_INT4);
  const size_t span = c.group_size > 0 ? (size_t)c.group_size : COLS;
  double loss = 0;
  uint64_t clipped = 0;
  for (size_t i = 0; i < AQ_COUNT_OF(weights); i++) {
    const float step = c.steps[i / span], r = rintf(weights[i] / step), q = fminf(fmaxf(r, -8), 7);
    clipped += r != q;
    loss += (double)sensitivity[i / COLS] * pow((double)weights[i] - (double)(q * step), 2);
    packed[i / 2] = (uint8_t)(i % 2 == 0 ? (int)q + 8 : packed[i / 2] | ((int)q + 8) << 4);
  }
  const size_t bytes = by_entropy(NULL, packed, sizeof packed / 2) +
                       by_entropy(NULL, (const uint8_t *)c.steps, c.span_count * sizeof *c.steps);
  assert_true(clipped > 0);
  assert_int_equal(c.clipped, clipped);
  assert_true(fabs(c.loss - loss) < 1e-9 * loss);
  assert_true(c.bits == 8 * (double)bytes);
  aq_rd_choice_reset(&c);
}

/* Half the rows, which differ: within 2 % of what all of them say. */
static void estimates_from_a_sample_are_near(void **state) {
  (void)state;
  static const double steps[] = {1.9, 1, 0.3, 0.05};
  const aq_rd_matrix matrix = usual_matrix();
  for (size_t i = 0; i < AQ_COUNT_OF(steps); i++) {
    aq_error err;
    aq_rd_choice all, some;
    assert_ok(aq_rd_choose(&matrix, lambda_of(steps[i]), 0, by_entropy, NULL, &all, &err));
    assert_ok(aq_rd_choose(&matrix, lambda_of(steps[i]), ROWS * COLS / 2, by_entropy, NULL, &some, &err));
    assert_int_equal(some.type, all.type);
    assert_true(fabs(some.bits / all.bits - 1) < 0.02);
    assert_true(fabs(some.loss / all.loss - 1) < 0.03);
    aq_rd_choice_reset(&all);
    aq_rd_choice_reset(&some);
  }
}

/* ---- what is refused ---- */

static void bad_arguments_are_refused(void **state) {
  (void)state;
  aq_error err;
  aq_rd_choice c;
  aq_rd_matrix matrix = usual_matrix();
  static const double lambdas[] = {0, -1, NAN, INFINITY};
  for (size_t i = 0; i < AQ_COUNT_OF(lambdas); i++) {
    assert_int_equal(aq_rd_choose(&matrix, lambdas[i], 0, as_it_is, NULL, &c, &err), AQ_ERR_ARGUMENT);
  }
  sensitivity[7] = NAN;
  assert_int_equal(aq_rd_choose(&matrix, 1, 0, as_it_is, NULL, &c, &err), AQ_ERR_ARGUMENT);
  assert_null(c.steps);
  matrix = usual_matrix();
  weights[5] = INFINITY;
  assert_int_equal(aq_rd_choose(&matrix, 1, 0, as_it_is, NULL, &c, &err), AQ_ERR_NONFINITE);
  weights[5] = NAN;
  assert_int_equal(aq_rd_choose(&matrix, 1e-6, 1000, as_it_is, NULL, &c, &err), AQ_ERR_NONFINITE);
  matrix.rows = 0;
  assert_int_equal(aq_rd_choose(&matrix, 1, 0, as_it_is, NULL, &c, &err), AQ_ERR_ARGUMENT);
}

static void every_failed_allocation_is_reported(void **state) {
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  const aq_rd_matrix matrix = usual_matrix();
  long n = 1;
  aq_set_allocator(&faulty);
  for (;; n++) {
    aq_error err;
    aq_rd_choice c;
    atomic_store(&countdown, n);
    const aq_status status = aq_rd_choose(&matrix, 1, 4096, by_entropy, NULL, &c, &err);
    aq_rd_choice_reset(&c);
    assert_int_equal(atomic_load(&alive), 0);
    if (status == AQ_OK) break;
    assert_int_equal(status, AQ_ERR_MEMORY);
  }
  aq_set_allocator(NULL);
  assert_int_equal(n, 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(example_gives_the_documented_steps),
      cmocka_unit_test(cut_keeps_the_bits_asked_for),
      cmocka_unit_test(log2_is_that_of_the_library),
      cmocka_unit_test(row_steps_follow_sensitivity_within_limits),
      cmocka_unit_test(rows_alike_have_fine_steps),
      cmocka_unit_test(rates_choose_the_type),
      cmocka_unit_test(far_weight_is_left_to_its_group),
      cmocka_unit_test(finest_steps_cover_their_group),
      cmocka_unit_test(zero_matrix_has_steps_and_no_loss),
      cmocka_unit_test(estimates_from_all_weights_are_exact),
      cmocka_unit_test(estimates_from_a_sample_are_near),
      cmocka_unit_test(bad_arguments_are_refused),
      cmocka_unit_test(every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests_name("rd", tests, NULL, NULL);
}
