/* test_family_gradients.c - passes of a tiny encoder of each family that is calibrated: embeddings and hidden states
 * against their definition, and the gradient of every parameter against slopes of the definition in double. */
#include "family_fixture.h"
#include "faulty_allocator.h"

static uint32_t noise_state = 1;
static float noise(void) {
  noise_state = noise_state * 1664525u + 1013904223u;
  return (float)(noise_state >> 8) * 0x1p-23f - 1;
}

/* Poolings in turns, so that each kind of layer meets several. */
static void set_pooling(fam_fixture *f, size_t number) {
  f->model.config.pooling[0] = number % 3 == 2 ? AQ_POOL_CLS : AQ_POOL_MEAN;
  f->model.config.normalize = number % 2 == 0;
}

/* ---- forward ---- */

/* Some 100 roundings to 2^-24 of values up to 10, in FP32: up to 6e-5. */
static void expect_near(const char *config, const char *what, const float *got, const double *expected, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (!(fabs((double)got[i] - expected[i]) < 6e-5)) {
      fail_msg("%s: %s %zu is %g, not %g", config, what, i, (double)got[i], expected[i]);
    }
  }
}

static void check_forward(const fam_fixture *f, const char *config) {
  static fam_text text;
  aq_error err;
  aq_tape tape = {0}, alone = {0};
  const uint32_t runs = f->model.config.layers * f->model.config.passes;
  assert_ok(aq_tape_begin(&tape, &f->params, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &f->params, &err));
  for (size_t t = 0; t < FAM_TEXTS; t++) {
    fam_define(&f->params, f->ids[t], (int)fam_lengths[t], &text);
    expect_near(config, "value of an embedding", tape.embeddings + t * FAM_HIDDEN, text.embedding, FAM_HIDDEN);
    for (uint32_t i = 0; i <= runs; i++) {
      expect_near(config, "hidden value", tape.hidden[i] + tape.first[t] * FAM_HIDDEN, fam_hidden(&text, i),
                  fam_lengths[t] * FAM_HIDDEN);
    }
  }
  assert_ok(aq_tape_begin_forward(&alone, &f->params, f->texts, fam_lengths, FAM_TEXTS, f->alone, &err));
  assert_ok(aq_tape_forward(&alone, &f->params, &err));
  assert_memory_equal(alone.embeddings, tape.embeddings, sizeof(float) * FAM_TEXTS * FAM_HIDDEN);
  aq_tape_reset(&tape);
  aq_tape_reset(&alone);
}

static void passes_equal_the_definition(void **state) {
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    fam_set_up(&f, fam_configs[i]);
    set_pooling(&f, i);
    check_forward(&f, fam_configs[i]);
    fam_tear_down(&f);
  }
}

/* ---- gradients ---- */

/* A loss: given factors times the embeddings, and times what goes into the first layer and the hidden states after the
 * last. Gradients of all parameters, as the model's list has them. */
typedef struct gradients {
  const fam_fixture *f;
  float of_embeddings[FAM_TEXTS * FAM_HIDDEN];
  float of_hidden[2][FAM_ALL * FAM_HIDDEN];
  const float *d_hidden[FAM_RUNS + 1];
  double *of[TINY_MAX_TENSORS]; /* by weight */
  uint32_t runs, visits;
} gradients;

static void add_linear(const gradients *g, const aq_tape *tape, uint32_t weight) {
  const aq_tape_linear *l = &tape->linear[weight];
  const uint32_t bias = tape->model->weights[weight].bias;
  assert_int_equal(l->out, tape->model->weights[weight].rows);
  assert_int_equal(l->in, tape->model->weights[weight].cols);
  for (size_t t = 0; t < tape->tokens; t++) {
    for (size_t o = 0; o < l->out; o++) {
      const double d = (double)l->dy[t * l->dy_stride + o];
      if (bias != AQ_NO_WEIGHT) g->of[bias][o] += d;
      for (size_t i = 0; i < l->in; i++) g->of[weight][o * l->in + i] += d * (double)l->x[t * l->x_stride + i];
    }
  }
}

static void add_norm(const gradients *g, const aq_tape *tape, uint32_t weight) {
  const aq_weight *w = &tape->model->weights[weight];
  float d_gain[FAM_HIDDEN], d_shift[FAM_HIDDEN];
  const bool has_shift = w->bias != AQ_NO_WEIGHT;
  aq_tape_norm_gradient(tape, &tape->norm[weight], w->rows, false, d_gain, has_shift ? d_shift : NULL);
  for (size_t i = 0; i < w->rows; i++) g->of[weight][i] += (double)d_gain[i];
  for (size_t i = 0; i < w->rows && has_shift; i++) g->of[w->bias][i] += (double)d_shift[i];
}

static void add_row(const gradients *g, aq_role role, size_t row, const float *d, size_t n) {
  const uint32_t table = aq_model_find(&g->f->model, AQ_NO_LAYER, role);
  for (size_t i = 0; table != AQ_NO_WEIGHT && i < n; i++) g->of[table][row * n + i] += (double)d[i];
}

static void add_tables(const gradients *g, const aq_tape *tape) {
  const size_t n = tape->config->embedding;
  for (size_t text = 0; text < tape->texts; text++) {
    for (size_t t = 0; t < tape->lengths[text]; t++) {
      const float *d = tape->d_input + (tape->first[text] + t) * n;
      add_row(g, AQ_ROLE_EMBEDDING, (size_t)tape->ids[text][t], d, n);
      add_row(g, AQ_ROLE_POSITION, t + tape->config->first_position, d, n);
      add_row(g, AQ_ROLE_TOKEN_TYPE, 0, d, n);
    }
  }
}

static aq_status visit(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err) {
  gradients *g = ctx;
  (void)err;
  assert_int_equal(layer, g->visits < g->runs ? (g->runs - 1 - g->visits) % tape->config->layers : AQ_NO_LAYER);
  g->visits++;
  for (uint32_t i = 0; i < tape->model->weight_count; i++) {
    const aq_weight *w = &tape->model->weights[i];
    if (w->layer != layer) continue;
    if (w->kind == AQ_WEIGHT_LINEAR) add_linear(g, tape, i);
    if (tape->norm[i].dy != NULL) add_norm(g, tape, i);
  }
  if (layer == AQ_NO_LAYER) add_tables(g, tape);
  return AQ_OK;
}

static gradients *make_gradients(const fam_fixture *f) {
  gradients *g = calloc(1, sizeof *g);
  g->f = f;
  g->runs = f->model.config.layers * f->model.config.passes;
  for (size_t i = 0; i < AQ_COUNT_OF(g->of_embeddings); i++) g->of_embeddings[i] = noise();
  for (size_t i = 0; i < AQ_COUNT_OF(g->of_hidden[0]); i++) {
    g->of_hidden[0][i] = noise() * 0.05f;
    g->of_hidden[1][i] = noise() * 0.05f;
  }
  g->d_hidden[0] = g->of_hidden[0];
  g->d_hidden[g->runs] = g->of_hidden[1];
  assert_true(f->model.weight_count <= AQ_COUNT_OF(g->of));
  for (uint32_t i = 0; i < f->model.weight_count; i++) {
    g->of[i] = calloc(aq_weight_floats(&f->model.weights[i]), sizeof *g->of[i]);
  }
  return g;
}

static void free_gradients(gradients *g) {
  for (size_t i = 0; i < AQ_COUNT_OF(g->of); i++) free(g->of[i]);
  free(g);
}

static double loss_of(const gradients *g, const aq_params *p) {
  static fam_text text;
  double sum = 0;
  size_t first = 0;
  for (size_t t = 0; t < FAM_TEXTS; first += fam_lengths[t++]) {
    const double *const ends[2] = {fam_hidden(&text, 0), fam_hidden(&text, g->runs)};
    fam_define(p, g->f->ids[t], (int)fam_lengths[t], &text);
    for (size_t i = 0; i < FAM_HIDDEN; i++) sum += (double)g->of_embeddings[t * FAM_HIDDEN + i] * text.embedding[i];
    for (size_t i = 0; i < fam_lengths[t] * FAM_HIDDEN; i++) {
      const size_t at = first * FAM_HIDDEN + i;
      sum += (double)g->of_hidden[0][at] * ends[0][i] + (double)g->of_hidden[1][at] * ends[1][i];
    }
  }
  return sum;
}

/* Derivative of the definition along a direction, of fourth order. */
static double slope(const gradients *g, const aq_params *p, float *x, const float *direction, size_t n) {
  static const double weights[4] = {1. / 12, -2. / 3, 2. / 3, -1. / 12}, at[4] = {-2, -1, 1, 2};
  const double step = 0x1p-8;
  float *kept = malloc(n * sizeof *kept);
  memcpy(kept, x, n * sizeof *kept);
  double sum = 0;
  for (size_t k = 0; k < 4; k++) {
    for (size_t i = 0; i < n; i++) x[i] = (float)((double)kept[i] + at[k] * step * (double)direction[i]);
    sum += weights[k] * loss_of(g, p);
  }
  memcpy(x, kept, n * sizeof *kept);
  free(kept);
  return sum / step;
}

/* Of each weight along two directions, against the size of such a slope. What is off: the gradient by some hundred
 * roundings to 2^-24 of it (1e-5); the slope by the roundings of moved weights, 2^-24 of a value in 2^-8 (2e-5), and by
 * 2^-32 of the fifth derivative, which is some hundred times the first (1e-7). */
#define TOLERANCE 1e-4
static void expect_slopes(const gradients *g, const aq_params *p, uint32_t weight) {
  const size_t n = aq_weight_floats(&p->model->weights[weight]);
  const char *name = aq_source_tensor(g->f->source, p->model->weights[weight].tensor)->name;
  float *direction = malloc(n * sizeof *direction);
  for (int d = 0; d < 2; d++) {
    double expected = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
      direction[i] = noise() / sqrtf((float)n / 3);
      expected += (double)direction[i] * g->of[weight][i];
      size += g->of[weight][i] * g->of[weight][i];
    }
    size = sqrt(size / (double)n);
    const double found = slope(g, p, p->values[weight], direction, n);
    if (!(size > 0 && fabs(found - expected) < TOLERANCE * (size + fabs(expected)))) {
      fail_msg("%s: %s: slope %.9g, gradient says %.9g of %g", p->model->config.arch->model_type, name, found, expected,
               size);
    }
  }
  free(direction);
}

/* Biases by distance are never quantized nor tuned: nobody asks for their gradient. A key's bias adds the same to all
 * scores of a query, which changes nothing, so that its gradient is rounding; unless positions turn it. */
static bool is_checked(const aq_model *m, uint32_t weight) {
  const aq_weight *w = &m->weights[weight];
  const bool is_key_bias = w->role == AQ_ROLE_KEY && w->kind == AQ_WEIGHT_VECTOR && !(m->config.theta[0] > 0);
  return w->role != AQ_ROLE_POSITION_BIAS && !is_key_bias;
}

static void check_gradients(const fam_fixture *f) {
  aq_error err;
  aq_tape tape = {0};
  gradients *g = make_gradients(f);
  const aq_tape_visitor visitor = {visit, g};
  assert_ok(aq_tape_begin(&tape, &f->params, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &f->params, &err));
  assert_ok(aq_tape_backward(&tape, &f->params, g->of_embeddings, g->d_hidden, &visitor, &err));
  assert_int_equal(g->visits, g->runs + 1);
  for (uint32_t i = 0; i < f->model.weight_count; i++) {
    if (is_checked(&f->model, i)) expect_slopes(g, &f->params, i);
  }
  free_gradients(g);
  aq_tape_reset(&tape);
}

static void gradients_equal_slopes(void **state) {
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    fam_set_up(&f, fam_configs[i]);
    set_pooling(&f, i);
    check_gradients(&f);
    fam_tear_down(&f);
  }
}

/* ---- threads and memory ---- */

typedef struct recorded {
  float *values;
  size_t count;
  bool without_norms;
} recorded;

static void record(recorded *r, const float *x, size_t stride, size_t rows, size_t width) {
  r->values = realloc(r->values, (r->count + rows * width) * sizeof *r->values);
  for (size_t t = 0; t < rows; t++, r->count += width) memcpy(r->values + r->count, x + t * stride, width * sizeof *x);
}

static aq_status record_layer(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err) {
  recorded *r = ctx;
  (void)err;
  for (uint32_t i = 0; i < tape->model->weight_count; i++) {
    const aq_tape_linear *l = &tape->linear[i];
    const aq_tape_norm *norm = &tape->norm[i];
    if (tape->model->weights[i].layer != layer) continue;
    if (l->dy != NULL) record(r, l->dy, l->dy_stride, tape->tokens, l->out);
    if (l->dy != NULL) record(r, l->x, l->x_stride, tape->tokens, l->in);
    if (norm->dy != NULL && !(r->without_norms && layer == AQ_NO_LAYER)) {
      record(r, norm->dy, tape->model->weights[i].rows, tape->tokens, tape->model->weights[i].rows);
    }
  }
  if (layer == AQ_NO_LAYER) record(r, tape->d_input, tape->config->embedding, tape->tokens, tape->config->embedding);
  return AQ_OK;
}

static aq_status run_recorded(const fam_fixture *f, aq_pool *pool, recorded *r, aq_error *err) {
  aq_tape tape = {0};
  const aq_tape_visitor visitor = {record_layer, r};
  static const float ones[FAM_TEXTS * FAM_HIDDEN] = {1, 2, 3, 4, 5, 6, 7, 8};
  aq_status status = aq_tape_begin(&tape, &f->params, f->texts, fam_lengths, FAM_TEXTS, pool, err);
  if (status == AQ_OK) status = aq_tape_forward(&tape, &f->params, err);
  if (status == AQ_OK) status = aq_tape_backward(&tape, &f->params, ones, NULL, &visitor, err);
  aq_tape_reset(&tape);
  return status;
}

static void threads_change_nothing(void **state) {
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    aq_error err;
    recorded many = {0}, one = {0};
    fam_set_up(&f, fam_configs[i]);
    assert_ok(run_recorded(&f, f.pool, &many, &err));
    assert_ok(run_recorded(&f, f.alone, &one, &err));
    assert_int_equal(many.count, one.count);
    assert_memory_equal(many.values, one.values, one.count * sizeof *one.values);
    free(many.values);
    free(one.values);
    fam_tear_down(&f);
  }
}

/* ---- layer by layer ---- */

enum { STATE = FAM_TEXTS * FAM_TOKENS * FAM_HIDDEN };

/* The pass in steps, each with room that was begun anew; states[i] becomes what goes into a run. */
static void lead_forward(const fam_fixture *f, const aq_params *p, float states[][STATE], float *embeddings) {
  aq_error err;
  aq_tape tape = {0};
  size_t bytes = 0;
  const uint32_t runs = aq_tape_runs(&f->model.config);
  for (uint32_t i = 0; i <= runs; i++) {
    assert_ok(aq_tape_begin_forward(&tape, p, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
    bytes = tape.tokens * FAM_HIDDEN * sizeof(float);
    if (i > 0) memcpy(aq_tape_state(&tape), states[i - 1], bytes);
    assert_ok(i == 0 ? aq_tape_embed(&tape, p, &err) : aq_tape_layer(&tape, p, i - 1, &err));
    memcpy(states[i], aq_tape_state(&tape), bytes);
  }
  assert_ok(aq_tape_begin_forward(&tape, p, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
  memcpy(aq_tape_state(&tape), states[runs], bytes);
  assert_ok(aq_tape_end(&tape, p, &err));
  memcpy(embeddings, tape.embeddings, FAM_TEXTS * FAM_HIDDEN * sizeof *embeddings);
  assert_memory_equal(aq_tape_state(&tape), states[runs], bytes);
  aq_tape_reset(&tape);
}

static void lead_backward(const fam_fixture *f, const aq_params *p, float states[][STATE], const float *d_embeddings,
                          const aq_tape_visitor *visitor) {
  static float d[STATE];
  aq_error err;
  aq_tape tape = {0};
  size_t bytes = 0;
  const uint32_t runs = aq_tape_runs(&f->model.config);
  for (uint32_t i = runs; i-- > 0;) {
    assert_ok(aq_tape_begin_layers(&tape, p, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
    bytes = tape.tokens * FAM_HIDDEN * sizeof(float);
    memcpy(aq_tape_state(&tape), states[i], bytes);
    memcpy(aq_tape_gradient(&tape), d, bytes);
    assert_ok(aq_tape_layer(&tape, p, i, &err));
    if (i + 1 == runs) {
      assert_ok(aq_tape_end(&tape, p, &err));
      assert_ok(aq_tape_end_backward(&tape, p, d_embeddings, &err));
    }
    assert_ok(aq_tape_layer_backward(&tape, p, i, visitor, &err));
    memcpy(d, aq_tape_gradient(&tape), bytes);
  }
  assert_ok(aq_tape_begin_layers(&tape, p, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
  assert_ok(aq_tape_embed(&tape, p, &err));
  memcpy(aq_tape_gradient(&tape), d, bytes);
  assert_ok(aq_tape_input_backward(&tape, p, visitor, &err));
  aq_tape_reset(&tape);
}

/* With one part of the parameters at a time in memory. Visitors do not see the gradient at the norm behind the layers:
 * what is recorded outside of layers is the linear there and the sums of rows. */
static void check_led(const fam_fixture *f, const char *config) {
  static float states[FAM_RUNS + 1][STATE];
  static const float ones[FAM_TEXTS * FAM_HIDDEN] = {1, 2, 3, 4, 5, 6, 7, 8};
  float embeddings[FAM_TEXTS * FAM_HIDDEN];
  aq_error err;
  aq_tape whole = {0};
  aq_params by_part;
  recorded expected = {.without_norms = true}, led = {.without_norms = true};
  const aq_tape_visitor first = {record_layer, &expected}, second = {record_layer, &led};
  assert_ok(aq_tape_begin(&whole, &f->params, f->texts, fam_lengths, FAM_TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&whole, &f->params, &err));
  assert_ok(aq_tape_backward(&whole, &f->params, ones, NULL, &first, &err));
  assert_ok(aq_params_open(&f->model, f->pool, &by_part, &err));
  lead_forward(f, &by_part, states, embeddings);
  lead_backward(f, &by_part, states, ones, &second);
  assert_memory_equal(embeddings, whole.embeddings, sizeof embeddings);
  for (uint32_t i = 0; i <= aq_tape_runs(&f->model.config); i++) {
    assert_memory_equal(states[i], whole.hidden[i], whole.tokens * FAM_HIDDEN * sizeof(float));
  }
  assert_int_equal(led.count, expected.count);
  if (memcmp(led.values, expected.values, led.count * sizeof *led.values) != 0) fail_msg("%s", config);
  free(expected.values);
  free(led.values);
  aq_tape_reset(&whole);
  aq_params_reset(&by_part);
}

static void passes_that_are_led_are_the_same(void **state) {
  static fam_fixture f;
  (void)state;
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    fam_set_up(&f, fam_configs[i]);
    set_pooling(&f, i);
    check_led(&f, fam_configs[i]);
    fam_tear_down(&f);
  }
}

static aq_status load_copy_and_run(const fam_fixture *f, aq_error *err) {
  fam_fixture own = *f;
  aq_params loaded = {0};
  recorded r = {0};
  own.params = (aq_params){0};
  aq_status status = aq_params_load(&f->model, f->alone, &loaded, err);
  if (status == AQ_OK) status = aq_params_copy(&loaded, &own.params, err);
  if (status == AQ_OK) status = run_recorded(&own, f->alone, &r, err);
  aq_params_reset(&own.params);
  aq_params_reset(&loaded);
  free(r.values);
  return status;
}

static void memory_that_runs_out_leaves_nothing(void **state) {
  static fam_fixture f;
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  for (size_t i = 0; i < FAM_CONFIGS; i++) {
    aq_error err;
    aq_status status = AQ_ERR_MEMORY;
    long tries = 0;
    fam_set_up(&f, fam_configs[i]);
    for (; status == AQ_ERR_MEMORY; tries++) {
      aq_set_allocator(&faulty);
      atomic_store(&alive, 0);
      atomic_store(&countdown, tries + 1);
      status = load_copy_and_run(&f, &err);
      aq_set_allocator(NULL);
      if (atomic_load(&alive) != 0) fail_msg("%s: fault %ld leaves %ld", fam_configs[i], tries, atomic_load(&alive));
    }
    assert_int_equal(status, AQ_OK);
    assert_true(tries > 5);
    fam_tear_down(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(passes_equal_the_definition),
      cmocka_unit_test(gradients_equal_slopes),
      cmocka_unit_test(threads_change_nothing),
      cmocka_unit_test(passes_that_are_led_are_the_same),
      cmocka_unit_test(memory_that_runs_out_leaves_nothing),
  };
  return cmocka_run_group_tests_name("gradients of families", tests, NULL, NULL);
}
