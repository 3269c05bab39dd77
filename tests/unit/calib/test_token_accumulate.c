/* test_token_accumulate.c - sums over tokens of one linear against plain sums. */
#include "calib/fisher/token_accumulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calib/fisher/triangle.h"
#include "check.h"
#include "core/compiler.h"

/* Nothing is a multiple of a block, a panel or an item. */
enum { TOKENS = 141, IN = 67, OUT = 133, X_STRIDE = 70, DY_STRIDE = 150 };

static float x[TOKENS * X_STRIDE], dy[TOKENS * DY_STRIDE];
static const aq_tape_linear linear = {x, dy, IN, OUT, X_STRIDE, DY_STRIDE};

typedef struct results {
  float a[IN * (IN + 1) / 2], moments[IN * (IN + 1) / 2], g[OUT + 1];
} results;

static void make_values(void) {
  uint32_t state = 5;
  for (size_t i = 0; i < AQ_COUNT_OF(x); i++) {
    x[i] = (float)((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1;
  }
  for (size_t i = 0; i < AQ_COUNT_OF(dy); i++) {
    dy[i] = (float)((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1;
  }
  memset(x + (size_t)3 * X_STRIDE, 0, IN * sizeof *x); /* a token without a direction */
}

static double dot(const float *from, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)from[i] * (double)from[i];
  return sum;
}

/* Element i, j of the sum of weights times v v^T. */
static double expected_of(const float *v, size_t stride, size_t i, size_t j, double (*weight)(size_t)) {
  double sum = 0;
  for (size_t t = 0; t < TOKENS; t++) sum += weight(t) * (double)v[t * stride + i] * (double)v[t * stride + j];
  return sum;
}

static double square_of_x(size_t t) { return dot(x + t * X_STRIDE, IN); }
static double square_of_dy(size_t t) { return dot(dy + t * DY_STRIDE, OUT); }
static double inverse_of_x(size_t t) { return square_of_x(t) > 0 ? 1 / square_of_x(t) : 0; }

static void expect_triangle(const float *found, size_t n, const float *v, size_t stride, double (*weight)(size_t),
                            double times) {
  const double size = expected_of(v, stride, 0, 0, weight) * times;
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j <= i; j++) {
      const double expected = expected_of(v, stride, i, j, weight) * times;
      assert_true(fabs((double)found[aq_triangle_row(i) + j] - expected) < 2e-6 * size);
    }
  }
}

static aq_token_accumulator *create(aq_pool **pool, uint32_t threads) {
  aq_error err;
  aq_token_accumulator *acc;
  make_values();
  assert_ok(aq_pool_create(threads, pool, &err));
  assert_ok(aq_token_accumulator_create(*pool, TOKENS, OUT, &acc, &err));
  return acc;
}

/* Twice, the second time with what was made of x. */
static results *run(uint32_t threads) {
  aq_error err;
  aq_pool *pool;
  aq_token_accumulator *acc = create(&pool, threads);
  results *r = calloc(1, sizeof *r);
  const aq_linear_stats first = {.a = r->a, .g = r->g, .moments = r->moments};
  const aq_linear_stats next = {.a = r->a, .g = r->g};
  assert_ok(aq_token_accumulator_linear(acc, &linear, TOKENS, false, &first, &err));
  assert_ok(aq_token_accumulator_linear(acc, &linear, TOKENS, true, &next, &err));
  aq_token_accumulator_free(acc);
  aq_pool_free(pool);
  return r;
}

static void sums_equal_plain_sums(void **state) {
  (void)state;
  results *r = run(3);
  expect_triangle(r->a, IN, x, X_STRIDE, square_of_dy, 2);
  expect_triangle(r->moments, IN, x, X_STRIDE, inverse_of_x, 1);
  for (size_t i = 0; i < OUT; i++) {
    const double expected = expected_of(dy, DY_STRIDE, i, i, square_of_x) * 2;
    assert_true(fabs((double)r->g[i] - expected) < 1e-6 * expected);
  }
  assert_true(r->g[OUT] == 0); /* no more than that */
  free(r);
}

static void threads_change_nothing(void **state) {
  (void)state;
  results *one = run(1), *many = run(4);
  assert_memory_equal(one, many, sizeof *one);
  free(one);
  free(many);
}

static void rows_are_squared(void **state) {
  (void)state;
  enum { WIDTH = 35 };
  aq_error err;
  aq_pool *pool;
  aq_token_accumulator *acc = create(&pool, 2);
  static float rows[TOKENS * WIDTH], to[WIDTH * (WIDTH + 1) / 2];
  memcpy(rows, dy, sizeof rows);
  assert_ok(aq_token_accumulator_rows(acc, rows, TOKENS, WIDTH, to, &err));
  for (size_t i = 0; i < WIDTH; i++) {
    for (size_t j = 0; j <= i; j++) {
      double sum = 0;
      for (size_t t = 0; t < TOKENS; t++) sum += (double)rows[t * WIDTH + i] * (double)rows[t * WIDTH + j];
      assert_true(fabs((double)to[aq_triangle_row(i) + j] - sum) < 1e-4);
    }
  }
  aq_token_accumulator_free(acc);
  aq_pool_free(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_equal_plain_sums),
      cmocka_unit_test(threads_change_nothing),
      cmocka_unit_test(rows_are_squared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
