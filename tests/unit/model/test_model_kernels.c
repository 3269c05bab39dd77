/* test_model_kernels.c - kernel_model.c for every set this machine has, and the panels that the kernels read. */
#include "check.h"
#include "kernels/kernel_check.h"
#include "kernels/kernels.h"
#include "model/nn/panels.h"

static const aq_kernels *sets[KERNEL_MAX_SETS];

static void every_set_holds(void **state) {
  const kernel_value_check *const check = *state;
  const size_t count = aq_kernels_all(sets, KERNEL_MAX_SETS);
  for (size_t s = 0; s < count; s++) assert_true(check->run(sets[s]));
}

static void panels_transposed_equals_put_of_transpose(void **state) {
  (void)state;
  enum { N = 37, K = 9, STRIDE = 41, ROWS = 64 };
  static float w[K * STRIDE], t[N * K], a[ROWS * K], b[ROWS * K];
  for (size_t i = 0; i < K * STRIDE; i++) w[i] = (float)(i * 7919 % 1009);
  for (size_t i = 0; i < K; i++) {
    for (size_t j = 0; j < N; j++) t[j * K + i] = w[i * STRIDE + j];
  }
  assert_int_equal(aq_panel_rows(N), ROWS);
  memset(a, 0xEE, sizeof a);
  aq_panels_put_f32(a, K, 0, 5, t, K); /* in two pieces that end within a panel */
  aq_panels_put_f32(a, K, 5, N - 5, t + 5 * K, K);
  aq_panels_fill_f32(a, K, N);
  aq_panels_put_transposed(b, K, N, w, STRIDE);
  assert_memory_equal(a, b, sizeof a);
  assert_true(a[3 * AQ_PANEL + 4] == t[4 * K + 3]);
}

int main(void) {
  const kernel_value_check *checks;
  const size_t count = kernel_model_checks(&checks);
  struct CMUnitTest tests[32] = {cmocka_unit_test(panels_transposed_equals_put_of_transpose)};
  for (size_t i = 0; i < count; i++) {
    tests[i + 1] = (struct CMUnitTest){checks[i].name, every_set_holds, NULL, NULL, (void *)&checks[i]};
  }
  return _cmocka_run_group_tests("model kernels", tests, count + 1, NULL, NULL);
}
