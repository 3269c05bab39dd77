/* test_pass.c - the forward and backward pass of a tiny encoder: against the encoder, against central differences, at
 * several numbers of threads, and with memory that runs out. */
#include "model/pass.h"

#include "core/compiler.h"
#include "faulty_allocator.h"
#include "model/encoder.h"
#include "tiny_encoder.h"

/* Texts from one token to more than a block of queries of attention; together more than a block of rows. */
#define TEXTS 9
static const uint32_t lengths[TEXTS] = {1, 5, 40, 17, 2, 33, 40, 8, 29};

typedef struct fixture {
  tiny_encoder model;
  char folder[512], weights[600];
  int32_t ids[TEXTS][TINY_POSITIONS];
  const int32_t *texts[TEXTS];
  aq_source *source;
  aq_encoder *encoder;
  aq_pool *pool, *alone; /* of two threads, of one */
  aq_params params;
} fixture;

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  aq_error err;
  tiny_make(&f->model, "bert.");
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  write_text(f->folder, "config.json", tiny_config);
  (void)snprintf(f->weights, sizeof f->weights, "%s/tiny.safetensors", f->folder);
  tiny_write(&f->model, f->weights, NULL);
  for (uint32_t i = 0; i < TEXTS; i++) {
    for (uint32_t k = 0; k < TINY_POSITIONS; k++) f->ids[i][k] = (int32_t)((i * 31 + k * 7 + k * k / 3) % TINY_WORDS);
    f->texts[i] = f->ids[i];
  }
  aq_encoder_options o;
  aq_encoder_options_init(&o);
  o.threads = 1;
  assert_ok(aq_source_open(f->weights, NULL, &f->source, &err));
  assert_ok(aq_encoder_open_source(f->source, &o, &f->encoder, &err));
  assert_ok(aq_pool_create(2, &f->pool, &err));
  assert_ok(aq_pool_create(1, &f->alone, &err));
  assert_ok(aq_params_load(f->source, &f->encoder->config, f->pool, &f->params, &err));
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  aq_params_reset(&f->params);
  aq_pool_free(f->pool);
  aq_pool_free(f->alone);
  aq_encoder_close(f->encoder);
  aq_source_close(f->source);
  drop_folder(f->folder);
  tiny_free(&f->model);
  free(f);
  return 0;
}

/* ---- parameters ---- */

static void params_are_the_tensors_of_the_source(void **state) {
  const fixture *f = *state;
  size_t used = 0;
  for (size_t i = 0; i < f->model.count; i++) {
    const tiny_tensor *t = &f->model.tensors[i];
    const int64_t index = aq_source_find(f->source, t->name);
    size_t count = 0, whole = (size_t)(t->rows * (t->columns > 0 ? t->columns : 1));
    assert_true(index >= 0);
    const float *values = aq_params_find(&f->params, (size_t)index, &count);
    assert_non_null(values);
    assert_int_equal(count, strstr(t->name, "token_type") != NULL ? TINY_HIDDEN : whole);
    assert_memory_equal(values, t->values, count * sizeof *values);
    used += count;
  }
  assert_int_equal(used, f->params.count);
  size_t count;
  assert_null(aq_params_find(&f->params, f->model.count, &count));
  assert_null(aq_params_find(&f->params, AQ_NO_TENSOR, &count));
  const aq_param_linear *l = f->params.layers[1].linear;
  assert_ptr_equal(l[AQ_KEY].w, l[AQ_QUERY].w + TINY_HIDDEN * TINY_HIDDEN);
  assert_ptr_equal(l[AQ_VALUE].b, l[AQ_QUERY].b + 2 * TINY_HIDDEN);
}

static void params_copy_has_memory_of_its_own(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_params copy;
  assert_ok(aq_params_copy(&f->params, &copy, &err));
  assert_memory_equal(copy.memory, f->params.memory, copy.count * sizeof(float));
  copy.layers[1].last_norm.shift[3] += 1;
  assert_true(copy.memory[copy.count - TINY_HIDDEN + 3] != f->params.memory[copy.count - TINY_HIDDEN + 3]);
  assert_int_equal(copy.layers[1].last_norm.shift_tensor, f->params.layers[1].last_norm.shift_tensor);
  aq_params_reset(&copy);
}

/* ---- forward ---- */

/* Both round each of about 60 steps to 2^-24 of values near 1, in another order. */
#define SAME 1e-5

static void expect_near(const float *a, const float *b, size_t n, double tolerance) {
  for (size_t i = 0; i < n; i++) {
    if (!(fabs((double)a[i] - (double)b[i]) < tolerance)) fail_msg("%zu: %g and %g", i, (double)a[i], (double)b[i]);
  }
}

static void encode(const fixture *f, float *out) {
  aq_error err;
  for (size_t i = 0; i < TEXTS; i++) {
    assert_ok(aq_encoder_encode_ids(f->encoder, f->texts[i], &lengths[i], 1, out + i * TINY_HIDDEN, &err));
  }
}

static void forward_equals_encoder(void **state) {
  fixture *f = *state;
  aq_error err;
  aq_pass pass = {0};
  float expected[TEXTS * TINY_HIDDEN];
  for (int normalize = 0; normalize < 2; normalize++) {
    for (int pooling = AQ_POOL_MEAN; pooling <= AQ_POOL_CLS; pooling++) {
      f->encoder->config.normalize = normalize != 0;
      f->encoder->config.pooling = (aq_pooling)pooling;
      encode(f, expected);
      assert_ok(aq_pass_begin(&pass, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
      assert_int_equal(pass.first[2], 6);
      assert_int_equal(pass.tokens, 175);
      assert_ok(aq_pass_forward(&pass, &f->params, &err));
      expect_near(pass.embeddings, expected, AQ_COUNT_OF(expected), SAME);
    }
  }
  aq_pass_reset(&pass);
}

static void steps_walk_the_hidden_states_of_forward(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_pass pass = {0};
  assert_ok(aq_pass_begin(&pass, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
  assert_ok(aq_pass_forward(&pass, &f->params, &err));
  const aq_params *p = &f->params;
  float *scratch = malloc(aq_step_scratch(p->config, TINY_POSITIONS) * sizeof *scratch);
  for (size_t text = 0; text < TEXTS; text++) {
    const size_t n = lengths[text], at = pass.first[text] * TINY_HIDDEN;
    float x[TINY_POSITIONS * TINY_HIDDEN], y[TINY_POSITIONS * TINY_HIDDEN];
    aq_step_embed(p, f->texts[text], n, x);
    aq_step_norm(p, &p->first_norm, x, n, x);
    expect_near(x, pass.hidden[0] + at, n * TINY_HIDDEN, SAME);
    for (uint32_t layer = 0; layer < TINY_LAYERS; layer++) {
      aq_step_attention(p, layer, x, n, scratch, y);
      aq_step_norm(p, &p->layers[layer].attention_norm, y, n, x);
      aq_step_feed_forward(p, layer, x, n, scratch, y);
      aq_step_norm(p, &p->layers[layer].last_norm, y, n, x);
      expect_near(x, pass.hidden[layer + 1] + at, n * TINY_HIDDEN, SAME);
    }
  }
  free(scratch);
  aq_pass_reset(&pass);
}

static void begin_refuses_wrong_ids(void **state) {
  fixture *f = *state;
  aq_error err;
  aq_pass pass = {0};
  const uint32_t none = 0, long_one = TINY_POSITIONS + 1, two = 2;
  const int32_t past[2] = {0, TINY_WORDS}, *const text = past;
  assert_int_equal(aq_pass_begin(&pass, &f->params, f->texts, &none, 1, f->pool, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_pass_begin(&pass, &f->params, f->texts, &long_one, 1, f->pool, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_pass_begin(&pass, &f->params, &text, &two, 1, f->pool, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "token 1 of text 0 is 50; the model has 50 words");
  aq_pass_reset(&pass);
}

/* ---- backward ---- */

static uint32_t noise_state = 1;
static float noise(void) {
  noise_state = noise_state * 1664525u + 1013904223u;
  return (float)(noise_state >> 8) * 0x1p-23f - 1;
}

/* A loss: sum of given factors times embeddings and some hidden states. */
typedef struct loss {
  float embeddings[TEXTS * TINY_HIDDEN];
  float hidden[TINY_LAYERS + 1][TEXTS * TINY_POSITIONS * TINY_HIDDEN];
  const float *d_hidden[TINY_LAYERS + 1]; /* the middle one NULL */
} loss;

static loss *make_loss(void) {
  loss *l = calloc(1, sizeof *l);
  for (size_t i = 0; i < AQ_COUNT_OF(l->embeddings); i++) l->embeddings[i] = noise();
  for (size_t layer = 0; layer <= TINY_LAYERS; layer++) {
    for (size_t i = 0; i < AQ_COUNT_OF(l->hidden[0]); i++) l->hidden[layer][i] = noise() * 0.05f;
    if (layer != 1) l->d_hidden[layer] = l->hidden[layer];
  }
  return l;
}

static double loss_of(const loss *l, aq_pass *pass, const aq_params *p) {
  aq_error err;
  double sum = 0;
  assert_ok(aq_pass_forward(pass, p, &err));
  for (size_t i = 0; i < pass->texts * TINY_HIDDEN; i++) sum += (double)l->embeddings[i] * (double)pass->embeddings[i];
  for (size_t layer = 0; layer <= TINY_LAYERS; layer++) {
    for (size_t i = 0; l->d_hidden[layer] != NULL && i < pass->tokens * TINY_HIDDEN; i++) {
      sum += (double)l->d_hidden[layer][i] * (double)pass->hidden[layer][i];
    }
  }
  return sum;
}

/* The gradients of all parameters, where those are in `g`. */
static void gradients_of_embeddings(const aq_pass *pass, const aq_params *g) {
  const size_t n = TINY_HIDDEN;
  for (size_t text = 0; text < pass->texts; text++) {
    for (size_t t = 0; t < pass->lengths[text]; t++) {
      const float *d = pass->d_input + (pass->first[text] + t) * n;
      for (size_t i = 0; i < n; i++) {
        g->words[(size_t)pass->ids[text][t] * n + i] += d[i];
        g->positions[t * n + i] += d[i];
        g->type[i] += d[i];
      }
    }
  }
}

static void gradients(const aq_pass *pass, bool add, aq_params *g) {
  aq_error err;
  aq_pass_norm_gradient(pass, &pass->first_norm, add, g->first_norm.gain, g->first_norm.shift);
  for (size_t i = 0; i < TINY_LAYERS; i++) {
    const aq_pass_layer *l = &pass->layers[i];
    aq_param_layer *to = &g->layers[i];
    for (size_t k = 0; k < AQ_LAYER_LINEARS; k++) {
      assert_ok(aq_pass_linear_gradient(pass, &l->linear[k], add, to->linear[k].w, to->linear[k].b, &err));
    }
    aq_pass_norm_gradient(pass, &l->attention_norm, add, to->attention_norm.gain, to->attention_norm.shift);
    aq_pass_norm_gradient(pass, &l->last_norm, add, to->last_norm.gain, to->last_norm.shift);
  }
  gradients_of_embeddings(pass, g);
}

static aq_params zeros_like(const aq_params *p) {
  aq_error err;
  aq_params g;
  assert_ok(aq_params_copy(p, &g, &err));
  memset(g.memory, 0, g.count * sizeof *g.memory);
  return g;
}

/* Derivative along a direction, of fourth order: errors of the step, of FP32 and of the loss are near 1e-4 of it. */
static double slope(const loss *l, aq_pass *pass, const aq_params *p, float *x, const float *direction, size_t n,
                    double step) {
  static const double weights[4] = {1. / 12, -2. / 3, 2. / 3, -1. / 12}, at[4] = {-2, -1, 1, 2};
  float *kept = malloc(n * sizeof *kept);
  memcpy(kept, x, n * sizeof *kept);
  double sum = 0;
  for (size_t k = 0; k < 4; k++) {
    for (size_t i = 0; i < n; i++) x[i] = (float)((double)kept[i] + at[k] * step * (double)direction[i]);
    sum += weights[k] * loss_of(l, pass, p);
  }
  memcpy(x, kept, n * sizeof *kept);
  free(kept);
  return sum / step;
}

#define DIRECTIONS 3

static void expect_slopes(const char *name, const loss *l, aq_pass *pass, const aq_params *p, const float *gradient,
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
    const double found = slope(l, pass, p, x, direction, n, step);
    if (!(fabs(found - expected) < tolerance * (size + fabs(expected) + 0.1))) {
      fail_msg("%s: %s: slope %g, gradient says %g of %g", p->config->activation->name, name, found, expected, size);
    }
  }
  free(direction);
}

static void check_gradients(fixture *f, const char *activation, aq_pooling pooling, bool normalize) {
  aq_error err;
  aq_pass pass = {0};
  const uint32_t few[4] = {1, 7, 40, 12};
  f->encoder->config.activation = aq_activation_find(activation);
  f->encoder->config.pooling = pooling;
  f->encoder->config.normalize = normalize;
  loss *l = make_loss();
  aq_params g = zeros_like(&f->params);
  assert_ok(aq_pass_begin(&pass, &f->params, f->texts, few, 4, f->alone, &err));
  assert_ok(aq_pass_forward(&pass, &f->params, &err));
  assert_ok(aq_pass_backward(&pass, &f->params, l->embeddings, l->d_hidden, &err));
  gradients(&pass, false, &g);
  /* Across the kink of ReLU a difference is wrong by the step. */
  const bool kink = strcmp(activation, "relu") == 0;
  for (size_t i = 0; i < f->model.count; i++) {
    size_t n;
    const char *name = f->model.tensors[i].name;
    const size_t tensor = (size_t)aq_source_find(f->source, name);
    float *x = aq_params_find(&f->params, tensor, &n);
    expect_slopes(name, l, &pass, &f->params, aq_params_find(&g, tensor, &n), x, n, kink ? 1e-3 : 1e-2,
                  kink ? 1e-2 : 1e-3);
  }
  aq_params_reset(&g);
  aq_pass_reset(&pass);
  free(l);
}

static void gradients_are_slopes_for_each_pooling(void **state) {
  check_gradients(*state, "gelu", AQ_POOL_MEAN, true);
  check_gradients(*state, "gelu", AQ_POOL_MEAN, false);
  check_gradients(*state, "gelu", AQ_POOL_CLS, true);
  check_gradients(*state, "gelu", AQ_POOL_CLS, false);
}

static void gradients_are_slopes_for_each_activation(void **state) {
  static const char *const names[] = {"gelu_new", "relu", "silu", "tanh"};
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) check_gradients(*state, names[i], AQ_POOL_MEAN, true);
}

static void pass_threads_and_repetition_change_nothing(void **state) {
  const fixture *f = *state;
  aq_error err;
  loss *l = make_loss();
  aq_params expected = zeros_like(&f->params), g = zeros_like(&f->params);
  for (uint32_t threads = 1; threads <= 3; threads++) {
    aq_pool *pool;
    aq_pass pass = {0};
    assert_ok(aq_pool_create(threads, &pool, &err));
    for (int again = 0; again < 2; again++) {
      assert_ok(aq_pass_begin(&pass, &f->params, f->texts, lengths, TEXTS - (size_t)again, pool, &err));
      assert_ok(aq_pass_begin(&pass, &f->params, f->texts, lengths, TEXTS, pool, &err));
      assert_ok(aq_pass_forward(&pass, &f->params, &err));
      for (int twice = 0; twice < 2; twice++) {
        assert_ok(aq_pass_backward(&pass, &f->params, l->embeddings, l->d_hidden, &err));
      }
      memset(g.memory, 0, g.count * sizeof *g.memory);
      gradients(&pass, false, &g);
      if (threads == 1 && again == 0) memcpy(expected.memory, g.memory, g.count * sizeof *g.memory);
      assert_memory_equal(g.memory, expected.memory, g.count * sizeof *g.memory);
    }
    gradients(&pass, true, &g);
    const size_t linears = (size_t)(g.layers[0].linear[0].w - g.memory);
    for (size_t i = linears; i < g.count; i++) assert_true(g.memory[i] == 2 * expected.memory[i]);
    aq_pass_reset(&pass);
    aq_pool_free(pool);
  }
  aq_params_reset(&expected);
  aq_params_reset(&g);
  free(l);
}

static void gradient_of_qkv_at_once_is_that_of_each(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_pass pass = {0};
  loss *l = make_loss();
  assert_ok(aq_pass_begin(&pass, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
  assert_ok(aq_pass_forward(&pass, &f->params, &err));
  assert_ok(aq_pass_backward(&pass, &f->params, l->embeddings, NULL, &err));
  aq_params g = zeros_like(&f->params), h = zeros_like(&f->params);
  gradients(&pass, false, &g);
  aq_pass_linear all = pass.layers[0].linear[AQ_QUERY];
  all.out = 3 * TINY_HIDDEN;
  const aq_param_linear *from = &g.layers[0].linear[AQ_QUERY], *to = &h.layers[0].linear[AQ_QUERY];
  assert_ok(aq_pass_linear_gradient(&pass, &all, false, to->w, to->b, &err));
  assert_memory_equal(to->w, from->w, all.out * TINY_HIDDEN * sizeof(float));
  assert_memory_equal(to->b, from->b, all.out * sizeof(float));
  assert_ok(aq_pass_linear_gradient(&pass, &all, false, to->w, NULL, &err));
  aq_params_reset(&g);
  aq_params_reset(&h);
  aq_pass_reset(&pass);
  free(l);
}

/* ---- memory that runs out ---- */

static aq_status whole_pass(const fixture *f, const loss *l, aq_error *err) {
  aq_params params, copy = {0};
  aq_pass pass = {0};
  aq_status status = aq_params_load(f->source, &f->encoder->config, f->pool, &params, err);
  if (status == AQ_OK) status = aq_params_copy(&params, &copy, err);
  for (size_t texts = 1; texts <= TEXTS && status == AQ_OK; texts += 4) {
    status = aq_pass_begin(&pass, &copy, f->texts, lengths, texts, f->pool, err);
    if (status == AQ_OK) status = aq_pass_forward(&pass, &copy, err);
    if (status == AQ_OK) status = aq_pass_backward(&pass, &copy, l->embeddings, l->d_hidden, err);
  }
  aq_pass_reset(&pass);
  aq_params_reset(&copy);
  aq_params_reset(&params);
  return status;
}

static void pass_survives_every_fault(void **state) {
  const fixture *f = *state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  loss *l = make_loss();
  aq_error err;
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK; n++) {
    if (n > 2000) fail_msg("still failing after %ld allocations", n);
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = whole_pass(f, l, &err);
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("fault %ld: %s", n, err.message);
  }
  free(l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(params_are_the_tensors_of_the_source, set_up, tear_down),
      cmocka_unit_test_setup_teardown(params_copy_has_memory_of_its_own, set_up, tear_down),
      cmocka_unit_test_setup_teardown(forward_equals_encoder, set_up, tear_down),
      cmocka_unit_test_setup_teardown(steps_walk_the_hidden_states_of_forward, set_up, tear_down),
      cmocka_unit_test_setup_teardown(begin_refuses_wrong_ids, set_up, tear_down),
      cmocka_unit_test_setup_teardown(gradients_are_slopes_for_each_pooling, set_up, tear_down),
      cmocka_unit_test_setup_teardown(gradients_are_slopes_for_each_activation, set_up, tear_down),
      cmocka_unit_test_setup_teardown(pass_threads_and_repetition_change_nothing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(gradient_of_qkv_at_once_is_that_of_each, set_up, tear_down),
      cmocka_unit_test_setup_teardown(pass_survives_every_fault, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("pass", tests, NULL, NULL);
}
