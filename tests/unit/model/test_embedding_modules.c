/* test_embedding_modules.c - from the hidden states of a text to its embedding, against sums that are made here. */
#include "model/nn/embedding_modules.h"

#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "model/nn/attention.h"
#include "model/nn/pooling.h"

#define HIDDEN 3
#define TOKENS 4

static const float states[TOKENS * HIDDEN] = {1, -2, 3, 2, 5, -1, 0, -4, 8, -3, 1, 2};

static void each_pooling_is_its_definition(void **state) {
  (void)state;
  static const struct {
    aq_pooling mode;
    double wanted[HIDDEN];
  } cases[] = {{AQ_POOL_MEAN, {0, 0, 3}},
               {AQ_POOL_CLS, {1, -2, 3}},
               {AQ_POOL_MAX, {2, 5, 8}},
               {AQ_POOL_MEAN_SQRT, {0, 0, 6}},
               {AQ_POOL_WEIGHTED_MEAN, {-0.7, 0, 3.3}},
               {AQ_POOL_LAST, {-3, 1, 2}}};
  aq_model_config c = {.hidden = HIDDEN, .pooling_count = AQ_COUNT_OF(cases)};
  float out[AQ_COUNT_OF(cases) * HIDDEN];
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) c.pooling[i] = cases[i].mode;
  assert_true(aq_pooling_run(&c, states, TOKENS, out) == 1);
  double squares = 0;
  for (size_t i = 0; i < AQ_COUNT_OF(out); i++) {
    const double wanted = cases[i / HIDDEN].wanted[i % HIDDEN];
    assert_true(fabs((double)out[i] - wanted) < 1e-6);
    squares += wanted * wanted;
  }
  c.normalize = true;
  assert_true(fabs((double)aq_pooling_run(&c, states, TOKENS, out) - 1 / sqrt(squares)) < 1e-6);
}

static void largest_of_nan_is_nan(void **state) {
  (void)state;
  const float with_nan[4] = {1, NAN, NAN, 3};
  const aq_model_config c = {.hidden = 2, .pooling = {AQ_POOL_MAX}, .pooling_count = 1};
  float out[2];
  (void)aq_pooling_run(&c, with_nan, 2, out);
  assert_true(isnan(out[0]) && isnan(out[1]));
}

/* Dense 3 -> 2 with a bias and relu, a norm, length 1, the first value of that. */
static void modules_run_in_their_order(void **state) {
  (void)state;
  static const float w[2 * HIDDEN] = {1, 0, -1, 2, 1, 0}, bias[2] = {10, 0.5f};
  float gain[2] = {2, 3}, shift[2] = {1, -1}, pooled[HIDDEN] = {4, -3, 2}, spare[HIDDEN], out[2];
  aq_module_weights weights[3] = {{.norm = {NULL, NULL}}, {.norm = {gain, shift}}, {.norm = {NULL, NULL}}};
  const aq_weights all = {.modules = weights, .module_count = 3};
  aq_model_config c = {.hidden = HIDDEN,
                       .pooling_count = 1,
                       .modules = {{.kind = AQ_MODULE_DENSE, .in = HIDDEN, .out = 2},
                                   {.kind = AQ_MODULE_LAYER_NORM, .in = 2, .out = 2},
                                   {.kind = AQ_MODULE_NORMALIZE, .in = 2, .out = 2}},
                       .module_count = 3,
                       .width = 2,
                       .dimension = 2};
  aq_error err;
  c.modules[0].activation = aq_activation_find("relu");
  assert_ok(aq_linear_create(&weights[0].linear, 2, HIDDEN, AQ_LINEAR_F32, &err));
  aq_linear_put(&weights[0].linear, 0, 2, w, NULL);
  memcpy(weights[0].linear.bias, bias, sizeof bias);
  assert_int_equal(aq_embedding_widest(&c), HIDDEN);
  aq_embedding_finish(&c, &all, aq_kernels_get(), pooled, spare, out);
  /* 12 and 5.5 become 1 and -1, then 3 and -4. */
  assert_true(fabs((double)out[0] - 0.6) < 1e-5 && fabs((double)out[1] + 0.8) < 1e-5);
  const float again[HIDDEN] = {-40, 3, 2};
  memcpy(pooled, again, sizeof again);
  c.module_count = c.dimension = 1;
  out[1] = 7;
  aq_embedding_finish(&c, &all, aq_kernels_get(), pooled, spare, out);
  assert_true(out[0] == 0 && out[1] == 7);
  aq_linear_reset(&weights[0].linear);
}

/* Two that turn the order of more values around than a product makes at a time. */
static void dense_layers_follow_each_other(void **state) {
  (void)state;
  enum { WIDTH = 100 };
  static float w[WIDTH * WIDTH], pooled[WIDTH], spare[WIDTH], out[WIDTH];
  static aq_model_config c = {
      .hidden = WIDTH, .pooling_count = 1, .module_count = 2, .width = WIDTH, .dimension = WIDTH};
  aq_module_weights weights[2] = {{.norm = {NULL, NULL}}, {.norm = {NULL, NULL}}};
  const aq_weights all = {.modules = weights, .module_count = 2};
  aq_error err;
  for (size_t i = 0; i < WIDTH; i++) {
    pooled[i] = (float)i;
    w[i * WIDTH + WIDTH - 1 - i] = 1;
  }
  for (size_t i = 0; i < 2; i++) {
    c.modules[i] = (aq_module_spec){.kind = AQ_MODULE_DENSE, .in = WIDTH, .out = WIDTH};
    assert_ok(aq_linear_create(&weights[i].linear, WIDTH, WIDTH, AQ_LINEAR_F32, &err));
    aq_linear_put(&weights[i].linear, 0, WIDTH, w, NULL);
  }
  aq_embedding_finish(&c, &all, aq_kernels_get(), pooled, spare, out);
  for (size_t i = 0; i < WIDTH; i++) assert_true(out[i] == (float)i);
  for (size_t i = 0; i < 2; i++) aq_linear_reset(&weights[i].linear);
}

/* Over 60 tokens, more than a block of queries: each takes the mean of the values that it reaches, as all keys are
 * zero. */
static void attention_reaches_near_tokens_only(void **state) {
  (void)state;
  enum { COUNT = 60, WIDTH = 2 };
  static float qkv[COUNT * 3 * WIDTH], context[COUNT * WIDTH];
  const aq_model_config c = {.hidden = WIDTH, .attention = WIDTH, .heads = 1, .score_divisor = WIDTH};
  for (size_t t = 0; t < COUNT; t++) qkv[t * 3 * WIDTH + 2 * WIDTH] = (float)(t * t);
  float *scratch = malloc(aq_attention_floats(WIDTH, COUNT) * sizeof *scratch);
  assert_non_null(scratch);
  aq_thread_space space = aq_attention_space(scratch, WIDTH, COUNT);
  for (size_t reach = 0; reach < 4; reach++) {
    aq_head head = aq_attention_head(&c, qkv, COUNT, 0, context);
    head.reach = reach;
    aq_attention_run(&head, aq_kernels_get(), &space);
    for (size_t t = 0; t < COUNT; t++) {
      const size_t first = t > reach ? t - reach : 0, last = AQ_MIN(t + reach, (size_t)COUNT - 1);
      double sum = 0;
      for (size_t k = first; k <= last; k++) sum += (double)(k * k);
      const double wanted = sum / (double)(last - first + 1);
      assert_true(fabs((double)context[t * WIDTH] - wanted) < 1e-5 * (1 + wanted));
    }
  }
  free(scratch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_pooling_is_its_definition),     cmocka_unit_test(largest_of_nan_is_nan),
      cmocka_unit_test(modules_run_in_their_order),         cmocka_unit_test(dense_layers_follow_each_other),
      cmocka_unit_test(attention_reaches_near_tokens_only),
  };
  return cmocka_run_group_tests_name("embedding_modules", tests, NULL, NULL);
}
