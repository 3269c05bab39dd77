/* test_model_kernels.c - the kernels that run a model: every set against ref, within the bounds of kernels.inc, on
 * random shapes with gaps between the rows that must stay as they are; and ref against values worked out otherwise. */
#include <float.h>
#include <math.h>

#include "check.h"
#include "kernels/dispatch.h"
#include "model/panels.h"

#define MAX_SETS 8
#define ROUNDS 150

static const aq_kernels *sets[MAX_SETS];
static size_t set_count;
static uint64_t seed = 1;

enum {
#define AQ_MODEL_KERNEL(kernel, family, bound) BOUND_##kernel,
#include "kernels/kernels.inc"
  BOUND_COUNT
};
static const double bounds[BOUND_COUNT] = {
#define AQ_MODEL_KERNEL(kernel, family, bound) bound,
#include "kernels/kernels.inc"
};

static uint32_t random_bits(void) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(seed >> 33);
}
static size_t below(size_t limit) { return random_bits() % limit; }
static float uniform(void) { return (float)(random_bits() & 0xffffff) * 0x1p-23f - 1; }
static float *random_floats(size_t n, float scale) {
  float *x = malloc((n + 1) * sizeof *x);
  assert_non_null(x);
  for (size_t i = 0; i < n; i++) x[i] = uniform() * scale;
  return x;
}
static float *copy_of(const float *x, size_t n) {
  float *copy = malloc((n + 1) * sizeof *copy);
  assert_non_null(copy);
  memcpy(copy, x, n * sizeof *copy);
  return copy;
}

/* ---- dense products ---- */

#define GAP 3
static const float poison = -12345.0f;

typedef struct product {
  size_t m, n, k, lda, ldc;
  float *a, *w, *panels, *bias, *expected, *got;
} product;

static float *poisoned(size_t n) {
  float *x = malloc((n + 1) * sizeof *x);
  assert_non_null(x);
  for (size_t i = 0; i < n; i++) x[i] = poison;
  return x;
}

static product random_product(void) {
  product p = {.m = below(40), .n = 1 + below(100), .k = 1 + below(140)};
  p.lda = p.k + below(GAP);
  p.ldc = p.n + GAP;
  p.a = random_floats(p.m * p.lda, 2);
  p.w = random_floats(p.n * p.k, 1);
  p.bias = random_floats(aq_panel_rows(p.n), 5);
  p.panels = random_floats(aq_panel_rows(p.n) * p.k, 1);
  aq_panels_put_f32(p.panels, p.k, 0, p.n, p.w, p.k);
  aq_panels_fill_f32(p.panels, p.k, p.n);
  p.expected = poisoned(p.m * p.ldc);
  p.got = poisoned(p.m * p.ldc);
  return p;
}

static void drop_product(product *p) {
  free(p->a);
  free(p->w);
  free(p->panels);
  free(p->bias);
  free(p->expected);
  free(p->got);
}

static aq_dense_f32 call_of(const product *p, const float *bias, float *c) {
  return (aq_dense_f32){p->m, p->n, p->k, p->a, p->lda, p->panels, bias, c, p->ldc};
}

/* The bound, from exact sums. */
static void check_product(const product *p, const float *bias, const float *c, const char *name) {
  for (size_t i = 0; i < p->m; i++) {
    for (size_t j = 0; j < p->ldc; j++) {
      const float got = c[i * p->ldc + j];
      double exact = 0, size = 0;
      if (j >= p->n) {
        if (got != poison) fail_msg("%s wrote past column %zu", name, p->n);
        continue;
      }
      if (bias != NULL) exact = (double)bias[j], size = fabs(exact);
      for (size_t k = 0; k < p->k; k++) {
        const double term = (double)p->a[i * p->lda + k] * (double)p->w[j * p->k + k];
        exact += term;
        size += fabs(term);
      }
      const double allowed = bounds[BOUND_dense_f32] * (double)(p->k + 1) * 0x1p-24 * size;
      if (fabs((double)got - exact) > allowed) {
        fail_msg("%s: m %zu n %zu k %zu row %zu column %zu: %g, not %g", name, p->m, p->n, p->k, i, j, (double)got,
                 exact);
      }
    }
  }
}

static void dense_f32_every_set_is_within_bound(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS; round++) {
    product p = random_product();
    const float *bias = round % 3 == 0 ? NULL : p.bias;
    for (size_t s = 0; s < set_count; s++) {
      aq_dense_f32 d = call_of(&p, bias, p.got);
      for (size_t i = 0; i < p.m * p.ldc; i++) p.got[i] = poison;
      sets[s]->dense_f32(&d);
      check_product(&p, bias, p.got, sets[s]->name);
    }
    drop_product(&p);
  }
}

typedef struct code_product {
  size_t m, n, k, lda, ldc;
  uint8_t *a;
  int8_t *w, *panels;
  float *a_scales, *scales, *bias, *c[MAX_SETS];
  int32_t *a_zeros, *sums;
} code_product;

static code_product random_code_product(bool extreme) {
  code_product p = {.m = below(40), .n = 1 + below(100), .k = 1 + below(300)};
  p.lda = (p.k + 3) / 4 * 4 + 4 * below(2);
  p.ldc = p.n + GAP;
  const size_t rows = aq_panel_rows(p.n);
  p.a = malloc(p.m * p.lda + 1);
  p.w = malloc(p.n * p.k);
  p.panels = calloc(rows, (p.k + 3) / 4 * 4);
  p.a_zeros = calloc(p.m + 1, sizeof *p.a_zeros);
  p.sums = calloc(rows, sizeof *p.sums);
  p.a_scales = random_floats(p.m, 1);
  p.scales = random_floats(rows, 1);
  p.bias = random_floats(rows, 1);
  for (size_t i = 0; i < p.m * p.lda; i++) p.a[i] = extreme ? 255 : (uint8_t)random_bits();
  for (size_t i = 0; i < p.n * p.k; i++) p.w[i] = extreme ? -128 : (int8_t)random_bits();
  for (size_t i = 0; i < p.m; i++) p.a_zeros[i] = extreme ? 0 : (int32_t)below(256);
  for (size_t j = 0; j < p.n; j++) {
    for (size_t k = 0; k < p.k; k++) p.sums[j] += p.w[j * p.k + k];
  }
  aq_panels_put_s8(p.panels, p.k, 0, p.n, p.w, p.k);
  return p;
}

static void dense_s8_every_set_equals_ref(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS; round++) {
    code_product p = random_code_product(round % 10 == 0);
    for (size_t s = 0; s < set_count; s++) {
      p.c[s] = poisoned(p.m * p.ldc);
      const aq_dense_s8 d = {p.m,      p.n,      p.k,    p.a,    p.lda,  p.a_scales, p.a_zeros,
                             p.panels, p.scales, p.sums, p.bias, p.c[s], p.ldc};
      sets[s]->dense_s8(&d);
      if (memcmp(p.c[s], p.c[0], p.m * p.ldc * sizeof(float)) != 0) {
        fail_msg("%s: m %zu n %zu k %zu", sets[s]->name, p.m, p.n, p.k);
      }
    }
    for (size_t s = 0; s < set_count; s++) free(p.c[s]);
    void *const all[] = {p.a, p.w, p.panels, p.a_scales, p.scales, p.bias, p.a_zeros, p.sums};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
  }
}

static void dense_s8_hand_values_give_hand_result(void **state) {
  (void)state;
  const uint8_t a[4] = {10, 0, 255, 7};
  int8_t panels[4 * AQ_PANEL] = {3, -2, 1};
  const float a_scale = 0.5f, scales[AQ_PANEL] = {2}, bias[AQ_PANEL] = {0.25f};
  const int32_t zero = 5, sums[AQ_PANEL] = {2};
  for (size_t s = 0; s < set_count; s++) {
    float c = 0;
    const aq_dense_s8 d = {1, 1, 3, a, 4, &a_scale, &zero, panels, scales, sums, bias, &c, 1};
    sets[s]->dense_s8(&d);
    /* (10-5)*3 + (0-5)*-2 + (255-5)*1 = 275, times 0.5 * 2, plus 0.25 */
    assert_true(c == 275.25f);
  }
}

/* ---- rows ---- */

static void gelu_every_set_is_within_bound(void **state) {
  (void)state;
  for (size_t s = 0; s < set_count; s++) {
    for (size_t n = 0; n < 70; n++) {
      float *x = random_floats(n, n % 2 == 0 ? 6 : 40), *y = copy_of(x, n);
      y[n] = poison;
      sets[s]->gelu_f32(y, n);
      for (size_t i = 0; i < n; i++) {
        const double exact = 0.5 * (double)x[i] * erfc((double)x[i] / -sqrt(2));
        const double allowed = bounds[BOUND_gelu_f32] * fmax(1, fabs((double)x[i]));
        if (fabs((double)y[i] - exact) > allowed) fail_msg("%s: gelu(%.9g)", sets[s]->name, (double)x[i]);
      }
      assert_true(y[n] == poison);
      free(x);
      free(y);
    }
    float known[3] = {0, 1e30f, -1e30f};
    sets[s]->gelu_f32(known, 3);
    assert_true(known[0] == 0 && known[1] == 1e30f && known[2] == 0);
  }
}

static void softmax_every_set_is_within_bound(void **state) {
  (void)state;
  for (size_t s = 0; s < set_count; s++) {
    for (size_t n = 1; n < 90; n++) {
      const float scale = n % 3 == 0 ? 0.125f : 1;
      float *x = random_floats(n, n % 2 == 0 ? 4 : 300), *y = copy_of(x, n), *expected = copy_of(x, n);
      y[n] = poison;
      aq_softmax_f32_ref(expected, n, scale);
      sets[s]->softmax_f32(y, n, scale);
      double sum = 0, largest = -INFINITY;
      for (size_t i = 0; i < n; i++) largest = fmax(largest, (double)x[i]);
      for (size_t i = 0; i < n; i++) {
        const double e = (double)expected[i], down = (double)scale * (largest - (double)x[i]);
        sum += (double)y[i];
        if (fabs((double)y[i] - e) > bounds[BOUND_softmax_f32] * e * (1 + down) + 1e-30) {
          fail_msg("%s: n %zu: %.9g, not %.9g", sets[s]->name, n, (double)y[i], e);
        }
      }
      assert_true(fabs(sum - 1) < 1e-5);
      assert_true(y[n] == poison);
      free(x);
      free(y);
      free(expected);
    }
  }
}

static void norm_every_set_is_within_bound(void **state) {
  (void)state;
  for (size_t s = 0; s < set_count; s++) {
    for (size_t n = 2; n < 120; n++) {
      float *x = random_floats(n, 3), *more = random_floats(n, 1), *gain = random_floats(n, 2);
      float *shift = random_floats(n, 1), *expected = poisoned(n), *y = n % 2 == 0 ? x : poisoned(n);
      const float *second = n % 3 == 0 ? NULL : more;
      aq_norm_f32_ref(x, second, n, gain, shift, 1e-12f, expected);
      sets[s]->norm_f32(x, second, n, gain, shift, 1e-12f, y);
      for (size_t i = 0; i < n; i++) {
        const double g = fabs((double)gain[i]), e = (double)expected[i], b = fabs((double)shift[i]);
        const double allowed = bounds[BOUND_norm_f32] * (g + fabs(e - (double)shift[i]) + b);
        if (fabs((double)y[i] - e) > allowed) fail_msg("%s: n %zu: %.9g, not %.9g", sets[s]->name, n, (double)y[i], e);
      }
      if (y != x) free(y);
      float *const all[] = {x, more, gain, shift, expected};
      for (size_t i = 0; i < 5; i++) free(all[i]);
    }
  }
}

static void quantize_u8_every_set_equals_ref(void **state) {
  (void)state;
  for (size_t n = 0; n < 200; n++) {
    float *x = random_floats(n, n % 4 == 0 ? 1e-3f : 7);
    if (n % 5 == 1) memset(x, 0, n * sizeof *x);
    if (n % 7 == 2) x[n / 2] = n % 2 == 0 ? 1e30f : -500;
    uint8_t expected[256], got[256];
    float scale, got_scale;
    int32_t zero, got_zero;
    memset(expected, 0xEE, sizeof expected);
    aq_quantize_u8_ref(x, n, expected, &scale, &zero);
    for (size_t s = 0; s < set_count; s++) {
      memset(got, 0xEE, sizeof got);
      sets[s]->quantize_u8(x, n, got, &got_scale, &got_zero);
      if (memcmp(got, expected, sizeof got) != 0 || scale != got_scale || zero != got_zero) {
        fail_msg("%s: n %zu", sets[s]->name, n);
      }
    }
    for (size_t i = 0; i < n && scale > 0; i++) {
      assert_true(fabsf((float)(expected[i] - zero) * scale - x[i]) <= scale * 0.502f);
    }
    assert_true(zero >= 0 && zero <= 255);
    free(x);
  }
}

static void panels_transposed_equals_put_of_transpose(void **state) {
  (void)state;
  const size_t n = 37, k = 9, stride = 41;
  float *w = random_floats(k * stride, 1), *t = random_floats(n * k, 1);
  float *a = calloc(aq_panel_rows(n) * k, sizeof *a), *b = random_floats(aq_panel_rows(n) * k, 1);
  for (size_t i = 0; i < k; i++) {
    for (size_t j = 0; j < n; j++) t[j * k + i] = w[i * stride + j];
  }
  aq_panels_put_f32(a, k, 0, n, t, k);
  aq_panels_put_transposed(b, k, n, w, stride);
  assert_memory_equal(a, b, aq_panel_rows(n) * k * sizeof *a);
  float *const all[] = {w, t, a, b};
  for (size_t i = 0; i < 4; i++) free(all[i]);
}

int main(void) {
  set_count = aq_kernels_all(sets, MAX_SETS);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dense_f32_every_set_is_within_bound),
      cmocka_unit_test(dense_s8_every_set_equals_ref),
      cmocka_unit_test(dense_s8_hand_values_give_hand_result),
      cmocka_unit_test(gelu_every_set_is_within_bound),
      cmocka_unit_test(softmax_every_set_is_within_bound),
      cmocka_unit_test(norm_every_set_is_within_bound),
      cmocka_unit_test(quantize_u8_every_set_equals_ref),
      cmocka_unit_test(panels_transposed_equals_put_of_transpose),
  };
  return cmocka_run_group_tests_name("model kernels", tests, NULL, NULL);
}
