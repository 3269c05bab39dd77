/* test_ldl.c - factors by hand, and of larger matrices multiplied back. */
#include <float.h>
#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "quant/feedback.h"

/* (4 2 2; 2 5 3; 2 3 6) = L diag(4 4 4) L^T with L = (1; .5 1; .5 .5 1). */
static void ldl_by_hand(void **state) {
  (void)state;
  aq_error err;
  const float a[9] = {4, 2, 2, 2, 5, 3, 2, 3, 6}, expected[9] = {1, 0, 0, 0.5f, 1, 0, 0.5f, 0.5f, 1};
  float l[9], d[3];
  assert_ok(aq_ldl(a, 3, 0, l, d, &err));
  assert_memory_equal(l, expected, sizeof l);
  for (size_t i = 0; i < 3; i++) assert_true(d[i] == 4);
}

/* The mean of the diagonal is 4: half of it makes (3 0; 0 9). */
static void ldl_damping_adds_to_the_diagonal(void **state) {
  (void)state;
  aq_error err;
  const float a[4] = {1, 0, 0, 7};
  float l[4], d[2];
  assert_ok(aq_ldl(a, 2, 0.5, l, d, &err));
  assert_true(d[0] == 3 && d[1] == 9);
}

static void ldl_dead_column_gets_one_and_no_coupling(void **state) {
  (void)state;
  aq_error err;
  const float a[9] = {4, 9, 2, 9, 0, 9, 2, 9, 6}, expected[9] = {1, 0, 0, 0, 1, 0, 0.5f, 0, 1};
  float l[9], d[3];
  assert_ok(aq_ldl(a, 3, 0, l, d, &err));
  assert_memory_equal(l, expected, sizeof l);
  assert_true(d[0] == 4 && d[1] == 1 && d[2] == 5);
  const float zeros[4] = {0, 0, 0, 0}, one[4] = {1, 0, 0, 1};
  assert_ok(aq_ldl(zeros, 2, 0.1, l, d, &err));
  assert_memory_equal(l, one, sizeof one);
  assert_true(d[0] == 1 && d[1] == 1);
}

static void ldl_not_positive_definite_is_refused(void **state) {
  (void)state;
  static const float bad[][4] = {{1, 2, 2, 1},   {-1, 0, 0, 5},       {1, NAN, NAN, 1},
                                 {1, 0, 0, NAN}, {INFINITY, 0, 0, 1}, {1, INFINITY, INFINITY, 1}};
  for (size_t i = 0; i < AQ_COUNT_OF(bad); i++) {
    aq_error err;
    float l[4], d[2];
    assert_int_equal(aq_ldl(bad[i], 2, 0.01, l, d, &err), AQ_ERR_FORMAT);
    assert_non_null(strstr(err.message, "not positive definite"));
  }
  aq_error err;
  float l[4], d[2];
  assert_ok(aq_ldl(bad[0], 2, 2, l, d, &err)); /* enough damping helps */
}

static void ldl_larger_than_a_block_multiplies_back(void **state) {
  (void)state;
  enum { N = 150 };
  static float x[N], a[N * N], l[N * N], d[N];
  aq_error err;
  uint32_t random = 1;
  for (size_t t = 0; t < 3 * N; t++) {
    for (size_t i = 0; i < N; i++) {
      random = random * 1664525u + 1013904223u;
      x[i] = (float)(random >> 8) * 0x1p-24f + (i > 0 ? 0.5f * x[i - 1] : 0);
    }
    for (size_t i = 0; i < N; i++) {
      for (size_t j = 0; j < N; j++) a[i * N + j] += x[i] * x[j];
    }
  }
  assert_ok(aq_ldl(a, N, 0, l, d, &err));
  for (size_t i = 0; i < N; i++) {
    assert_true(l[i * N + i] == 1 && d[i] > 0);
    for (size_t j = 0; j < N; j++) {
      double sum = 0;
      for (size_t k = 0; k < N; k++) sum += (double)l[i * N + k] * (double)d[k] * (double)l[j * N + k];
      assert_true(fabs(sum - (double)a[i * N + j]) < 1e-5 * (double)a[i * N + j]);
      assert_true(j <= i || l[i * N + j] == 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ldl_by_hand),
      cmocka_unit_test(ldl_damping_adds_to_the_diagonal),
      cmocka_unit_test(ldl_dead_column_gets_one_and_no_coupling),
      cmocka_unit_test(ldl_not_positive_definite_is_refused),
      cmocka_unit_test(ldl_larger_than_a_block_multiplies_back),
  };
  return cmocka_run_group_tests_name("ldl", tests, NULL, NULL);
}
