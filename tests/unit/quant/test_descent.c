/* test_descent.c - the descent on codes against its definition, and what it promises of the loss. */
#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "faulty_allocator.h"
#include "quant/descent.h"
#include "quant/feedback.h"

static uint64_t state64 = 7;
static int32_t draw(int32_t n) { /* 0 .. n-1 */
  state64 = state64 * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (int32_t)((state64 >> 33) % (uint64_t)n);
}

/* All numbers are small multiples of 1/16, so that sums of products are exact in float in any order. */
typedef struct problem {
  aq_descent d;
  float *w, *inputs, *outputs, *row_weight, *scales;
  float bits[16];
  int8_t *codes;
} problem;

/* B^T B of integers, and something more on the diagonal. */
static float *random_metric(size_t n) {
  int32_t *b = malloc(n * n * sizeof *b);
  float *a = calloc(n * n, sizeof *a);
  for (size_t i = 0; i < n * n; i++) b[i] = draw(3) - 1;
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n; j++) {
      int32_t sum = i == j ? 2 : 0;
      for (size_t k = 0; k < n; k++) sum += b[k * n + i] * b[k * n + j];
      a[i * n + j] = (float)sum;
    }
  }
  free(b);
  return a;
}

static void round_to_nearest(problem *p) {
  for (size_t i = 0; i < p->d.rows * p->d.cols; i++) {
    const float scale = p->scales[i / p->d.span], q = scale > 0 ? rintf(p->w[i] / scale) : 0;
    p->codes[i] = (int8_t)fminf(fmaxf(q, (float)p->d.qmin), (float)p->d.qmax);
  }
}

static problem make(size_t rows, size_t cols, size_t span, bool outputs, float price) {
  problem p = {.w = malloc(rows * cols * sizeof(float)),
               .inputs = random_metric(cols),
               .outputs = outputs ? random_metric(rows) : NULL,
               .row_weight = malloc(rows * sizeof(float)),
               .scales = malloc(rows * (cols / span) * sizeof(float)),
               .codes = malloc(rows * cols)};
  for (size_t i = 0; i < rows * cols; i++) p.w[i] = (float)(draw(129) - 64) / 16;
  for (size_t i = 0; i < rows; i++) p.row_weight[i] = (float)(1 + draw(4));
  for (size_t i = 0; i < rows * (cols / span); i++) p.scales[i] = (float)(1 << draw(3)) / 4;
  for (size_t q = 0; q < 16; q++) p.bits[q] = (float)(1 + abs((int)q - 8));
  p.d = (aq_descent){.rows = rows,
                     .cols = cols,
                     .w = p.w,
                     .inputs = p.inputs,
                     .outputs = p.outputs,
                     .row_weight = p.row_weight,
                     .scales = p.scales,
                     .span = span,
                     .qmin = -8,
                     .qmax = 7,
                     .price = price,
                     .sweeps = 2};
  round_to_nearest(&p);
  return p;
}

static void drop(problem *p) {
  free(p->w);
  free(p->inputs);
  free(p->outputs);
  free(p->row_weight);
  free(p->scales);
  free(p->codes);
}

static aq_descent of(const problem *p) {
  aq_descent d = p->d;
  d.code_bits = p->bits;
  return d;
}

static bool is_cut(const problem *p, size_t i) {
  const float scale = p->scales[i / p->d.span];
  return p->w[i] > 7.5f * scale || p->w[i] < -8.5f * scale;
}

static double error_of(const problem *p, const int8_t *codes, size_t i) {
  return is_cut(p, i) ? 0 : (double)p->w[i] - (double)codes[i] * (double)p->scales[i / p->d.span];
}

static double outer(const problem *p, size_t i, size_t k) {
  if (p->outputs != NULL) return (double)p->outputs[i * p->d.rows + k];
  return i == k ? (double)p->row_weight[i] : 0;
}

/* (G E A)[i][j], plain. */
static double moment(const problem *p, const int8_t *codes, size_t i, size_t j) {
  const size_t n = p->d.cols;
  double sum = 0;
  for (size_t k = 0; k < p->d.rows; k++) {
    if (outer(p, i, k) == 0) continue;
    double row = 0;
    for (size_t c = 0; c < n; c++) row += error_of(p, codes, k * n + c) * (double)p->inputs[c * n + j];
    sum += outer(p, i, k) * row;
  }
  return sum;
}

static double objective(const problem *p, const int8_t *codes) {
  double sum = 0;
  for (size_t i = 0; i < p->d.rows; i++) {
    for (size_t j = 0; j < p->d.cols; j++) {
      const size_t at = i * p->d.cols + j;
      sum += error_of(p, codes, at) * moment(p, codes, i, j);
      sum += (double)p->d.price * (double)p->bits[codes[at] + 8];
    }
  }
  return sum;
}

/* What the change of a code by one costs; huge where it may not be. */
static float cost(const problem *p, const int8_t *codes, size_t i, size_t j, int change) {
  const size_t at = i * p->d.cols + j;
  const int q = codes[at] + change;
  const float scale = p->scales[at / p->d.span];
  if (is_cut(p, at) || q < -8 || q > 7) return 1e30f;
  const float own = (float)outer(p, i, i) * p->inputs[j * p->d.cols + j] * scale * scale * (1 + 1e-3f);
  const float bits = p->d.price * (p->bits[q + 8] - p->bits[codes[at] + 8]);
  const float slope = 2 * scale * (float)moment(p, codes, i, j);
  return change > 0 ? own + bits - slope : own + bits + slope;
}

/* Rows from the last to the first; in each the best change, until none is worth it. */
static void by_definition(const problem *p, int8_t *codes, uint32_t sweeps) {
  for (uint32_t sweep = 0; sweep < sweeps; sweep++) {
    for (size_t i = p->d.rows; i-- > 0;) {
      for (size_t changes = 0; changes < p->d.cols; changes++) {
        float least = 0;
        size_t best = 0;
        for (size_t j = 0; j < p->d.cols; j++) {
          const float c = fminf(cost(p, codes, i, j, 1), cost(p, codes, i, j, -1));
          if (c < least) least = c, best = j;
        }
        if (!(least < 0)) break;
        const bool up = cost(p, codes, i, best, 1) < cost(p, codes, i, best, -1);
        codes[i * p->d.cols + best] = (int8_t)(codes[i * p->d.cols + best] + (up ? 1 : -1));
      }
    }
  }
}

static void any_shape_equals_the_definition(void **state) {
  (void)state;
  static const struct {
    size_t rows, cols, span;
    bool outputs;
    float price;
  } cases[] = {{1, 1, 1, false, 0},  {1, 1, 1, true, 0},       {3, 5, 5, true, 0},         {17, 16, 8, true, 0},
               {40, 6, 3, false, 0}, {33, 20, 20, true, 0.5f}, {16, 33, 11, false, 0.25f}, {49, 18, 6, true, 2}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_error err;
    problem p = make(cases[i].rows, cases[i].cols, cases[i].span, cases[i].outputs, cases[i].price);
    const size_t n = p.d.rows * p.d.cols;
    int8_t *expected = malloc(n);
    memcpy(expected, p.codes, n);
    const double before = objective(&p, p.codes);
    by_definition(&p, expected, p.outputs != NULL ? 2 : 1);
    const aq_descent d = of(&p);
    assert_ok(aq_descent_run(&d, NULL, p.codes, &err));
    assert_memory_equal(p.codes, expected, n);
    assert_true(objective(&p, p.codes) <= before);
    free(expected);
    drop(&p);
  }
}

/* From rounding to nearest and from error feedback, it goes down, and a good part of the way. */
static void loss_falls(void **state) {
  (void)state;
  for (int outputs = 0; outputs < 2; outputs++) {
    aq_error err;
    problem p = make(48, 64, 64, outputs, 0);
    for (size_t i = 0; i < p.d.rows; i++) p.scales[i] = 0.75f; /* nothing is cut off */
    round_to_nearest(&p);
    const double nearest = objective(&p, p.codes);
    float *input_l = malloc(64 * 64 * sizeof *input_l), *output_l = malloc(48 * 48 * sizeof *output_l), d[64];
    assert_ok(aq_ldl(p.inputs, 64, 0, input_l, d, &err));
    if (outputs) assert_ok(aq_ldl(p.outputs, 48, 0, output_l, d, &err));
    const aq_feedback f = {.rows = 48,
                           .cols = 64,
                           .w = p.w,
                           .input_l = input_l,
                           .output_l = outputs ? output_l : NULL,
                           .input_gain = 1,
                           .output_gain = 1,
                           .scales = p.scales,
                           .span = 64,
                           .qmin = -8,
                           .qmax = 7};
    const aq_descent descent = of(&p);
    assert_ok(aq_descent_run(&descent, NULL, p.codes, &err));
    assert_true(objective(&p, p.codes) < 0.6 * nearest);
    assert_ok(aq_feedback_round(&f, NULL, p.codes, &err));
    const double feedback = objective(&p, p.codes);
    assert_true(feedback < 0.7 * nearest);

    assert_ok(aq_descent_run(&descent, NULL, p.codes, &err));
    assert_true(objective(&p, p.codes) < 0.95 * feedback);
    free(input_l);
    free(output_l);
    drop(&p);
  }
}

/* A weight that is cut off keeps its code, and changes nothing for the others, however far off it is. */
static void cut_weight_pulls_nothing(void **state) {
  (void)state;
  for (int outputs = 0; outputs < 2; outputs++) {
    aq_error err;
    problem p = make(20, 24, 24, outputs, 0);
    for (size_t i = 0; i < p.d.rows; i++) p.scales[i] = 0.5f;
    int8_t codes[20 * 24];
    for (int far = 0; far < 2; far++) {
      p.w[11 * 24 + 5] = far ? 1000 : 4;
      round_to_nearest(&p);
      const aq_descent d = of(&p);
      assert_ok(aq_descent_run(&d, NULL, p.codes, &err));
      assert_int_equal(p.codes[11 * 24 + 5], 7);
      if (!far) memcpy(codes, p.codes, sizeof codes);
    }
    assert_memory_equal(p.codes, codes, sizeof codes);
    drop(&p);
  }
}

static double bits_of(const problem *p) {
  double sum = 0;
  for (size_t i = 0; i < p->d.rows * p->d.cols; i++) sum += (double)p->bits[p->codes[i] + 8];
  return sum;
}

static void price_makes_codes_cheaper(void **state) {
  (void)state;
  aq_error err;
  problem p = make(32, 32, 32, true, 0);
  double before = HUGE_VAL;
  for (int price = 0; price < 3; price++) {
    p.d.price = (float)(price * 20);
    round_to_nearest(&p);
    const aq_descent d = of(&p);
    assert_ok(aq_descent_run(&d, NULL, p.codes, &err));
    assert_true(bits_of(&p) < before);
    before = bits_of(&p);
  }
  drop(&p);
}

static void threads_change_nothing(void **state) {
  (void)state;
  aq_error err;
  problem p = make(100, 48, 16, false, 0.5f);
  int8_t *alone = malloc(100 * 48);
  memcpy(alone, p.codes, 100 * 48);
  const aq_descent d = of(&p);
  assert_ok(aq_descent_run(&d, NULL, alone, &err));
  aq_pool *pool;
  assert_ok(aq_pool_create(3, &pool, &err));
  assert_ok(aq_descent_run(&d, pool, p.codes, &err));
  assert_memory_equal(p.codes, alone, 100 * 48);
  aq_pool_free(pool);
  free(alone);
  drop(&p);
}

static void step_of_zero_and_nothing_are_fine(void **state) {
  (void)state;
  aq_error err;
  problem p = make(4, 8, 8, true, 0);
  p.scales[1] = 0;
  round_to_nearest(&p);
  aq_descent d = of(&p);
  assert_ok(aq_descent_run(&d, NULL, p.codes, &err));
  for (size_t j = 0; j < 8; j++) assert_int_equal(p.codes[8 + j], 0);
  d.rows = 0;
  assert_ok(aq_descent_run(&d, NULL, NULL, &err));
  drop(&p);
}

static void every_failed_allocation_is_reported(void **state) {
  (void)state;
  aq_error err;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  problem p = make(20, 16, 16, true, 0);
  const aq_descent d = of(&p);
  long n = 1;
  aq_set_allocator(&faulty);
  for (;; n++) {
    atomic_store(&countdown, n);
    const aq_status status = aq_descent_run(&d, NULL, p.codes, &err);
    assert_int_equal(atomic_load(&alive), 0);
    if (status == AQ_OK) break;
    assert_int_equal(status, AQ_ERR_MEMORY);
  }
  aq_set_allocator(NULL);
  assert_true(n > 3);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_shape_equals_the_definition),
      cmocka_unit_test(loss_falls),
      cmocka_unit_test(cut_weight_pulls_nothing),
      cmocka_unit_test(price_makes_codes_cheaper),
      cmocka_unit_test(threads_change_nothing),
      cmocka_unit_test(step_of_zero_and_nothing_are_fine),
      cmocka_unit_test(every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests_name("descent", tests, NULL, NULL);
}
