/* test_decoder_tape.c - passes of tiny decoders: logits against their definition, and the gradient of every parameter
 * against slopes of the definition in double. */
#include "decoder_pass_fixture.h"
#include "faulty_allocator.h"
#include "io/source.h"

static const tiny_kind *const kinds[] = {&tiny_llama, &tiny_gemma, &tiny_phi, &tiny_smollm};

/* ---- logits ---- */

static void logits_equal_definition(void **state) {
  (void)state;
  for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
    aq_error err;
    dec_fixture f;
    aq_decoder_tape tape = {0};
    static float logits[DEC_ALL * DEC_WORDS];
    static double expected[DEC_TOKENS * DEC_WORDS];
    dec_set_up(&f, kinds[k]);
    assert_ok(aq_decoder_tape_begin_forward(&tape, &f.params, f.texts, dec_lengths, DEC_TEXTS, f.pool, &err));
    assert_ok(aq_decoder_tape_forward(&tape, &f.params, &err));
    assert_ok(aq_decoder_tape_logits(&tape, &f.params, 0, 100, logits, &err));
    assert_ok(aq_decoder_tape_logits(&tape, &f.params, 100, DEC_ALL - 100, logits + 100 * DEC_WORDS, &err));
    for (size_t t = 0; t < DEC_TEXTS; t++) {
      dec_logits(&f.tensors, kinds[k], f.ids[t], (int)dec_lengths[t], expected);
      for (size_t i = 0; i < dec_lengths[t] * DEC_WORDS; i++) {
        const double found = (double)logits[tape.first[t] * DEC_WORDS + i];
        if (!(fabs(found - expected[i]) < 5e-5)) {
          fail_msg("kind %zu, text %zu, logit %zu: %g, not %g", k, t, i, found, expected[i]);
        }
      }
    }
    aq_decoder_tape_reset(&tape);
    dec_tear_down(&f);
  }
}

/* ---- gradients ---- */

/* A loss: the sum of given factors times logits. Gradients of all parameters, as the model's list has them. */
typedef struct gradients {
  const dec_fixture *f;
  float factors[DEC_ALL][DEC_WORDS];
  double *of[200]; /* by weight */
  uint32_t last_layer, visits;
} gradients;

/* The head is differentiated here, as nobody needs that but tuning. */
static aq_status differentiate(void *ctx, const aq_decoder_tape *tape, size_t first, size_t rows, const float *logits,
                               float *d_logits, aq_error *err) {
  gradients *g = ctx;
  const double cap = g->f->kind->cap;
  const aq_role role = g->f->kind->tied ? AQ_ROLE_EMBEDDING : AQ_ROLE_OUTPUT;
  double *dw = g->of[aq_model_find(tape->model, AQ_NO_LAYER, role)];
  (void)err;
  for (size_t t = 0; t < rows; t++) {
    for (size_t v = 0; v < DEC_WORDS; v++) {
      const double y = (double)logits[t * DEC_WORDS + v], d = (double)g->factors[first + t][v];
      d_logits[t * DEC_WORDS + v] = g->factors[first + t][v];
      const double inner = cap > 0 ? d * (1 - y * y / cap / cap) : d;
      for (size_t i = 0; i < DEC_HIDDEN; i++) {
        dw[v * DEC_HIDDEN + i] += inner * (double)tape->final[(first + t) * DEC_HIDDEN + i];
      }
    }
  }
  return AQ_OK;
}

static void add_linear(gradients *g, const aq_decoder_tape *tape, uint32_t weight) {
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

static void add_norm(gradients *g, const aq_decoder_tape *tape, uint32_t weight) {
  aq_error err;
  float sum[DEC_HIDDEN];
  assert_int_equal(tape->norm[weight].width, tape->model->weights[weight].rows);
  assert_ok(aq_decoder_norm_gradient(tape, &tape->norm[weight], sum, &err));
  for (size_t i = 0; i < tape->norm[weight].width; i++) g->of[weight][i] += (double)sum[i];
}

static void add_words(gradients *g, const aq_decoder_tape *tape) {
  double *dw = g->of[aq_model_find(tape->model, AQ_NO_LAYER, AQ_ROLE_EMBEDDING)];
  for (size_t text = 0; text < tape->texts; text++) {
    for (size_t t = tape->first[text]; t < tape->first[text + 1]; t++) {
      const size_t id = (size_t)tape->ids[text][t - tape->first[text]];
      for (size_t i = 0; i < DEC_HIDDEN; i++) dw[id * DEC_HIDDEN + i] += (double)tape->d_input[t * DEC_HIDDEN + i];
    }
  }
}

static aq_status visit(void *ctx, const aq_decoder_tape *tape, uint32_t layer, aq_error *err) {
  gradients *g = ctx;
  (void)err;
  assert_int_equal(layer, g->last_layer - 1); /* that before layer 0 is AQ_NO_LAYER */
  g->last_layer = layer;
  g->visits++;
  for (uint32_t i = 0; i < tape->model->weight_count; i++) {
    if (tape->model->weights[i].layer != layer) continue;
    if (tape->linear[i].dy != NULL) add_linear(g, tape, i);
    if (tape->norm[i].dy != NULL) add_norm(g, tape, i);
  }
  if (layer == AQ_NO_LAYER) add_words(g, tape);
  return AQ_OK;
}

static gradients *make_gradients(const dec_fixture *f) {
  gradients *g = calloc(1, sizeof *g);
  g->f = f;
  g->last_layer = DEC_LAYERS;
  for (size_t t = 0; t < DEC_ALL; t++) {
    for (size_t v = 0; v < DEC_WORDS; v++) g->factors[t][v] = noise();
  }
  for (uint32_t i = 0; i < f->model.weight_count; i++) {
    g->of[i] = calloc(aq_weight_floats(&f->model.weights[i]), sizeof *g->of[i]);
  }
  return g;
}

static void free_gradients(gradients *g) {
  for (size_t i = 0; i < AQ_COUNT_OF(g->of); i++) free(g->of[i]);
  free(g);
}

static double loss_of(const gradients *g) {
  static double logits[DEC_TOKENS * DEC_WORDS];
  double sum = 0;
  size_t token = 0;
  for (size_t text = 0; text < DEC_TEXTS; text++) {
    dec_logits(&g->f->tensors, g->f->kind, g->f->ids[text], (int)dec_lengths[text], logits);
    for (size_t t = 0; t < dec_lengths[text]; t++, token++) {
      for (size_t v = 0; v < DEC_WORDS; v++) sum += (double)g->factors[token][v] * logits[t * DEC_WORDS + v];
    }
  }
  return sum;
}

/* Derivative of the definition along a direction, of fourth order. */
static double slope(const gradients *g, float *x, const float *direction, size_t n) {
  static const double weights[4] = {1. / 12, -2. / 3, 2. / 3, -1. / 12}, at[4] = {-2, -1, 1, 2};
  const double step = 0x1p-8;
  float *kept = malloc(n * sizeof *kept);
  memcpy(kept, x, n * sizeof *kept);
  double sum = 0;
  for (size_t k = 0; k < 4; k++) {
    for (size_t i = 0; i < n; i++) x[i] = (float)((double)kept[i] + at[k] * step * (double)direction[i]);
    sum += weights[k] * loss_of(g);
  }
  memcpy(x, kept, n * sizeof *kept);
  free(kept);
  return sum / step;
}

static float *values_of(const dec_fixture *f, const char *name) {
  for (size_t i = 0; i < f->tensors.count; i++) {
    if (strcmp(f->tensors.tensors[i].name, name) == 0) return f->tensors.tensors[i].values;
  }
  fail_msg("no tensor %s", name);
  return NULL;
}

/* Of each weight along two directions, against the size of such a slope. */
static void expect_slopes(const gradients *g, uint32_t weight) {
  const dec_fixture *f = g->f;
  const size_t n = aq_weight_floats(&f->model.weights[weight]);
  const char *name = aq_source_tensor(f->source, f->model.weights[weight].tensor)->name;
  float *x = values_of(f, name), *direction = malloc(n * sizeof *direction);
  for (int d = 0; d < 2; d++) {
    double expected = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
      direction[i] = noise() / sqrtf((float)n / 3);
      expected += (double)direction[i] * g->of[weight][i];
      size += g->of[weight][i] * g->of[weight][i];
    }
    size = sqrt(size / (double)n);
    const double found = slope(g, x, direction, n);
    if (!(size > 0 && fabs(found - expected) < 2e-4 * (size + fabs(expected)))) {
      fail_msg("%s: %s: slope %.9g, gradient says %.9g of %g", f->kind->config, name, found, expected, size);
    }
  }
  free(direction);
}

static void gradients_equal_slopes(void **state) {
  (void)state;
  for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
    aq_error err;
    dec_fixture f;
    aq_decoder_tape tape = {0};
    dec_set_up(&f, kinds[k]);
    gradients *g = make_gradients(&f);
    const aq_decoder_loss loss = {differentiate, g};
    const aq_decoder_visitor visitor = {visit, g};
    assert_ok(aq_decoder_tape_begin(&tape, &f.params, f.texts, dec_lengths, DEC_TEXTS, f.pool, &err));
    assert_ok(aq_decoder_tape_forward(&tape, &f.params, &err));
    assert_ok(aq_decoder_tape_backward(&tape, &f.params, &loss, 0, &visitor, &err));
    assert_int_equal(g->visits, DEC_LAYERS + 1);
    for (uint32_t i = 0; i < f.model.weight_count; i++) {
      expect_slopes(g, i);
    }
    free_gradients(g);
    aq_decoder_tape_reset(&tape);
    dec_tear_down(&f);
  }
}

/* ---- threads, groups and limits ---- */

/* All dy of all linears and what is at the table, in one row. */
typedef struct recorded {
  float *values;
  size_t count;
  uint32_t last;
} recorded;

static void record(recorded *r, const float *x, size_t stride, size_t rows, size_t width) {
  r->values = realloc(r->values, (r->count + rows * width) * sizeof *r->values);
  for (size_t t = 0; t < rows; t++, r->count += width) memcpy(r->values + r->count, x + t * stride, width * sizeof *x);
}

static aq_status record_layer(void *ctx, const aq_decoder_tape *tape, uint32_t layer, aq_error *err) {
  recorded *r = ctx;
  (void)err;
  r->last = layer;
  for (uint32_t i = 0; i < tape->model->weight_count; i++) {
    const aq_tape_linear *l = &tape->linear[i];
    if (tape->model->weights[i].layer != layer || l->dy == NULL) continue;
    record(r, l->dy, l->dy_stride, tape->tokens, l->out);
    record(r, l->x, l->x_stride, tape->tokens, l->in);
  }
  if (layer == AQ_NO_LAYER) record(r, tape->d_input, DEC_HIDDEN, tape->tokens, DEC_HIDDEN);
  return AQ_OK;
}

static recorded run_recorded(const dec_fixture *f, gradients *g, aq_pool *pool, aq_decoder_tape *tape, uint32_t first) {
  aq_error err;
  recorded r = {0};
  const aq_decoder_loss loss = {differentiate, g};
  const aq_decoder_visitor visitor = {record_layer, &r};
  assert_ok(aq_decoder_tape_begin(tape, &f->params, f->texts, dec_lengths, DEC_TEXTS, pool, &err));
  assert_ok(aq_decoder_tape_forward(tape, &f->params, &err));
  assert_ok(aq_decoder_tape_backward(tape, &f->params, &loss, first, &visitor, &err));
  return r;
}

static void threads_change_nothing(void **state) {
  (void)state;
  dec_fixture f;
  aq_decoder_tape tape = {0}, other = {0};
  dec_set_up(&f, &tiny_gemma);
  gradients *g = make_gradients(&f);
  recorded many = run_recorded(&f, g, f.pool, &tape, 0), one = run_recorded(&f, g, f.alone, &other, 0);
  assert_int_equal(many.count, one.count);
  assert_memory_equal(many.values, one.values, one.count * sizeof *one.values);
  recorded upper = run_recorded(&f, g, f.pool, &tape, 1); /* of the last layer alone, in a pass that was used */
  assert_int_equal(upper.last, 1);
  assert_true(upper.count < one.count);
  assert_memory_equal(upper.values, one.values, upper.count * sizeof *one.values);
  free(many.values);
  free(one.values);
  free(upper.values);
  free_gradients(g);
  aq_decoder_tape_reset(&tape);
  aq_decoder_tape_reset(&other);
  dec_tear_down(&f);
}

static void wrong_texts_are_refused(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  aq_decoder_tape tape = {0};
  dec_set_up(&f, &tiny_llama);
  uint32_t lengths[DEC_TEXTS] = {1, 0, 1, 1, 1};
  assert_int_equal(aq_decoder_tape_begin(&tape, &f.params, f.texts, lengths, DEC_TEXTS, f.pool, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "text 1 has 0 tokens; 1 to 200 are possible");
  lengths[1] = 201;
  assert_int_equal(aq_decoder_tape_begin(&tape, &f.params, f.texts, lengths, DEC_TEXTS, f.pool, &err), AQ_ERR_ARGUMENT);
  lengths[1] = 3;
  f.ids[1][2] = DEC_WORDS;
  assert_int_equal(aq_decoder_tape_begin(&tape, &f.params, f.texts, lengths, DEC_TEXTS, f.pool, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "token 2 of text 1 is 53; the model has 53 of them");
  f.ids[1][2] = -1;
  assert_int_equal(aq_decoder_tape_begin(&tape, &f.params, f.texts, lengths, DEC_TEXTS, f.pool, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_decoder_tape_begin(&tape, &f.params, f.texts, lengths, 0, f.pool, &err), AQ_ERR_ARGUMENT);
  aq_decoder_tape_reset(&tape);
  dec_tear_down(&f);
}

static void nonfinite_logits_are_named(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  aq_decoder_tape tape = {0};
  float logits[DEC_WORDS];
  dec_set_up(&f, &tiny_llama);
  aq_params_head(&f.params).w[5] = INFINITY;
  assert_ok(aq_decoder_tape_begin_forward(&tape, &f.params, f.texts, dec_lengths, 1, f.pool, &err));
  assert_ok(aq_decoder_tape_forward(&tape, &f.params, &err));
  assert_int_equal(aq_decoder_tape_logits(&tape, &f.params, 0, 1, logits, &err), AQ_ERR_NONFINITE);
  aq_decoder_tape_reset(&tape);
  dec_tear_down(&f);
}

/* ---- a layer at a time ---- */

/* The same pass in steps, as one group, with another group in between: what the caller keeps is all that counts. */
typedef struct stepped {
  aq_decoder_tape tape;
  const dec_fixture *f;
  const aq_params *params;
  float states[DEC_LAYERS + 1][DEC_ALL * DEC_HIDDEN], gradient[DEC_ALL * DEC_HIDDEN];
} stepped;

static void begin_step(stepped *s) {
  aq_error err;
  const uint32_t one = 1;
  assert_ok(aq_decoder_tape_begin_layers(&s->tape, s->params, s->f->texts, &one, 1, s->f->pool, &err));
  assert_ok(aq_decoder_tape_embed(&s->tape, s->params, &err));
  assert_ok(aq_decoder_tape_begin_layers(&s->tape, s->params, s->f->texts, dec_lengths, DEC_TEXTS, s->f->pool, &err));
}

static void run_steps(stepped *s, const aq_decoder_loss *loss, const aq_decoder_visitor *visitor) {
  aq_error err;
  begin_step(s);
  assert_ok(aq_decoder_tape_embed(&s->tape, s->params, &err));
  memcpy(s->states[0], aq_decoder_tape_state(&s->tape), sizeof s->states[0]);
  for (uint32_t i = 0; i < DEC_LAYERS; i++) {
    begin_step(s);
    memcpy(aq_decoder_tape_state(&s->tape), s->states[i], sizeof s->states[i]);
    assert_ok(aq_decoder_tape_layer(&s->tape, s->params, i, &err));
    memcpy(s->states[i + 1], aq_decoder_tape_state(&s->tape), sizeof s->states[i]);
  }
  begin_step(s);
  memcpy(aq_decoder_tape_state(&s->tape), s->states[DEC_LAYERS], sizeof s->states[0]);
  assert_ok(aq_decoder_tape_end(&s->tape, s->params, &err));
  assert_ok(aq_decoder_tape_end_backward(&s->tape, s->params, loss, &err));
  memcpy(s->gradient, aq_decoder_tape_gradient(&s->tape), sizeof s->gradient);
  for (uint32_t i = DEC_LAYERS; i-- > 0;) {
    begin_step(s);
    memcpy(aq_decoder_tape_state(&s->tape), s->states[i], sizeof s->states[i]);
    memcpy(aq_decoder_tape_gradient(&s->tape), s->gradient, sizeof s->gradient);
    assert_ok(aq_decoder_tape_layer_backward(&s->tape, s->params, i, visitor, &err));
    memcpy(s->gradient, aq_decoder_tape_gradient(&s->tape), sizeof s->gradient);
  }
  begin_step(s);
  memcpy(aq_decoder_tape_gradient(&s->tape), s->gradient, sizeof s->gradient);
  assert_ok(aq_decoder_tape_input_backward(&s->tape, visitor, &err));
}

static void steps_by_layer_equal_whole_passes(void **state) {
  (void)state;
  for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
    aq_error err;
    dec_fixture f;
    aq_params by_layer;
    aq_decoder_tape whole = {0};
    stepped *s = calloc(1, sizeof *s);
    recorded r = {0};
    dec_set_up(&f, kinds[k]);
    gradients *g = make_gradients(&f);
    const aq_decoder_loss loss = {differentiate, g};
    const aq_decoder_visitor visitor = {record_layer, &r};
    recorded expected = run_recorded(&f, g, f.pool, &whole, 0);
    assert_ok(aq_params_open(&f.model, f.pool, &by_layer, &err));
    s->f = &f;
    s->params = &by_layer;
    run_steps(s, &loss, &visitor);
    assert_int_equal(r.count, expected.count);
    assert_memory_equal(r.values, expected.values, r.count * sizeof *r.values);
    free(r.values);
    free(expected.values);
    free_gradients(g);
    aq_decoder_tape_reset(&whole);
    aq_decoder_tape_reset(&s->tape);
    aq_params_reset(&by_layer);
    free(s);
    dec_tear_down(&f);
  }
}

/* ---- parameters that are held by part ---- */

static aq_status read_ones(const void *ctx, uint32_t weight, float *to, aq_error *err) {
  const aq_model *m = ctx;
  (void)err;
  for (size_t i = 0; i < aq_weight_floats(&m->weights[weight]); i++) to[i] = 1;
  return AQ_OK;
}

static aq_status fail_to_read(const void *ctx, uint32_t weight, float *to, aq_error *err) {
  (void)ctx;
  (void)weight;
  (void)to;
  return aq_fail(err, AQ_ERR_CORRUPT, "no values");
}

static void one_part_is_held_at_a_time(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  aq_params p;
  size_t count;
  dec_set_up(&f, &tiny_llama);
  assert_ok(aq_params_open(&f.model, f.pool, &p, &err));
  assert_true(p.count < f.params.count);
  assert_true(aq_params_bytes(&p) < aq_params_bytes(&f.params));
  for (uint32_t layer = 0; layer < DEC_LAYERS; layer++) {
    assert_ok(aq_params_hold(&p, layer, f.pool, &err));
    for (uint32_t i = 0; i < f.model.weight_count; i++) {
      const aq_weight *w = &f.model.weights[i];
      const bool matrix = w->kind != AQ_WEIGHT_VECTOR;
      if (matrix) assert_null(aq_params_find(&p, w->tensor, &count)); /* nobody may keep what will be gone */
      if (matrix && w->layer != layer) {
        assert_null(p.values[i]);
      } else {
        assert_memory_equal(p.values[i], f.params.values[i], aq_weight_floats(w) * sizeof(float));
      }
    }
  }
  assert_ok(aq_params_hold(&p, AQ_PART_TOKENS, f.pool, &err));
  assert_non_null(aq_params_table(&p, AQ_ROLE_EMBEDDING));
  assert_int_equal(aq_params_head(&p).w != NULL, f.kind->tied);
  assert_ok(aq_params_hold(&p, AQ_PART_HEAD, f.pool, &err));
  assert_memory_equal(aq_params_head(&p).w, aq_params_head(&f.params).w,
                      (size_t)DEC_WORDS * DEC_HIDDEN * sizeof(float));
  aq_params_release(&p);
  assert_null(aq_params_head(&p).w);
  const uint32_t query = aq_model_find(&f.model, 1, AQ_ROLE_QUERY);
  aq_params_set_reader(&p, (aq_weight_reader){read_ones, &f.model});
  assert_ok(aq_params_hold(&p, 1, f.pool, &err));
  assert_true(p.values[query][0] == 1);
  aq_params_set_reader(&p, (aq_weight_reader){fail_to_read, NULL});
  assert_int_equal(aq_params_hold(&p, 1, f.pool, &err), AQ_ERR_CORRUPT);
  aq_params_set_reader(&p, (aq_weight_reader){read_ones, &f.model});
  assert_ok(aq_params_hold(&p, 1, f.pool, &err)); /* a layer that could not be held is not taken for held */
  assert_true(p.values[query][0] == 1);
  aq_params_reset(&p);
  dec_tear_down(&f);
}

/* Copies of them have their own part, and vectors that can be changed. */
static void copies_are_held_by_part_too(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  aq_params p, copy;
  size_t count;
  dec_set_up(&f, &tiny_llama);
  assert_ok(aq_params_open(&f.model, f.pool, &p, &err));
  assert_ok(aq_params_hold(&p, 0, f.pool, &err));
  assert_ok(aq_params_copy(&p, &copy, &err));
  const aq_weight *norm = &f.model.weights[aq_model_find(&f.model, 1, AQ_ROLE_FFN_NORM)];
  float *gain = aq_params_find(&copy, norm->tensor, &count);
  gain[0] += 1;
  assert_true(aq_params_find(&p, norm->tensor, &count)[0] != gain[0]);
  gain[0] = aq_params_find(&p, norm->tensor, &count)[0];
  assert_ok(aq_params_hold(&copy, 1, f.pool, &err));
  for (uint32_t i = 0; i < f.model.weight_count; i++) {
    const aq_weight *w = &f.model.weights[i];
    if (w->layer == 1) assert_memory_equal(copy.values[i], f.params.values[i], aq_weight_floats(w) * sizeof(float));
    if (w->layer == 0) assert_memory_equal(p.values[i], f.params.values[i], aq_weight_floats(w) * sizeof(float));
  }
  aq_params_reset(&copy);
  aq_params_reset(&p);
  dec_tear_down(&f);
}

static void bytes_are_what_a_pass_takes(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  uint64_t short_ones, long_ones, more_threads;
  dec_set_up(&f, &tiny_llama);
  assert_ok(aq_decoder_tape_bytes(&f.params, 90, 90, 1, &short_ones, &err));
  assert_ok(aq_decoder_tape_bytes(&f.params, 180, 90, 1, &long_ones, &err));
  assert_ok(aq_decoder_tape_bytes(&f.params, 90, 90, 2, &more_threads, &err));
  /* Of a token at least its hidden state and the activations and gradients of a layer. */
  assert_true(long_ones - short_ones > 90 * sizeof(float) * (DEC_HIDDEN + 2 * DEC_INNER));
  assert_true(more_threads > short_ones);
  dec_tear_down(&f);
}

static void failed_allocations_lose_nothing(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  dec_set_up(&f, &tiny_gemma);
  gradients *g = make_gradients(&f);
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_set_allocator(&faulty);
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK; n++) {
    aq_decoder_tape tape = {0};
    recorded r = {0};
    const aq_decoder_loss loss = {differentiate, g};
    const aq_decoder_visitor visitor = {record_layer, &r};
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = aq_decoder_tape_begin(&tape, &f.params, f.texts, dec_lengths, DEC_TEXTS, f.alone, &err);
    if (status == AQ_OK) status = aq_decoder_tape_forward(&tape, &f.params, &err);
    if (status == AQ_OK) status = aq_decoder_tape_backward(&tape, &f.params, &loss, 0, &visitor, &err);
    assert_true(status == AQ_OK || status == AQ_ERR_MEMORY);
    aq_decoder_tape_reset(&tape);
    assert_int_equal(atomic_load(&alive), 0);
    free(r.values);
  }
  aq_set_allocator(NULL);
  free_gradients(g);
  dec_tear_down(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(logits_equal_definition),
      cmocka_unit_test(gradients_equal_slopes),
      cmocka_unit_test(threads_change_nothing),
      cmocka_unit_test(wrong_texts_are_refused),
      cmocka_unit_test(nonfinite_logits_are_named),
      cmocka_unit_test(bytes_are_what_a_pass_takes),
      cmocka_unit_test(steps_by_layer_equal_whole_passes),
      cmocka_unit_test(one_part_is_held_at_a_time),
      cmocka_unit_test(copies_are_held_by_part_too),
      cmocka_unit_test(failed_allocations_lose_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
