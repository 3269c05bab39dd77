/* test_derivatives.c - derivatives against definitions in double: of activations over their whole range, and of
 * attention over more queries than are held at a time. */
#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "model/nn/activation.h"
#include "model/nn/attention.h"

/* ---- activations ---- */

static double gelu(double x) { return 0.5 * x * erfc(-x / sqrt(2)); }
static double gelu_tanh(double x) { return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x))); }
static double relu(double x) { return x > 0 ? x : 0; }
static double silu(double x) { return x / (1 + exp(-x)); }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double quick_gelu(double x) { return x / (1 + exp(-1.702 * x)); }
static double mish(double x) { return x * tanh(log1p(exp(x))); }

static const struct {
  const char *name;
  double (*f)(double);
} functions[] = {{"gelu", gelu}, {"gelu_new", gelu_tanh}, {"gelu_pytorch_tanh", gelu_tanh},
                 {"relu", relu}, {"silu", silu},          {"swish", silu},
                 {"tanh", tanh}, {"sigmoid", sigmoid},    {"quick_gelu", quick_gelu},
                 {"mish", mish}};

#define POINTS 4001

/* y / x is off by a few 2^-24; where s (1 - s) of gelu_new counts, near |x| = 5, that is multiplied by up to 40. */
#define NEAR 1.5e-5

static void derivative_of_each_activation_is_its_slope(void **state) {
  (void)state;
  for (size_t k = 0; k < AQ_COUNT_OF(functions); k++) {
    const aq_activation *a = aq_activation_find(functions[k].name);
    static float x[POINTS], y[POINTS], dy[POINTS];
    for (int i = 0; i < POINTS; i++) x[i] = (float)(i - POINTS / 2) * 0.01f + 0.0003f;
    memcpy(y, x, sizeof y);
    for (size_t i = 0; i < POINTS; i++) dy[i] = 2;
    a->apply(aq_kernels_get(), y, POINTS);
    a->backward(x, y, POINTS, dy);
    for (size_t i = 0; i < POINTS; i++) {
      const double step = 1e-5, at = (double)x[i];
      const double slope = (functions[k].f(at + step) - functions[k].f(at - step)) / (2 * step);
      if (!(fabs((double)dy[i] / 2 - slope) < NEAR)) {
        fail_msg("%s at %g: %g, slope %g", a->name, at, (double)dy[i] / 2, slope);
      }
    }
  }
}

static void derivative_of_each_activation_at_extremes_is_its_limit(void **state) {
  (void)state;
  static const float at[8] = {0, 1e-30f, -1e-12f, 1e-5f, -80, 80, -1e4f, 1e4f};
  for (size_t k = 0; k < AQ_COUNT_OF(functions); k++) {
    const aq_activation *a = aq_activation_find(functions[k].name);
    float y[8], dy[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    memcpy(y, at, sizeof y);
    a->apply(aq_kernels_get(), y, 8);
    a->backward(at, y, 8, dy);
    const bool is_tanh = functions[k].f == tanh, is_relu = functions[k].f == relu,
               is_sigmoid = functions[k].f == sigmoid;
    const double at_zero = is_tanh ? 1 : is_sigmoid ? 0.25 : functions[k].f == mish ? 0.6 : 0.5;
    for (size_t i = 0; i < 4; i++) {
      const double middle = is_relu ? at[i] > 0 : at_zero;
      if (!(fabs((double)dy[i] - middle) < 2e-5)) fail_msg("%s at %g: %g", a->name, (double)at[i], (double)dy[i]);
    }
    for (size_t i = 4; i < 8; i++) {
      const double limit = at[i] < 0 || is_tanh || is_sigmoid ? 0 : 1;
      if (!(fabs((double)dy[i] - limit) < 1e-6)) fail_msg("%s at %g: %g", a->name, (double)at[i], (double)dy[i]);
    }
  }
}

/* ---- attention ---- */

#define TOKENS 131 /* three blocks of queries, the last one short */
#define WIDTH 5
#define STRIDE 17 /* query, key and value side by side, and something after them */

static void softmax_row(const float *qkv, size_t i, double *p) {
  double sum = 0;
  for (size_t j = 0; j < TOKENS; j++) {
    double score = 0;
    for (size_t k = 0; k < WIDTH; k++) score += (double)qkv[i * STRIDE + k] * (double)qkv[j * STRIDE + WIDTH + k];
    sum += p[j] = exp(score / sqrt(WIDTH));
  }
  for (size_t j = 0; j < TOKENS; j++) p[j] /= sum;
}

/* Row i of the scores gives its part of all three gradients. */
static void add_row(const float *qkv, const float *d_out, size_t i, double (*d)[3 * WIDTH]) {
  static double p[TOKENS], d_p[TOKENS];
  double along = 0;
  softmax_row(qkv, i, p);
  for (size_t j = 0; j < TOKENS; j++) {
    d_p[j] = 0;
    for (size_t k = 0; k < WIDTH; k++) {
      d_p[j] += (double)d_out[i * WIDTH + k] * (double)qkv[j * STRIDE + 2 * WIDTH + k];
      d[j][2 * WIDTH + k] += p[j] * (double)d_out[i * WIDTH + k];
    }
    along += p[j] * d_p[j];
  }
  for (size_t j = 0; j < TOKENS; j++) {
    const double d_score = p[j] * (d_p[j] - along) / sqrt(WIDTH);
    for (size_t k = 0; k < WIDTH; k++) {
      d[i][k] += d_score * (double)qkv[j * STRIDE + WIDTH + k];
      d[j][WIDTH + k] += d_score * (double)qkv[i * STRIDE + k];
    }
  }
}

static void attention_backward_equals_definition(void **state) {
  (void)state;
  static float qkv[TOKENS * STRIDE], d_qkv[TOKENS * STRIDE], d_out[TOKENS * WIDTH];
  static double expected[TOKENS][3 * WIDTH];
  uint32_t seed = 5;
  for (size_t i = 0; i < AQ_COUNT_OF(qkv); i++) {
    seed = seed * 1664525u + 1013904223u;
    qkv[i] = (float)(seed >> 8) * 0x1p-22f - 2;
    d_qkv[i] = 99;
    d_out[i * WIDTH / STRIDE] = qkv[i] * 0.5f;
  }
  for (size_t i = 0; i < TOKENS; i++) add_row(qkv, d_out, i, expected);
  const aq_head_backward head = {.head = {.query = qkv,
                                          .key = qkv + WIDTH,
                                          .value = qkv + 2 * WIDTH,
                                          .stride = STRIDE,
                                          .tokens = TOKENS,
                                          .width = WIDTH,
                                          .out_stride = WIDTH,
                                          .divisor = WIDTH,
                                          .reach = SIZE_MAX},
                                 .d_query = d_qkv,
                                 .d_key = d_qkv + WIDTH,
                                 .d_value = d_qkv + 2 * WIDTH,
                                 .d_out = d_out};
  float *scratch = malloc(aq_attention_backward_floats(WIDTH, TOKENS) * sizeof *scratch);
  aq_attention_backward(&head, aq_kernels_get(), scratch);
  free(scratch);
  for (size_t t = 0; t < TOKENS; t++) {
    for (size_t k = 0; k < 3 * WIDTH; k++) {
      /* Sums of 131 terms near 0.1, each a few 2^-24 off. */
      assert_true(fabs((double)d_qkv[t * STRIDE + k] - expected[t][k]) < 1e-5);
    }
    for (size_t k = 3 * WIDTH; k < STRIDE; k++) assert_true(d_qkv[t * STRIDE + k] == 99);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(derivative_of_each_activation_is_its_slope),
      cmocka_unit_test(derivative_of_each_activation_at_extremes_is_its_limit),
      cmocka_unit_test(attention_backward_equals_definition),
  };
  return cmocka_run_group_tests_name("derivatives", tests, NULL, NULL);
}
