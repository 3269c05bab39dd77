/* test_gradients.c - gradients of every parameter of a tiny encoder against slopes of the loss. */
#include "pass_fixture.h"

static double loss_of(const loss *l, aq_tape *tape, const aq_params *p) {
  aq_error err;
  double sum = 0;
  assert_ok(aq_tape_forward(tape, p, &err));
  for (size_t i = 0; i < tape->texts * TINY_HIDDEN; i++) sum += (double)l->embeddings[i] * (double)tape->embeddings[i];
  for (size_t layer = 0; layer <= TINY_LAYERS; layer++) {
    for (size_t i = 0; l->d_hidden[layer] != NULL && i < tape->tokens * TINY_HIDDEN; i++) {
      sum += (double)l->d_hidden[layer][i] * (double)tape->hidden[layer][i];
    }
  }
  return sum;
}

/* Derivative along a direction, of fourth order: errors of the step, of FP32 and of the loss are near 1e-4 of it. */
static double slope(const loss *l, aq_tape *tape, const aq_params *p, float *x, const float *direction, size_t n,
                    double step) {
  static const double weights[4] = {1. / 12, -2. / 3, 2. / 3, -1. / 12}, at[4] = {-2, -1, 1, 2};
  float *kept = malloc(n * sizeof *kept);
  memcpy(kept, x, n * sizeof *kept);
  double sum = 0;
  for (size_t k = 0; k < 4; k++) {
    for (size_t i = 0; i < n; i++) x[i] = (float)((double)kept[i] + at[k] * step * (double)direction[i]);
    sum += weights[k] * loss_of(l, tape, p);
  }
  memcpy(x, kept, n * sizeof *kept);
  free(kept);
  return sum / step;
}

#define DIRECTIONS 3

static void expect_slopes(const char *name, const loss *l, aq_tape *tape, const aq_params *p, const float *gradient,
                          float *x, size_t n, double step, double tolerance) {
  float *direction = malloc(n * sizeof *direction);
  for (size_t d = 0; d < DIRECTIONS; d++) {
    double expected = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
      direction[i] = noise() / sqrtf((float)n / 3);
      expected += (double)direction[i] * (double)gradient[i];
      size += (double)gradient[i] * (double)gradient[i];
    }
    size = sqrt(size / (double)n);
    const double found = slope(l, tape, p, x, direction, n, step);
    if (!(fabs(found - expected) < tolerance * (size + fabs(expected) + 0.1))) {
      fail_msg("%s: %s: slope %g, gradient says %g of %g", p->model->config.activation->name, name, found, expected,
               size);
    }
  }
  free(direction);
}

static void check_gradients(fixture *f, const char *activation, aq_pooling pooling, bool normalize) {
  aq_error err;
  aq_tape tape = {0};
  const uint32_t few[4] = {1, 7, 40, 12};
  f->encoder->model.config.activation = aq_activation_find(activation);
  f->encoder->model.config.pooling[0] = pooling;
  f->encoder->model.config.normalize = normalize;
  loss *l = make_loss();
  aq_params g = zeros_like(&f->params);
  assert_ok(aq_tape_begin(&tape, &f->params, f->texts, few, 4, f->alone, &err));
  assert_ok(aq_tape_forward(&tape, &f->params, &err));
  assert_ok(gradients(&tape, &f->params, l->embeddings, l->d_hidden, false, &g, &err));
  /* Across the kink of ReLU a difference is wrong by the step. */
  const bool kink = strcmp(activation, "relu") == 0;
  for (size_t i = 0; i < f->model.count; i++) {
    size_t n;
    const char *name = f->model.tensors[i].name;
    const size_t tensor = (size_t)aq_source_find(f->source, name);
    float *x = aq_params_find(&f->params, tensor, &n);
    expect_slopes(name, l, &tape, &f->params, aq_params_find(&g, tensor, &n), x, n, kink ? 1e-3 : 1e-2,
                  kink ? 1e-2 : 1e-3);
  }
  aq_params_reset(&g);
  aq_tape_reset(&tape);
  free(l);
}

static void gradients_are_slopes_for_each_pooling(void **state) {
  check_gradients(*state, "gelu", AQ_POOL_MEAN, true);
  check_gradients(*state, "gelu", AQ_POOL_MEAN, false);
  check_gradients(*state, "gelu", AQ_POOL_CLS, true);
  check_gradients(*state, "gelu", AQ_POOL_CLS, false);
}

static void gradients_are_slopes_for_each_activation(void **state) {
  static const char *const names[] = {"gelu_new", "mish", "quick_gelu", "relu", "sigmoid", "silu", "tanh"};
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) check_gradients(*state, names[i], AQ_POOL_MEAN, true);
}

/* As MPNet has them. */
static void gradients_are_slopes_with_biases_by_distance(void **state) {
  fixture *f = *state;
  aq_error err;
  float values[AQ_POSITION_BIAS_BUCKETS * TINY_HEADS];
  for (size_t i = 0; i < AQ_COUNT_OF(values); i++) values[i] = noise();
  assert_ok(aq_position_bias_create(&f->params.relative, TINY_HEADS, TINY_HIDDEN / TINY_HEADS, &err));
  aq_position_bias_set(&f->params.relative, values);
  check_gradients(f, "gelu", AQ_POOL_MEAN, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(gradients_are_slopes_for_each_pooling, set_up, tear_down),
      cmocka_unit_test_setup_teardown(gradients_are_slopes_for_each_activation, set_up, tear_down),
      cmocka_unit_test_setup_teardown(gradients_are_slopes_with_biases_by_distance, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("gradients", tests, NULL, NULL);
}
