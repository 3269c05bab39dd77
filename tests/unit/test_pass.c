/* test_pass.c - the forward and backward pass of a tiny encoder: against the encoder, against central differences, at
 * several numbers of threads, and with memory that runs out. */
#include "model/pass.h"

#include "core/compiler.h"
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
  aq_pool *pool;
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
  assert_ok(aq_params_load(f->source, &f->encoder->config, f->pool, &f->params, &err));
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  aq_params_reset(&f->params);
  aq_pool_free(f->pool);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(params_are_the_tensors_of_the_source, set_up, tear_down),
      cmocka_unit_test_setup_teardown(params_copy_has_memory_of_its_own, set_up, tear_down),
      cmocka_unit_test_setup_teardown(forward_equals_encoder, set_up, tear_down),
      cmocka_unit_test_setup_teardown(steps_walk_the_hidden_states_of_forward, set_up, tear_down),
      cmocka_unit_test_setup_teardown(begin_refuses_wrong_ids, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("pass", tests, NULL, NULL);
}
