/* test_token_distill.c - the loss by which decoders are tuned, and its gradient. */
#include "calib/tune/token_distill.h"

#include "calib/window_divergence.h"
#include "decoder_pass_fixture.h"
#include "faulty_allocator.h"
#include "measure/divergence.h"

static aq_error err;

/* The decoder with noise on all its weights. */
static aq_params disturbed(const dec_fixture *f, float size) {
  aq_params other;
  assert_ok(aq_params_copy(&f->params, &other, &err));
  for (size_t i = 0; i < other.count; i++) other.memory[i] += size * noise();
  return other;
}

static float *states_of(const dec_fixture *f) {
  float *states = malloc((size_t)DEC_ALL * DEC_HIDDEN * sizeof *states);
  assert_ok(aq_window_states(&f->params, f->texts, dec_lengths, DEC_TEXTS, f->pool, states, &err));
  return states;
}

/* ---- what a backward pass is given ---- */

typedef struct seen_logits {
  float of[DEC_ALL][DEC_WORDS], d[DEC_ALL][DEC_WORDS];
  aq_decoder_loss loss; /* that is looked at */
} seen_logits;

static aq_status differentiate(void *ctx, const aq_decoder_tape *tape, size_t first, size_t rows, const float *logits,
                               float *d_logits, aq_error *error) {
  seen_logits *seen = ctx;
  AQ_TRY(seen->loss.differentiate(seen->loss.ctx, tape, first, rows, logits, d_logits, error));
  memcpy(seen->of[first], logits, rows * sizeof seen->of[0]);
  memcpy(seen->d[first], d_logits, rows * sizeof seen->d[0]);
  return AQ_OK;
}

static aq_status visit_nothing(void *ctx, const aq_decoder_tape *tape, uint32_t layer, aq_error *error) {
  (void)ctx;
  (void)tape;
  (void)layer;
  (void)error;
  return AQ_OK;
}

/* Returns the loss. */
static double run_pass(const dec_fixture *f, const aq_params *student, const float *states, aq_pool *pool,
                       seen_logits *seen) {
  aq_token_distill distill;
  aq_decoder_tape tape = {0};
  assert_ok(aq_token_distill_init(&distill, &f->params, &err));
  seen->loss = aq_token_distill_begin(&distill, states);
  const aq_decoder_loss loss = {differentiate, seen};
  const aq_decoder_visitor visitor = {visit_nothing, NULL};
  assert_ok(aq_decoder_tape_begin(&tape, student, f->texts, dec_lengths, DEC_TEXTS, pool, &err));
  assert_ok(aq_decoder_tape_forward(&tape, student, &err));
  assert_ok(aq_decoder_tape_backward(&tape, student, &loss, 0, &visitor, &err));
  const double mean = distill.loss;
  aq_decoder_tape_reset(&tape);
  aq_token_distill_reset(&distill);
  return mean;
}

static void teacher_logits(const dec_fixture *f, float out[DEC_ALL][DEC_WORDS]) {
  aq_decoder_tape tape = {0};
  assert_ok(aq_decoder_tape_begin_forward(&tape, &f->params, f->texts, dec_lengths, DEC_TEXTS, f->pool, &err));
  assert_ok(aq_decoder_tape_forward(&tape, &f->params, &err));
  assert_ok(aq_decoder_tape_logits(&tape, &f->params, 0, DEC_ALL, out[0], &err));
  aq_decoder_tape_reset(&tape);
}

/* By the definition, in double. */
static double mean_divergence(float p[DEC_ALL][DEC_WORDS], float q[DEC_ALL][DEC_WORDS]) {
  double sum = 0;
  for (size_t t = 0; t < DEC_ALL; t++) {
    double of_p = 0, of_q = 0;
    for (size_t v = 0; v < DEC_WORDS; v++) of_p += exp((double)p[t][v]);
    for (size_t v = 0; v < DEC_WORDS; v++) of_q += exp((double)q[t][v]);
    for (size_t v = 0; v < DEC_WORDS; v++) {
      const double x = (double)p[t][v] - log(of_p), y = (double)q[t][v] - log(of_q);
      sum += exp(x) * (x - y);
    }
  }
  return sum / DEC_ALL;
}

static void compare_kind(const tiny_kind *kind) {
  dec_fixture f;
  static seen_logits seen, again;
  static float teacher[DEC_ALL][DEC_WORDS];
  dec_set_up(&f, kind);
  aq_params student = disturbed(&f, 0.1F);
  float *states = states_of(&f);
  const double loss = run_pass(&f, &student, states, f.pool, &seen);
  teacher_logits(&f, teacher);
  const double expected = mean_divergence(teacher, seen.of);
  assert_true(expected > 1e-3 && fabs(loss - expected) < 1e-5 * expected + 1e-8);
  for (size_t k = 0; k < 200; k++) { /* slopes by central differences of the definition */
    const size_t t = k * 37 % DEC_ALL, v = k * 11 % DEC_WORDS;
    const float was = seen.of[t][v], h = 1.0F / 64;
    seen.of[t][v] = was + h;
    const double up = mean_divergence(teacher, seen.of);
    seen.of[t][v] = was - h;
    const double down = mean_divergence(teacher, seen.of);
    seen.of[t][v] = was;
    const double slope = (up - down) / (2 * (double)h);
    assert_true(fabs(slope - (double)seen.d[t][v]) < 1e-3 * fabs(slope) + 1e-7);
  }
  assert_true(run_pass(&f, &student, states, f.alone, &again) == loss);
  assert_memory_equal(again.d, seen.d, sizeof seen.d);
  free(states);
  aq_params_reset(&student);
  dec_tear_down(&f);
}

static void gradients_are_slopes_of_the_divergence(void **state) {
  (void)state;
  compare_kind(&tiny_llama);
  compare_kind(&tiny_gemma);
}

static void the_teacher_itself_has_no_loss_and_no_gradient(void **state) {
  dec_fixture f;
  static seen_logits seen;
  (void)state;
  dec_set_up(&f, &tiny_llama);
  float *states = states_of(&f);
  assert_true(fabs(run_pass(&f, &f.params, states, f.pool, &seen)) < 1e-7);
  for (size_t t = 0; t < DEC_ALL; t++) {
    for (size_t v = 0; v < DEC_WORDS; v++) assert_true(seen.d[t][v] == 0);
  }
  free(states);
  dec_tear_down(&f);
}

static void room_that_cannot_be_had_is_an_error(void **state) {
  dec_fixture f;
  aq_token_distill distill;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  (void)state;
  dec_set_up(&f, &tiny_llama);
  aq_set_allocator(&faulty);
  for (long tries = 1; tries <= 2; tries++) {
    atomic_store(&alive, 0);
    atomic_store(&countdown, tries);
    assert_int_equal(aq_token_distill_init(&distill, &f.params, &err), AQ_ERR_MEMORY);
    assert_int_equal(atomic_load(&alive), 0);
  }
  aq_set_allocator(NULL);
  dec_tear_down(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_slopes_of_the_divergence),
                                     cmocka_unit_test(the_teacher_itself_has_no_loss_and_no_gradient),
                                     cmocka_unit_test(room_that_cannot_be_had_is_an_error)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
