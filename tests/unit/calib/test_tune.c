/* test_tune.c - tuning a rounded tiny encoder: what it gains, what it leaves alone, and that it can be repeated. */
#include "calib/tune/tune.h"

#include "calib/text_batches.h"
#include "calib/tune/adam.h"
#include "calib/tune/distill.h"
#include "calib/tune/latents.h"
#include "calib_fixture.h"

static void expect_near(double a, double b, double tolerance) {
  if (!(fabs(a - b) <= tolerance)) fail_msg("%.9g is not %.9g", a, b);
}

#define DESCENT 16 /* texts; the rest is held out */

static aq_tune_options quick(uint32_t steps) {
  aq_tune_options o;
  aq_tune_options_init(&o);
  o.steps = steps;
  o.batch_tokens = 100;
  o.seed = 3;
  return o;
}

static aq_status tune(calib_fixture *f, const aq_tune_options *o, aq_pool *pool, aq_progress *progress,
                      aq_tune_result *result, aq_error *err) {
  return aq_tune(&f->original, &f->quantized, f->matrices, CALIB_MATRICES, f->ids, f->lengths, DESCENT,
                 f->ids + DESCENT, f->lengths + DESCENT, CALIB_TEXTS - DESCENT, o, pool, progress, result, err);
}

/* All that tuning may change: the parameters, then the codes and steps. */
typedef struct snapshot {
  aq_params params;
  int8_t *codes[CALIB_MATRICES];
  float *steps[CALIB_MATRICES];
} snapshot;

static size_t values_of(const aq_tune_matrix *m) { return m->rows * m->cols; }

static snapshot take(const calib_fixture *f) {
  snapshot s = {.params = calib_copy(&f->quantized)};
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    const aq_tune_matrix *m = &f->matrices[i];
    s.codes[i] = malloc(values_of(m));
    s.steps[i] = malloc(values_of(m) / m->span * sizeof(float));
    memcpy(s.codes[i], m->codes, values_of(m));
    memcpy(s.steps[i], m->steps, values_of(m) / m->span * sizeof(float));
  }
  return s;
}

static void drop(snapshot *s) {
  aq_params_reset(&s->params);
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    free(s->codes[i]);
    free(s->steps[i]);
  }
}

static void put_back(calib_fixture *f, const snapshot *s) {
  memcpy(f->quantized.memory, s->params.memory, s->params.count * sizeof(float));
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    const aq_tune_matrix *m = &f->matrices[i];
    memcpy(m->codes, s->codes[i], values_of(m));
    memcpy(m->steps, s->steps[i], values_of(m) / m->span * sizeof(float));
  }
}

static void expect_state(const calib_fixture *f, const snapshot *s) {
  assert_memory_equal(f->quantized.memory, s->params.memory, s->params.count * sizeof(float));
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    const aq_tune_matrix *m = &f->matrices[i];
    assert_memory_equal(m->codes, s->codes[i], values_of(m));
    assert_memory_equal(m->steps, s->steps[i], values_of(m) / m->span * sizeof(float));
  }
}

/* ---- the whole ---- */

static double held_loss(const calib_fixture *f, const aq_params *params) {
  aq_error err;
  aq_tape a = {0}, b = {0};
  double sum = 0;
  for (size_t i = DESCENT; i < CALIB_TEXTS; i++) {
    assert_ok(aq_tape_begin(&a, &f->original, f->ids + i, f->lengths + i, 1, f->pool, &err));
    assert_ok(aq_tape_forward(&a, &f->original, &err));
    assert_ok(aq_tape_begin(&b, params, f->ids + i, f->lengths + i, 1, f->pool, &err));
    assert_ok(aq_tape_forward(&b, params, &err));
    sum += aq_cosine_loss(b.embeddings, a.embeddings, TINY_HIDDEN, 0, NULL);
  }
  aq_tape_reset(&a);
  aq_tape_reset(&b);
  return sum / (CALIB_TEXTS - DESCENT);
}

/* Values are codes times steps, steps are bf16, codes within bounds; what is no linear's weight or vector stays. */
static void expect_consistent(const calib_fixture *f, const snapshot *before) {
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    const aq_tune_matrix *m = &f->matrices[i];
    const float *w = f->quantized.values[calib_weight(f, i) - f->quantized.model->weights];
    for (size_t k = 0; k < values_of(m); k++) {
      const float step = m->steps[k / m->span];
      assert_true(m->codes[k] >= m->qmin && m->codes[k] <= m->qmax);
      assert_true(w[k] == (float)m->codes[k] * step);
      assert_true(step == aq_round_mantissa(step, 5));
    }
  }
  const size_t tables =
      (size_t)(aq_params_norm(&f->quantized, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM).gain - f->quantized.memory);
  assert_memory_equal(f->quantized.memory, before->params.memory, tables * sizeof(float));
}

static void tune_brings_held_out_texts_nearer(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_tune_result r;
  const aq_tune_options o = quick(120);
  snapshot before = take(f);
  assert_ok(tune(f, &o, f->pool, NULL, &r, &err));
  assert_true(r.accepted);
  assert_int_equal(r.steps, 120);
  assert_true(r.after < 0.7 * r.before);
  expect_near(r.before, held_loss(f, &before.params), 1e-6);
  expect_near(r.after, held_loss(f, &f->quantized), 1e-6);
  expect_consistent(f, &before);
  size_t codes = 0, steps = 0;
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    const aq_tune_matrix *m = &f->matrices[i];
    for (size_t k = 0; k < values_of(m); k++) codes += m->codes[k] != before.codes[i][k];
    for (size_t k = 0; k < values_of(m) / m->span; k++) steps += m->steps[k] != before.steps[i][k];
  }
  assert_true(codes > 0 && steps > 0);
  drop(&before);
}

static void tune_gives_the_same_bytes_at_any_number_of_threads(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_tune_result one, other;
  aq_tune_options o = quick(12);
  aq_pool *pool;
  snapshot before = take(f);
  assert_ok(tune(f, &o, f->pool, NULL, &one, &err));
  snapshot after = take(f);
  put_back(f, &before);
  assert_ok(aq_pool_create(5, &pool, &err));
  assert_ok(tune(f, &o, pool, NULL, &other, &err));
  expect_state(f, &after);
  assert_true(one.accepted && one.after == other.after);
  put_back(f, &before);
  o.seed++;
  assert_ok(tune(f, &o, f->pool, NULL, &other, &err));
  assert_true(one.after != other.after);
  aq_pool_free(pool);
  drop(&before);
  drop(&after);
}

static void tune_without_flags_changes_vectors_alone(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_tune_result r;
  const aq_tune_options o = quick(30);
  snapshot before = take(f);
  for (size_t i = 0; i < CALIB_MATRICES; i++) f->matrices[i].tune_codes = f->matrices[i].tune_steps = false;
  assert_ok(tune(f, &o, f->pool, NULL, &r, &err));
  assert_true(r.accepted && r.after < r.before);
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    const aq_weight *w = calib_weight(f, i);
    const size_t at = (size_t)(w - f->quantized.model->weights);
    assert_memory_equal(f->quantized.values[at], before.params.values[at], values_of(&f->matrices[i]) * sizeof(float));
    assert_true(memcmp(f->quantized.values[w->bias], before.params.values[w->bias], w->rows * sizeof(float)) != 0);
  }
  drop(&before);
}

static void tune_steps_alone_leaves_codes(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_tune_result r;
  const aq_tune_options o = quick(30);
  snapshot before = take(f);
  for (size_t i = 0; i < CALIB_MATRICES; i++) f->matrices[i].tune_codes = false;
  assert_ok(tune(f, &o, f->pool, NULL, &r, &err));
  assert_true(r.accepted);
  expect_consistent(f, &before);
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    assert_memory_equal(f->matrices[i].codes, before.codes[i], values_of(&f->matrices[i]));
  }
  drop(&before);
}

static void tune_that_makes_it_worse_changes_nothing(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_tune_result r;
  aq_tune_options o = quick(6);
  o.code_rate = o.step_rate = o.vector_rate = 3;
  snapshot before = take(f);
  assert_ok(tune(f, &o, f->pool, NULL, &r, &err));
  assert_false(r.accepted);
  assert_true(r.after >= r.before);
  expect_state(f, &before);
  drop(&before);
}

static void tune_by_time_ends_in_time(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_tune_result r;
  aq_tune_options o = quick(0);
  o.seconds = 0.4; /* the first measurement may take a while on a busy machine */
  const double started = aq_clock();
  assert_ok(tune(f, &o, f->pool, NULL, &r, &err));
  assert_true(r.steps > 0);
  assert_true(aq_clock() - started < 4);
}

static bool stop_after(void *ctx, const aq_progress_event *event) {
  (void)event;
  int *calls = ctx;
  return --*calls > 0;
}

static void tune_interrupted_changes_nothing(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_tune_result r;
  int calls = 2;
  const aq_run_options run = {.progress = stop_after, .progress_ctx = &calls};
  const aq_tune_options o = quick(1000000);
  snapshot before = take(f);
  aq_progress progress;
  aq_progress_begin(&progress, &run, "tune", AQ_TUNE_TICKS, 0);
  assert_int_equal(tune(f, &o, f->pool, &progress, &r, &err), AQ_ERR_INTERRUPTED);
  expect_state(f, &before);
  assert_false(r.accepted);
  drop(&before);
}

static void tune_tells_all_its_ticks(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_tune_result r;
  const aq_tune_options o = quick(7);
  aq_progress progress;
  aq_progress_begin(&progress, NULL, "tune", AQ_TUNE_TICKS, 0);
  assert_ok(tune(f, &o, f->pool, &progress, &r, &err));
  assert_int_equal(progress.event.tensors_done, AQ_TUNE_TICKS);
}

static void refuse(calib_fixture *f, const aq_tune_options *o, const char *message) {
  aq_error err;
  aq_tune_result r;
  assert_int_equal(tune(f, o, f->pool, NULL, &r, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, message);
}

static void tune_refuses_what_makes_no_sense(void **state) {
  calib_fixture *f = *state;
  aq_tune_options o = quick(0);
  o.seconds = 0;
  refuse(f, &o, "tuning needs a number of steps or a time");
  o = quick(1);
  o.code_rate = NAN;
  refuse(f, &o, "nan is no rate or weight of tuning");
  o = quick(1);
  o.latent_slack = 0.5;
  refuse(f, &o, "the slack of latents is 0.5; it must be in [0, 0.5)");
  o = quick(1);
  f->matrices[0].span = 5;
  refuse(f, &o, "spans of 5 do not divide rows of 12");
  f->matrices[0].span = 12;
  f->matrices[1].codes[7] = 9;
  refuse(f, &o, "code 9 is not within -8 to 7");
  f->matrices[1].codes[7] = 0;
  f->matrices[2].tensor = f->matrices[1].tensor;
  char twice[100];
  (void)snprintf(twice, sizeof twice, "the matrix of tensor %zu is given twice", f->matrices[1].tensor);
  refuse(f, &o, twice);
  const aq_model *m = f->original.model;
  const size_t words = m->weights[aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_EMBEDDING)].tensor;
  f->matrices[2].tensor = words;
  char table[200];
  (void)snprintf(table, sizeof table,
                 "tensor %zu is to be tuned and is no linear layer's weight: tables make the result worse", words);
  refuse(f, &o, table);
  f->tokens[DESCENT][0] = -1;
  refuse(f, &o, "token 0 of held-out text 0 is -1; the model has 50 words");
}

static void tune_without_memory_changes_nothing(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_tune_result r;
  const aq_tune_options o = quick(1);
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  snapshot before = take(f);
  aq_status status = AQ_ERR_MEMORY;
  long tries = 0;
  aq_set_allocator(&faulty);
  for (; status == AQ_ERR_MEMORY; tries++) {
    expect_state(f, &before);
    atomic_store(&alive, 0);
    atomic_store(&countdown, tries + 1);
    status = tune(f, &o, f->pool, NULL, &r, &err);
    assert_int_equal(atomic_load(&alive), 0);
  }
  aq_set_allocator(NULL);
  assert_int_equal(status, AQ_OK);
  assert_true(tries > 50);
  drop(&before);
}

/* ---- its parts ---- */

/* Gradients of the loss at embeddings and taps, by central differences through the loss alone. */
static void distill_gradients_are_slopes_of_the_loss(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_text_batches b;
  aq_teacher teacher;
  aq_target target;
  aq_distill distill;
  aq_distill_loss loss, up, down;
  aq_tape tape = {0};
  const aq_hint_layers taps = aq_hint_layers_of(TINY_LAYERS);
  assert_int_equal(taps.count, 2);
  assert_ok(aq_text_batches_make(f->ids, f->lengths, 5, 1000, 0, &b, &err));
  assert_ok(aq_teacher_init(&teacher, &f->original, &b, &taps, 0, &err));
  assert_ok(aq_distill_init(&distill, &taps, TINY_LAYERS, TINY_HIDDEN, &b, &err));
  assert_ok(aq_teacher_run(&teacher, 0, &tape, f->pool, &target, &err));
  assert_ok(aq_batch_begin(&b, 0, &f->quantized, &tape, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &f->quantized, &err));
  const double weight = 0.3, h = 1e-2;
  assert_ok(aq_distill_run(&distill, &tape, &target, weight, f->pool, &loss, &err));
  assert_true(loss.embedding > 0 && loss.hidden > 0);
  assert_null(distill.d_hidden[0]);
  const float d_embedding = distill.d_embeddings[17], d_tap = distill.d_hidden[2][29];
  float *x = tape.embeddings + 17;
  for (int tap = 0; tap < 2; tap++, x = (float *)(uintptr_t)tape.hidden[2] + 29) {
    const float was = *x;
    *x = was + (float)h;
    assert_ok(aq_distill_run(&distill, &tape, &target, weight, f->pool, &up, &err));
    *x = was - (float)h;
    assert_ok(aq_distill_run(&distill, &tape, &target, weight, f->pool, &down, &err));
    *x = was;
    const double slope = (up.embedding - down.embedding + weight * (up.hidden - down.hidden)) / (2 * h);
    expect_near(slope, tap == 0 ? (double)d_embedding : (double)d_tap, 1e-3 * fabs(slope) + 1e-7);
  }
  aq_tape_reset(&tape);
  aq_distill_reset(&distill);
  aq_teacher_reset(&teacher);
  aq_text_batches_reset(&b);
}

static void teacher_remembers_what_it_said(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_text_batches b;
  aq_teacher teacher;
  aq_target first, second;
  aq_tape tape = {0};
  const aq_hint_layers taps = aq_hint_layers_of(TINY_LAYERS);
  assert_ok(aq_text_batches_make(f->ids, f->lengths, 12, 100, 0, &b, &err));
  assert_true(b.count > 2);
  assert_ok(aq_teacher_init(&teacher, &f->original, &b, &taps, 1 << 20, &err));
  size_t n = 0; /* of the first batch's hidden states */
  for (size_t i = 0; i < b.first[1]; i++) n += b.lengths[i] * TINY_HIDDEN;
  float *hidden = malloc(2 * n * sizeof *hidden), embedding[TINY_HIDDEN];
  assert_ok(aq_teacher_run(&teacher, 0, &tape, f->pool, &first, &err));
  memcpy(hidden, first.hidden[0], n * sizeof *hidden);
  memcpy(hidden + n, first.hidden[1], n * sizeof *hidden);
  memcpy(embedding, first.embeddings, sizeof embedding);
  assert_ok(aq_teacher_run(&teacher, 1, &tape, f->pool, &second, &err));
  aq_tape_reset(&tape); /* needed no more */
  assert_ok(aq_teacher_run(&teacher, 0, &tape, f->pool, &second, &err));
  assert_memory_equal(second.embeddings, embedding, sizeof embedding);
  for (size_t i = 0; i < 2 * n; i++) {
    const double x = (double)hidden[i], kept = (double)second.hidden[i / n][i % n];
    assert_true(fabs(x - kept) <= fabs(x) / 256);
  }
  assert_null(tape.buffers);
  free(hidden);
  aq_teacher_reset(&teacher);
  aq_text_batches_reset(&b);
}

static void pieces_are_the_texts_in_their_order(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_text_pieces p;
  assert_ok(aq_text_pieces_cut(f->ids, f->lengths, CALIB_TEXTS, 7, &p, &err));
  size_t piece = 0;
  for (size_t i = 0; i < CALIB_TEXTS; i++) {
    for (uint32_t at = 0; at < f->lengths[i]; at += 7, piece++) {
      assert_true(p.ids[piece] == f->ids[i] + at);
      assert_int_equal(p.lengths[piece], AQ_MIN(7U, f->lengths[i] - at));
    }
  }
  assert_int_equal(piece, p.count);
  assert_true(p.count > CALIB_TEXTS);
  aq_text_pieces_reset(&p);
}

static void batches_hold_every_text_once(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_text_batches b;
  assert_ok(aq_text_batches_make(f->ids, f->lengths, CALIB_TEXTS, 70, 1, &b, &err));
  unsigned seen[CALIB_TEXTS] = {0}, taken[CALIB_TEXTS] = {0};
  for (size_t i = 0; i < b.count; i++) {
    size_t tokens = 0;
    for (size_t k = b.first[i]; k < b.first[i + 1]; k++) {
      seen[(b.ids[k] - f->tokens[0]) / TINY_POSITIONS]++;
      tokens += b.lengths[k];
    }
    assert_true(tokens <= 70 && tokens <= b.most_tokens && b.first[i + 1] - b.first[i] <= b.most_texts);
  }
  for (size_t i = 0; i < CALIB_TEXTS; i++) assert_int_equal(seen[i], 1);
  size_t order[CALIB_TEXTS];
  aq_text_batches_shuffle(&b, 0);
  memcpy(order, b.order, b.count * sizeof *order);
  for (size_t i = 0; i < b.count; i++) taken[order[i]]++;
  for (size_t i = 0; i < b.count; i++) assert_int_equal(taken[i], 1);
  aq_text_batches_shuffle(&b, 1);
  assert_memory_not_equal(order, b.order, b.count * sizeof *order);
  aq_text_batches_shuffle(&b, 0);
  assert_memory_equal(order, b.order, b.count * sizeof *order);
  aq_text_batches_reset(&b);
}

/* The first steps of Adam by hand: after bias correction the first has the length of the rate, whatever the gradient.
 */
static void adam_takes_the_steps_of_the_paper(void **state) {
  (void)state;
  float x[2] = {1, 2}, m[2] = {0}, v[2] = {0};
  const float first[2] = {1e-6F, -400}, second[2] = {3e-6F, 400};
  aq_adam_step(2, first, 0.01F * aq_adam_correction(1), m, v, x);
  expect_near((double)x[0], 0.99, 1e-6);
  expect_near((double)x[1], 2.01, 1e-6);
  aq_adam_step(2, second, 0.01F * aq_adam_correction(2), m, v, x);
  const double mean = (0.9 * 0.1 + 0.1 * 3) / (1 - 0.81), square = (0.98 * 0.02 + 0.02 * 9) / (1 - 0.9604);
  expect_near((double)x[0], 0.99 - 0.01 * mean / sqrt(square), 1e-6);
  expect_near((double)x[1], 2.01 - 0.01 * (0.01 / 0.19), 1e-5);
}

static void mantissa_is_rounded_to_even(void **state) {
  (void)state;
  assert_true(aq_round_mantissa(1 + 0x1p-8F, 7) == 1);
  assert_true(aq_round_mantissa(1 + 0x3p-8F, 7) == 1 + 0x1p-6F);
  assert_true(aq_round_mantissa(1 + 0x1.8p-8F, 7) == 1 + 0x1p-7F);
  assert_true(aq_round_mantissa(0x1.ffp-3F, 7) == 0x1p-2F);
  assert_true(aq_round_mantissa(0.3F, 23) == 0.3F);
  assert_true(aq_round_mantissa(0, 3) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(tune_brings_held_out_texts_nearer, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(tune_gives_the_same_bytes_at_any_number_of_threads, calib_set_up,
                                      calib_tear_down),
      cmocka_unit_test_setup_teardown(tune_without_flags_changes_vectors_alone, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(tune_steps_alone_leaves_codes, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(tune_that_makes_it_worse_changes_nothing, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(tune_by_time_ends_in_time, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(tune_interrupted_changes_nothing, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(tune_tells_all_its_ticks, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(tune_refuses_what_makes_no_sense, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(tune_without_memory_changes_nothing, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(distill_gradients_are_slopes_of_the_loss, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(teacher_remembers_what_it_said, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(pieces_are_the_texts_in_their_order, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(batches_hold_every_text_once, calib_set_up, calib_tear_down),
      cmocka_unit_test(adam_takes_the_steps_of_the_paper),
      cmocka_unit_test(mantissa_is_rounded_to_even),
  };
  return cmocka_run_group_tests_name("tune", tests, NULL, NULL);
}
