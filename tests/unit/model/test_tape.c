/* test_tape.c - the parameters and passes of a tiny encoder: against the encoder, at several numbers of threads, and
 * with memory that runs out. */
#include "faulty_allocator.h"
#include "model/run/tape_buffers.h"
#include "pass_fixture.h"

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
  const aq_param_linear query = aq_params_linear(&f->params, 1, AQ_ROLE_QUERY);
  assert_ptr_equal(aq_params_linear(&f->params, 1, AQ_ROLE_KEY).w, query.w + TINY_HIDDEN * TINY_HIDDEN);
  assert_ptr_equal(aq_params_linear(&f->params, 1, AQ_ROLE_VALUE).b, query.b + 2 * TINY_HIDDEN);
  const aq_param_linear joined = aq_params_joined(&f->params, 1, AQ_ROLE_QUERY);
  assert_ptr_equal(joined.w, query.w);
  assert_int_equal(joined.out, 3 * TINY_HIDDEN);
  assert_int_equal(aq_params_joined(&f->params, 1, AQ_ROLE_UP).out, TINY_INNER);
}

static void params_copy_has_memory_of_its_own(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_params copy;
  assert_ok(aq_params_copy(&f->params, &copy, &err));
  assert_memory_equal(copy.memory, f->params.memory, copy.count * sizeof(float));
  aq_params_norm(&copy, 1, AQ_ROLE_FFN_NORM).shift[3] += 1;
  assert_true(copy.memory[copy.count - TINY_HIDDEN + 3] != f->params.memory[copy.count - TINY_HIDDEN + 3]);
  assert_ptr_equal(copy.model, f->params.model);
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

/* Positions that go by the ids, as RoBERTa's do: a padding token inside a text, at its ends and twice in a row. */
static void forward_with_padding_tokens_equals_encoder(void **state) {
  fixture *f = *state;
  enum { LENGTH = 20, PADDING = 7 };
  int32_t ids[LENGTH];
  for (int i = 0; i < LENGTH; i++) ids[i] = i % 5 == 0 || i == 6 || i == LENGTH - 1 ? PADDING : 10 + i;
  const int32_t *text = ids;
  const uint32_t length = LENGTH;
  aq_error err;
  aq_tape tape = {0};
  float padded[TINY_HIDDEN], counted[TINY_HIDDEN];
  assert_ok(aq_encoder_encode_ids(f->encoder, ids, &length, 1, counted, &err));
  f->encoder->model.config.padding = PADDING;
  f->encoder->model.config.first_position = PADDING + 1;
  assert_ok(aq_encoder_encode_ids(f->encoder, ids, &length, 1, padded, &err));
  assert_ok(aq_tape_begin(&tape, &f->params, &text, &length, 1, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &f->params, &err));
  for (size_t i = 0; i < TINY_HIDDEN; i++) assert_true(fabsf(tape.embeddings[i] - padded[i]) < 1e-5f);
  float x[LENGTH * TINY_HIDDEN];
  float *scratch = malloc(aq_step_scratch(f->params.model, LENGTH) * sizeof *scratch);
  aq_step_embed(&f->params, ids, LENGTH, scratch, x);
  free(scratch);
  for (size_t i = 0; i < AQ_COUNT_OF(x); i++) assert_true(fabsf(tape.hidden[0][i] - x[i]) < 1e-5f);
  assert_true(memcmp(padded, counted, sizeof padded) != 0);
  aq_tape_reset(&tape);
}

static void forward_equals_encoder(void **state) {
  fixture *f = *state;
  aq_error err;
  aq_tape tape = {0};
  float expected[TEXTS * TINY_HIDDEN];
  for (int normalize = 0; normalize < 2; normalize++) {
    for (int pooling = AQ_POOL_MEAN; pooling <= AQ_POOL_CLS; pooling++) {
      f->encoder->model.config.normalize = normalize != 0;
      f->encoder->model.config.pooling[0] = (aq_pooling)pooling;
      encode(f, expected);
      assert_ok(aq_tape_begin(&tape, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
      assert_int_equal(tape.first[2], 6);
      assert_int_equal(tape.tokens, 175);
      assert_ok(aq_tape_forward(&tape, &f->params, &err));
      expect_near(tape.embeddings, expected, AQ_COUNT_OF(expected), SAME);
    }
  }
  aq_tape_reset(&tape);
}

/* Query, key and value are read as one linear: who replaces one of them gets all three, side by side. */
static void overlay_owns_what_is_replaced_and_what_stands_beside_it(void **state) {
  const fixture *f = *state;
  aq_error err;
  const aq_model *m = f->params.model;
  aq_params overlay, copy;
  aq_tape tape = {0};
  float embeddings[TEXTS * TINY_HIDDEN];
  bool *replaced = calloc(m->weight_count, sizeof *replaced);
  const uint32_t key = aq_model_find(m, 1, AQ_ROLE_KEY), types = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_TOKEN_TYPE);
  replaced[key] = replaced[types] = true;
  assert_ok(aq_params_overlay(&f->params, replaced, &overlay, &err));
  assert_int_equal(overlay.count, 3 * aq_weight_floats(&m->weights[key]) + TINY_HIDDEN);
  for (uint32_t i = 0; i < m->weight_count; i++) {
    assert_memory_equal(overlay.values[i], f->params.values[i], aq_weight_floats(&m->weights[i]) * sizeof(float));
    assert_true((overlay.values[i] != f->params.values[i]) == (i == types || (i + 1 >= key && i <= key + 1)));
  }
  assert_ptr_equal(overlay.type, overlay.values[types]);
  for (size_t i = 0; i < aq_weight_floats(&m->weights[key]); i++) overlay.values[key][i] *= -1;
  assert_ok(aq_params_copy(&overlay, &copy, &err));
  assert_true(copy.values[key][2] == -f->params.values[key][2]);
  assert_ok(aq_tape_begin_forward(&tape, &overlay, f->texts, lengths, TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &overlay, &err));
  memcpy(embeddings, tape.embeddings, sizeof embeddings);
  assert_ok(aq_tape_begin_forward(&tape, &copy, f->texts, lengths, TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &copy, &err));
  assert_memory_equal(tape.embeddings, embeddings, sizeof embeddings);
  aq_tape_reset(&tape);
  aq_params_reset(&copy);
  aq_params_reset(&overlay);
  free(replaced);
}

/* So are their biases. */
static void overlay_of_a_bias_is_run_with_those_beside_it(void **state) {
  const fixture *f = *state;
  static const aq_role roles[] = {AQ_ROLE_QUERY, AQ_ROLE_KEY, AQ_ROLE_VALUE, AQ_ROLE_UP};
  aq_error err;
  const aq_model *m = f->params.model;
  bool *replaced = calloc(m->weight_count, sizeof *replaced);
  for (size_t i = 0; i < AQ_COUNT_OF(roles); i++) {
    aq_params overlay, copy;
    aq_tape tape = {0};
    float embeddings[TEXTS * TINY_HIDDEN];
    const uint32_t bias = m->weights[aq_model_find(m, 1, roles[i])].bias;
    const size_t count = aq_weight_floats(&m->weights[bias]);
    replaced[bias] = true;
    assert_ok(aq_params_overlay(&f->params, replaced, &overlay, &err));
    replaced[bias] = false;
    assert_ok(aq_params_copy(&f->params, &copy, &err));
    for (size_t k = 0; k < count; k++) overlay.values[bias][k] = copy.values[bias][k] = 1 - copy.values[bias][k];
    assert_ok(aq_tape_begin_forward(&tape, &copy, f->texts, lengths, TEXTS, f->pool, &err));
    assert_ok(aq_tape_forward(&tape, &copy, &err));
    memcpy(embeddings, tape.embeddings, sizeof embeddings);
    assert_ok(aq_tape_begin_forward(&tape, &overlay, f->texts, lengths, TEXTS, f->pool, &err));
    assert_ok(aq_tape_forward(&tape, &overlay, &err));
    assert_memory_equal(tape.embeddings, embeddings, sizeof embeddings);
    assert_int_equal(overlay.count, roles[i] == AQ_ROLE_UP ? count : 3 * count);
    aq_tape_reset(&tape);
    aq_params_reset(&copy);
    aq_params_reset(&overlay);
  }
  free(replaced);
}

/* The room that layers share changes no bit, in groups of any size, after a pass that keeps everything and before one.
 */
static void forward_alone_is_the_same(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_tape whole = {0}, alone = {0};
  for (size_t texts = 1; texts <= TEXTS; texts += 4) {
    assert_ok(aq_tape_begin(&whole, &f->params, f->texts, lengths, texts, f->pool, &err));
    assert_ok(aq_tape_forward(&whole, &f->params, &err));
    assert_ok(aq_tape_begin_forward(&alone, &f->params, f->texts, lengths, texts, f->pool, &err));
    assert_ok(aq_tape_forward(&alone, &f->params, &err));
    assert_memory_equal(alone.embeddings, whole.embeddings, texts * TINY_HIDDEN * sizeof(float));
  }
  assert_ok(aq_tape_begin(&alone, &f->params, f->texts, lengths, 1, f->pool, &err));
  assert_ok(aq_tape_forward(&alone, &f->params, &err));
  assert_memory_equal(alone.embeddings, whole.embeddings, TINY_HIDDEN * sizeof(float));
  aq_tape_reset(&whole);
  aq_tape_reset(&alone);
}

static void steps_walk_the_hidden_states_of_forward(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_tape tape = {0};
  assert_ok(aq_tape_begin(&tape, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &f->params, &err));
  const aq_params *p = &f->params;
  float *scratch = malloc(aq_step_scratch(p->model, TINY_POSITIONS) * sizeof *scratch);
  for (size_t text = 0; text < TEXTS; text++) {
    const size_t n = lengths[text], at = tape.first[text] * TINY_HIDDEN;
    float x[TINY_POSITIONS * TINY_HIDDEN];
    aq_step_embed(p, f->texts[text], n, scratch, x);
    expect_near(x, tape.hidden[0] + at, n * TINY_HIDDEN, SAME);
    for (uint32_t layer = 0; layer < TINY_LAYERS; layer++) {
      float whole[TINY_POSITIONS * TINY_HIDDEN];
      memcpy(whole, x, sizeof whole);
      aq_step_run(p, layer, 0, 4, n, scratch, x); /* to the norm of the attention block, */
      aq_step_run(p, layer, 4, 8, n, scratch, x); /* and to that of the feed-forward block */
      aq_step_run(p, layer, 0, 8, n, scratch, whole);
      assert_memory_equal(whole, x, n * TINY_HIDDEN * sizeof *x);
      expect_near(x, tape.hidden[layer + 1] + at, n * TINY_HIDDEN, SAME);
    }
  }
  free(scratch);
  aq_tape_reset(&tape);
}

static void begin_refuses_wrong_ids(void **state) {
  fixture *f = *state;
  aq_error err;
  aq_tape tape = {0};
  const uint32_t none = 0, long_one = TINY_POSITIONS + 1, two = 2;
  const int32_t past[2] = {0, TINY_WORDS}, *const text = past;
  assert_int_equal(aq_tape_begin(&tape, &f->params, f->texts, &none, 1, f->pool, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_tape_begin(&tape, &f->params, f->texts, &long_one, 1, f->pool, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_tape_begin(&tape, &f->params, &text, &two, 1, f->pool, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "token 1 of text 0 is 50; the model has 50 words");
  aq_tape_reset(&tape);
}

/* ---- backward ---- */

static void pass_threads_and_repetition_change_nothing(void **state) {
  const fixture *f = *state;
  aq_error err;
  loss *l = make_loss();
  aq_params expected = zeros_like(&f->params), g = zeros_like(&f->params);
  for (uint32_t threads = 1; threads <= 3; threads++) {
    aq_pool *pool;
    aq_tape tape = {0};
    assert_ok(aq_pool_create(threads, &pool, &err));
    for (int again = 0; again < 2; again++) {
      assert_ok(aq_tape_begin(&tape, &f->params, f->texts, lengths, TEXTS - (size_t)again, pool, &err));
      assert_ok(aq_tape_begin(&tape, &f->params, f->texts, lengths, TEXTS, pool, &err));
      assert_ok(aq_tape_forward(&tape, &f->params, &err));
      for (int twice = 0; twice < 2; twice++) {
        memset(g.memory, 0, g.count * sizeof *g.memory);
        assert_ok(gradients(&tape, &f->params, l->embeddings, l->d_hidden, false, &g, &err));
      }
      if (threads == 1 && again == 0) memcpy(expected.memory, g.memory, g.count * sizeof *g.memory);
      assert_memory_equal(g.memory, expected.memory, g.count * sizeof *g.memory);
    }
    assert_ok(gradients(&tape, &f->params, l->embeddings, l->d_hidden, true, &g, &err));
    const size_t linears = (size_t)(aq_params_linear(&g, 0, AQ_ROLE_QUERY).w - g.memory);
    for (size_t i = linears; i < g.count; i++) assert_true(g.memory[i] == 2 * expected.memory[i]);
    aq_tape_reset(&tape);
    aq_pool_free(pool);
  }
  aq_params_reset(&expected);
  aq_params_reset(&g);
  free(l);
}

static aq_status store_joined_gradient(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err) {
  if (layer == AQ_NO_LAYER) return AQ_OK;
  const aq_param_linear to = aq_params_joined(ctx, layer, AQ_ROLE_QUERY);
  aq_tape_linear all = tape->linear[aq_model_find(tape->model, layer, AQ_ROLE_QUERY)];
  all.out = to.out;
  AQ_TRY(aq_tape_linear_gradient(tape, &all, false, to.w, NULL, err));
  return aq_tape_linear_gradient(tape, &all, false, to.w, to.b, err);
}

static void gradient_of_qkv_at_once_is_that_of_each(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_tape tape = {0};
  loss *l = make_loss();
  assert_ok(aq_tape_begin(&tape, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &f->params, &err));
  aq_params g = zeros_like(&f->params), h = zeros_like(&f->params);
  const aq_tape_visitor visitor = {store_joined_gradient, &h};
  assert_ok(gradients(&tape, &f->params, l->embeddings, NULL, false, &g, &err));
  assert_ok(aq_tape_backward(&tape, &f->params, l->embeddings, NULL, &visitor, &err));
  for (uint32_t layer = 0; layer < TINY_LAYERS; layer++) {
    const aq_param_linear from = aq_params_joined(&g, layer, AQ_ROLE_QUERY);
    const aq_param_linear to = aq_params_joined(&h, layer, AQ_ROLE_QUERY);
    assert_memory_equal(to.w, from.w, from.out * TINY_HIDDEN * sizeof(float));
    assert_memory_equal(to.b, from.b, from.out * sizeof(float));
  }
  aq_params_reset(&g);
  aq_params_reset(&h);
  aq_tape_reset(&tape);
  free(l);
}

/* ---- memory ---- */

/* What is counted beforehand, for as many texts as tokens, is enough for the group and not much more. */
static void counted_bytes_are_those_taken(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_tape tape = {0};
  uint64_t bytes, fewer;
  assert_ok(aq_tape_begin_layers(&tape, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
  const uint64_t taken = aq_tape_buffers_of(&tape)->capacity * sizeof(float);
  const uint64_t of_texts = (tape.tokens - TEXTS) * (TINY_HIDDEN + 1) * sizeof(float);
  assert_ok(aq_tape_bytes(&f->params, tape.tokens, 40, 2, &bytes, &err));
  assert_true(bytes >= taken && bytes <= taken + of_texts + 256);
  assert_ok(aq_tape_bytes(&f->params, tape.tokens / 2, 40, 2, &fewer, &err));
  assert_true(fewer < bytes && fewer > bytes / 3);
  aq_tape_reset(&tape);
}

/* A pass that is led layer by layer holds one of them; one that is not holds what is kept of each. */
static void layers_share_room_when_they_are_led(void **state) {
  fixture *f = *state;
  aq_error err;
  aq_tape whole = {0};
  uint64_t two, one;
  enum { KEPT = 7 * TINY_HIDDEN + TINY_INNER + 2 };
  assert_ok(aq_tape_bytes(&f->params, 1000, 40, 1, &two, &err));
  f->encoder->model.config.layers = TINY_LAYERS - 1;
  assert_ok(aq_tape_bytes(&f->params, 1000, 40, 1, &one, &err));
  assert_int_equal(two, one);
  assert_ok(aq_tape_begin(&whole, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
  const size_t fewer = aq_tape_buffers_of(&whole)->capacity;
  f->encoder->model.config.layers = TINY_LAYERS;
  assert_ok(aq_tape_begin(&whole, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
  const size_t more = aq_tape_buffers_of(&whole)->capacity - fewer;
  assert_true(more >= whole.tokens * KEPT && more < whole.tokens * (KEPT + 1));
  aq_tape_reset(&whole);
}

/* ---- layer by layer ---- */

enum { STATE = TEXTS * TINY_POSITIONS * TINY_HIDDEN, SEEN = 7 * TEXTS * TINY_POSITIONS * (TINY_HIDDEN + TINY_INNER) };

/* What visitors of a pass see, one after another: inputs and gradients of linears, and those of the tables. */
typedef struct sight {
  float *seen; /* SEEN for each layer, and a state */
  size_t count;
} sight;

static void look_at(sight *s, const float *rows, size_t tokens, size_t width, size_t stride) {
  for (size_t t = 0; t < tokens; t++, s->count += width) {
    memcpy(s->seen + s->count, rows + t * stride, width * sizeof *rows);
  }
}

static aq_status see_layer(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err) {
  (void)err;
  for (uint32_t i = 0; i < tape->model->weight_count; i++) {
    const aq_tape_linear *l = &tape->linear[i];
    if (tape->model->weights[i].layer != layer || l->x == NULL) continue;
    look_at(ctx, l->x, tape->tokens, l->in, l->x_stride);
    look_at(ctx, l->dy, tape->tokens, l->out, l->dy_stride);
  }
  if (layer == AQ_NO_LAYER) look_at(ctx, tape->d_input, tape->tokens, TINY_HIDDEN, TINY_HIDDEN);
  return AQ_OK;
}

static sight make_sight(void) { return (sight){calloc(TINY_LAYERS * SEEN + STATE, sizeof(float)), 0}; }

/* The pass in steps, each with room that was begun anew; states[i] and d become what is before layer i. */
static void lead_pass(const fixture *f, const aq_params *p, const aq_tape_visitor *visitor, float states[][STATE],
                      float *d, const float *d_embeddings, float *embeddings) {
  aq_error err;
  aq_tape tape = {0};
  size_t bytes = 0;
  for (uint32_t i = 0; i <= TINY_LAYERS; i++) {
    assert_ok(aq_tape_begin_forward(&tape, p, f->texts, lengths, TEXTS, f->pool, &err));
    bytes = tape.tokens * TINY_HIDDEN * sizeof(float);
    if (i > 0) memcpy(aq_tape_state(&tape), states[i - 1], bytes);
    assert_ok(i == 0 ? aq_tape_embed(&tape, p, &err) : aq_tape_layer(&tape, p, i - 1, &err));
    memcpy(states[i], aq_tape_state(&tape), bytes);
  }
  assert_ok(aq_tape_begin_layers(&tape, p, f->texts, lengths, TEXTS, f->pool, &err));
  memcpy(aq_tape_state(&tape), states[TINY_LAYERS - 1], bytes);
  assert_ok(aq_tape_layer(&tape, p, TINY_LAYERS - 1, &err));
  assert_ok(aq_tape_end(&tape, p, &err));
  memcpy(embeddings, tape.embeddings, TEXTS * TINY_HIDDEN * sizeof(float));
  assert_ok(aq_tape_end_backward(&tape, p, d_embeddings, &err));
  memcpy(d, aq_tape_gradient(&tape), bytes);
  for (uint32_t i = TINY_LAYERS; i-- > 0;) {
    assert_ok(aq_tape_begin_layers(&tape, p, f->texts, lengths, TEXTS, f->pool, &err));
    memcpy(aq_tape_state(&tape), states[i], bytes);
    memcpy(aq_tape_gradient(&tape), d, bytes);
    assert_ok(aq_tape_layer(&tape, p, i, &err));
    assert_ok(aq_tape_layer_backward(&tape, p, i, visitor, &err));
    memcpy(d, aq_tape_gradient(&tape), bytes);
  }
  assert_ok(aq_tape_begin_layers(&tape, p, f->texts, lengths, TEXTS, f->pool, &err));
  assert_ok(aq_tape_embed(&tape, p, &err));
  memcpy(aq_tape_gradient(&tape), d, bytes);
  assert_ok(aq_tape_input_backward(&tape, p, visitor, &err));
  aq_tape_reset(&tape);
}

/* With the parameters of one layer at a time in memory. */
static void a_pass_that_is_led_is_the_same(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_tape whole = {0};
  aq_params by_part;
  loss *l = make_loss();
  sight expected = make_sight(), led = make_sight();
  const aq_tape_visitor first = {see_layer, &expected}, second = {see_layer, &led};
  float(*states)[STATE] = calloc(TINY_LAYERS + 1, sizeof *states), *d = calloc(STATE, sizeof *d);
  float embeddings[TEXTS * TINY_HIDDEN];
  assert_ok(aq_tape_begin(&whole, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&whole, &f->params, &err));
  assert_ok(aq_tape_backward(&whole, &f->params, l->embeddings, NULL, &first, &err));
  assert_ok(aq_params_open(&f->encoder->model, f->pool, &by_part, &err));
  assert_null(by_part.values[aq_model_find(by_part.model, 0, AQ_ROLE_QUERY)]);
  lead_pass(f, &by_part, &second, states, d, l->embeddings, embeddings);
  assert_memory_equal(embeddings, whole.embeddings, sizeof embeddings);
  for (uint32_t i = 0; i <= TINY_LAYERS; i++) {
    assert_memory_equal(states[i], whole.hidden[i], whole.tokens * TINY_HIDDEN * sizeof(float));
  }
  assert_int_equal(led.count, expected.count);
  assert_memory_equal(led.seen, expected.seen, led.count * sizeof(float));
  aq_tape_reset(&whole);
  aq_params_reset(&by_part);
  free(states);
  free(d);
  free(expected.seen);
  free(led.seen);
  free(l);
}

/* ---- memory that runs out ---- */

static aq_status whole_pass(const fixture *f, const loss *l, aq_error *err) {
  aq_params params, copy = {0};
  aq_tape tape = {0};
  aq_status status = aq_params_load(&f->encoder->model, f->pool, &params, err);
  if (status == AQ_OK) status = aq_params_copy(&params, &copy, err);
  for (size_t texts = 1; texts <= TEXTS && status == AQ_OK; texts += 4) {
    status = aq_tape_begin(&tape, &copy, f->texts, lengths, texts, f->pool, err);
    if (status == AQ_OK) status = aq_tape_forward(&tape, &copy, err);
    if (status == AQ_OK) status = gradients(&tape, &copy, l->embeddings, l->d_hidden, false, &copy, err);
  }
  aq_tape_reset(&tape);
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
      cmocka_unit_test_setup_teardown(forward_with_padding_tokens_equals_encoder, set_up, tear_down),
      cmocka_unit_test_setup_teardown(forward_equals_encoder, set_up, tear_down),
      cmocka_unit_test_setup_teardown(overlay_owns_what_is_replaced_and_what_stands_beside_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(overlay_of_a_bias_is_run_with_those_beside_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(forward_alone_is_the_same, set_up, tear_down),
      cmocka_unit_test_setup_teardown(steps_walk_the_hidden_states_of_forward, set_up, tear_down),
      cmocka_unit_test_setup_teardown(begin_refuses_wrong_ids, set_up, tear_down),
      cmocka_unit_test_setup_teardown(pass_threads_and_repetition_change_nothing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(gradient_of_qkv_at_once_is_that_of_each, set_up, tear_down),
      cmocka_unit_test_setup_teardown(counted_bytes_are_those_taken, set_up, tear_down),
      cmocka_unit_test_setup_teardown(layers_share_room_when_they_are_led, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_pass_that_is_led_is_the_same, set_up, tear_down),
      cmocka_unit_test_setup_teardown(pass_survives_every_fault, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("pass", tests, NULL, NULL);
}
