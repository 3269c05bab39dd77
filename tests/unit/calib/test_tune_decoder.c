/* test_tune_decoder.c - tuning rounded tiny decoders: what it gains, what it leaves alone, and that it can be repeated.
 */
#include "calib/tune/tune.h"

#include "calib/window_divergence.h"
#include "decoder_pass_fixture.h"
#include "faulty_allocator.h"

enum { WINDOW = 30, WINDOWS = 24, DESCENT = 18, MATRICES = 32 }; /* windows past DESCENT are held out */

static aq_error err;

typedef struct tune_fixture {
  dec_fixture f;
  int32_t tokens[WINDOWS][WINDOW];
  const int32_t *ids[WINDOWS];
  uint32_t lengths[WINDOWS];
  aq_params quantized;
  aq_tune_matrix matrices[MATRICES];
  size_t count;
} tune_fixture;

/* Rounds a linear to nearest, with steps that differ by row. */
static aq_tune_matrix round_linear(const tune_fixture *t, uint32_t weight) {
  const aq_weight *w = &t->f.model.weights[weight];
  const size_t n = aq_weight_floats(w);
  const float *from = t->f.params.values[weight];
  aq_tune_matrix m = {.tensor = w->tensor,
                      .rows = w->rows,
                      .cols = w->cols,
                      .span = w->cols,
                      .qmin = -8,
                      .qmax = 7,
                      .w = from,
                      .tune_codes = true,
                      .tune_steps = true,
                      .steps = malloc(w->rows * sizeof(float)),
                      .codes = malloc(n)};
  for (size_t i = 0; i < n; i++) {
    const float step = m.steps[i / w->cols] = 0.15F + 0.0078125F * (float)(i / w->cols % 3);
    const float code = roundf(from[i] / step);
    m.codes[i] = (int8_t)(code < -8 ? -8 : code > 7 ? 7 : code);
    t->quantized.values[weight][i] = (float)m.codes[i] * step;
  }
  return m;
}

static void set_up(tune_fixture *t, const tiny_kind *kind) {
  *t = (tune_fixture){.count = 0};
  dec_set_up(&t->f, kind);
  assert_ok(aq_params_copy(&t->f.params, &t->quantized, &err));
  for (uint32_t i = 0; i < t->f.model.weight_count; i++) {
    const aq_weight *w = &t->f.model.weights[i];
    if (w->kind == AQ_WEIGHT_LINEAR && w->layer != AQ_NO_LAYER) t->matrices[t->count++] = round_linear(t, i);
  }
  for (size_t i = 0; i < WINDOWS; i++) {
    for (size_t k = 0; k < WINDOW; k++) t->tokens[i][k] = (int32_t)((noise() + 1) / 2 * (DEC_WORDS - 1));
    t->ids[i] = t->tokens[i];
    t->lengths[i] = WINDOW;
  }
}

static void tear_down(tune_fixture *t) {
  for (size_t i = 0; i < t->count; i++) {
    free(t->matrices[i].steps);
    free(t->matrices[i].codes);
  }
  aq_params_reset(&t->quantized);
  dec_tear_down(&t->f);
}

static aq_tune_options quick(uint32_t steps) {
  aq_tune_options o;
  aq_tune_options_init(&o);
  o.steps = steps;
  o.batch_tokens = 2 * WINDOW;
  o.seed = 3;
  return o;
}

static aq_status tune(tune_fixture *t, const aq_tune_options *o, aq_pool *pool, aq_tune_result *result) {
  return aq_tune(&t->f.params, &t->quantized, t->matrices, t->count, t->ids, t->lengths, DESCENT, t->ids + DESCENT,
                 t->lengths + DESCENT, WINDOWS - DESCENT, o, pool, NULL, result, &err);
}

static double held_out_divergence(const tune_fixture *t) {
  const size_t held = WINDOWS - DESCENT;
  float *states = malloc(held * WINDOW * DEC_HIDDEN * sizeof *states);
  double mean;
  assert_ok(aq_window_states(&t->f.params, t->ids + DESCENT, t->lengths + DESCENT, held, t->f.pool, states, &err));
  const aq_window_set on = {t->ids + DESCENT, t->lengths + DESCENT, held, states};
  assert_ok(aq_window_divergence(&t->f.params, &on, &t->quantized, t->f.pool, NULL, &mean, &err));
  free(states);
  return mean;
}

/* Values are codes times steps, codes are within bounds, and each kind of what is tuned has changed; tables and a head
 * of its own have not. */
static void expect_consistent(const tune_fixture *t, const aq_params *before) {
  const aq_model *m = &t->f.model;
  size_t changed_codes = 0;
  for (size_t i = 0; i < t->count; i++) {
    const aq_tune_matrix *x = &t->matrices[i];
    size_t count;
    const float *w = aq_params_find(&t->quantized, x->tensor, &count), *was = aq_params_find(before, x->tensor, &count);
    for (size_t k = 0; k < count; k++) {
      assert_true(x->codes[k] >= x->qmin && x->codes[k] <= x->qmax);
      assert_true(w[k] == (float)x->codes[k] * x->steps[k / x->span]);
      const float step = 0.15F + 0.0078125F * (float)(k / x->span % 3);
      changed_codes += x->codes[k] != (int8_t)roundf(was[k] / step) ? 1 : 0;
    }
    assert_memory_not_equal(w, was, count * sizeof *w);
  }
  assert_true(changed_codes > 0);
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    const size_t bytes = aq_weight_floats(w) * sizeof(float);
    const bool is_head = w->kind == AQ_WEIGHT_LINEAR && w->layer == AQ_NO_LAYER;
    if (w->kind == AQ_WEIGHT_VECTOR) assert_memory_not_equal(t->quantized.values[i], before->values[i], bytes);
    if (w->kind == AQ_WEIGHT_TABLE || is_head) assert_memory_equal(t->quantized.values[i], before->values[i], bytes);
  }
}

static void tune_kind(const tiny_kind *kind) {
  tune_fixture t;
  aq_tune_result r;
  aq_params before;
  set_up(&t, kind);
  assert_ok(aq_params_copy(&t.quantized, &before, &err));
  const double untuned = held_out_divergence(&t);
  aq_tune_options o = quick(150);
  o.code_rate = 0.02; /* a few numbers to fit, and few texts: it may go faster */
  o.step_rate = 0.004;
  o.vector_rate = 0.002;
  assert_ok(tune(&t, &o, t.f.pool, &r));
  assert_true(r.accepted && r.steps == 150);
  assert_true(r.before == untuned && r.after == held_out_divergence(&t));
  assert_true(r.after < 0.8 * r.before);
  expect_consistent(&t, &before);
  aq_params_reset(&before);
  tear_down(&t);
}

/* A head of its own and biases; a tied table, sandwich norms, norms of heads, gains stored less 1, capped logits; one
 * matrix for query, key and value. */
static void tune_brings_held_out_predictions_nearer(void **state) {
  (void)state;
  tune_kind(&tiny_llama);
  tune_kind(&tiny_gemma);
  tune_kind(&tiny_phi);
}

static void tune_gives_the_same_bytes_at_any_number_of_threads(void **state) {
  tune_fixture one, other;
  aq_tune_result of_one, of_other;
  aq_tune_options o = quick(8);
  o.batch_tokens = 20; /* windows are cut */
  (void)state;
  set_up(&one, &tiny_smollm);
  set_up(&other, &tiny_smollm);
  memcpy(other.tokens, one.tokens, sizeof one.tokens);
  assert_ok(tune(&one, &o, one.f.alone, &of_one));
  assert_ok(tune(&other, &o, other.f.pool, &of_other));
  assert_true(of_one.accepted && of_one.after == of_other.after);
  assert_memory_equal(one.quantized.memory, other.quantized.memory, one.quantized.count * sizeof(float));
  for (size_t i = 0; i < one.count; i++) {
    assert_memory_equal(one.matrices[i].codes, other.matrices[i].codes, one.matrices[i].rows * one.matrices[i].cols);
    assert_memory_equal(one.matrices[i].steps, other.matrices[i].steps, one.matrices[i].rows * sizeof(float));
  }
  tear_down(&one);
  tear_down(&other);
}

/* In four times the full steps rates are a half. */
static void longer_descents_go_slower(void **state) {
  tune_fixture slow, half;
  aq_tune_result of_slow, of_half;
  aq_tune_options o = quick(8);
  (void)state;
  set_up(&slow, &tiny_llama);
  set_up(&half, &tiny_llama);
  memcpy(half.tokens, slow.tokens, sizeof slow.tokens);
  o.full_steps = 2;
  assert_ok(tune(&slow, &o, slow.f.pool, &of_slow));
  o.full_steps = 8;
  o.code_rate /= 2;
  o.step_rate /= 2;
  o.vector_rate /= 2;
  assert_ok(tune(&half, &o, half.f.pool, &of_half));
  assert_true(of_slow.accepted && of_slow.after == of_half.after);
  assert_memory_equal(slow.quantized.memory, half.quantized.memory, slow.quantized.count * sizeof(float));
  tear_down(&slow);
  tear_down(&half);
}

/* Rates that make it worse, and such that logits are no numbers any more. */
static void tune_that_makes_it_worse_changes_nothing(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    tune_fixture t;
    aq_tune_result r;
    aq_params before;
    aq_tune_options o = quick(6);
    set_up(&t, &tiny_llama);
    assert_ok(aq_params_copy(&t.quantized, &before, &err));
    o.vector_rate = i == 0 ? 3 : 1e30;
    assert_ok(tune(&t, &o, t.f.pool, &r));
    assert_false(r.accepted);
    assert_true(r.after >= r.before && isfinite(r.after));
    assert_memory_equal(t.quantized.memory, before.memory, before.count * sizeof(float));
    aq_params_reset(&before);
    tear_down(&t);
  }
}

static void tune_without_memory_changes_nothing(void **state) {
  tune_fixture t;
  aq_tune_result r;
  aq_params before;
  const aq_tune_options o = quick(1);
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_status status = AQ_ERR_MEMORY;
  long tries = 0;
  (void)state;
  set_up(&t, &tiny_smollm);
  assert_ok(aq_params_copy(&t.quantized, &before, &err));
  aq_set_allocator(&faulty);
  for (; status == AQ_ERR_MEMORY; tries++) {
    assert_memory_equal(t.quantized.memory, before.memory, before.count * sizeof(float));
    atomic_store(&alive, 0);
    atomic_store(&countdown, tries + 1);
    status = tune(&t, &o, t.f.pool, &r);
    assert_int_equal(atomic_load(&alive), 0);
  }
  aq_set_allocator(NULL);
  assert_int_equal(status, AQ_OK);
  assert_true(tries > 50);
  aq_params_reset(&before);
  tear_down(&t);
}

static void a_table_is_not_tuned(void **state) {
  tune_fixture t;
  aq_tune_result r;
  const aq_tune_options o = quick(1);
  (void)state;
  set_up(&t, &tiny_smollm);
  t.matrices[0].tensor = t.f.model.weights[aq_model_find(&t.f.model, AQ_NO_LAYER, AQ_ROLE_EMBEDDING)].tensor;
  assert_int_equal(tune(&t, &o, t.f.pool, &r), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "no linear layer's weight"));
  tear_down(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tune_brings_held_out_predictions_nearer),
                                     cmocka_unit_test(tune_gives_the_same_bytes_at_any_number_of_threads),
                                     cmocka_unit_test(longer_descents_go_slower),
                                     cmocka_unit_test(tune_that_makes_it_worse_changes_nothing),
                                     cmocka_unit_test(tune_without_memory_changes_nothing),
                                     cmocka_unit_test(a_table_is_not_tuned)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
