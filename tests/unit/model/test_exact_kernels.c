/* test_exact_kernels.c - the same bits from every instruction set, and close to the reference. */
#include "model/nn/exact_kernels.h"

#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "core/random.h"

enum { ROWS = 17, OUT = 71, IN = 61, WORDS = 1003, SETS = 16 };

static float between(uint64_t *state, float least, float most) {
  return least + (most - least) * (float)(aq_splitmix_next(state) >> 40) * 0x1p-24F;
}

static const float *random_values(float *x, size_t n, float size) {
  uint64_t state = n;
  for (size_t i = 0; i < n; i++) x[i] = between(&state, -size, size);
  return x;
}

static void products_have_the_same_bits(void **state) {
  static float a[ROWS * IN], panels[96 * IN], bias[96], expected[ROWS * OUT], c[ROWS * OUT], reference[ROWS * OUT];
  const aq_kernels *sets[SETS];
  const size_t count = aq_kernels_all(sets, SETS);
  (void)state;
  aq_dense_f32 d = {.m = ROWS,
                    .n = OUT,
                    .k = IN,
                    .a = random_values(a, AQ_COUNT_OF(a), 3),
                    .lda = IN,
                    .panels = random_values(panels, AQ_COUNT_OF(panels), 1),
                    .ldc = OUT};
  (void)random_values(bias, AQ_COUNT_OF(bias), 2);
  for (int with_bias = 0; with_bias < 2; with_bias++) {
    d.bias = with_bias != 0 ? bias : NULL;
    d.c = reference;
    sets[0]->dense_f32(&d);
    for (size_t s = 0; s < count; s++) {
      aq_kernels exact;
      aq_exact_kernels_init(sets[s], &exact);
      d.c = s == 0 ? expected : c;
      exact.dense_f32(&d);
      if (s > 0 && memcmp(c, expected, sizeof c) != 0) fail_msg("%s", sets[s]->name);
    }
    for (size_t i = 0; i < AQ_COUNT_OF(expected); i++) assert_true(fabsf(expected[i] - reference[i]) < 1e-4F);
  }
}

static void softmax_has_the_same_bits(void **state) {
  static float x[WORDS], expected[WORDS], y[WORDS], reference[WORDS];
  const aq_kernels *sets[SETS];
  const size_t count = aq_kernels_all(sets, SETS);
  (void)state;
  (void)random_values(x, WORDS, 60);
  memcpy(reference, x, sizeof x);
  sets[0]->softmax_f32(reference, WORDS, 0.7F);
  for (size_t s = 0; s < count; s++) {
    aq_kernels exact;
    aq_exact_kernels_init(sets[s], &exact);
    memcpy(y, x, sizeof x);
    exact.softmax_f32(y, WORDS, 0.7F);
    if (s == 0) memcpy(expected, y, sizeof y);
    if (memcmp(y, expected, sizeof y) != 0) fail_msg("%s", sets[s]->name);
  }
  for (size_t i = 0; i < WORDS; i++) {
    const float bound = 5e-7F * (1 + 0.7F * (60 - x[i])) * reference[i] + 1e-30F;
    if (!(fabsf(expected[i] - reference[i]) <= bound))
      fail_msg("%zu: %g, not %g", i, (double)expected[i], (double)reference[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(products_have_the_same_bits),
      cmocka_unit_test(softmax_has_the_same_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
