/* test_bias_correction.c - repairing the shifts of a rounded tiny encoder: against what the shifts are defined by. */
#include "calib/bias_correction.h"

#include "calib_fixture.h"
#include "model/run/tape.h"

/* Rounding of float sums of 40 x 24 values near 1. */
#define ZERO 2e-6

static aq_tape run(const calib_fixture *f, const aq_params *params) {
  aq_error err;
  aq_tape tape = {0};
  assert_ok(aq_tape_begin(&tape, params, f->ids, f->lengths, CALIB_TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, params, &err));
  return tape;
}

/* Largest mean over tokens of a difference between hidden states. */
static double largest_mean(const float *a, const float *b, size_t tokens) {
  double largest = 0;
  for (size_t i = 0; i < TINY_HIDDEN; i++) {
    double sum = 0;
    for (size_t t = 0; t < tokens; t++) sum += (double)a[t * TINY_HIDDEN + i] - (double)b[t * TINY_HIDDEN + i];
    largest = AQ_MAX(largest, fabs(sum / (double)tokens));
  }
  return largest;
}

/* After the norm of a layer's attention block. */
static void normed(const aq_params *p, const aq_tape *tape, uint32_t layer, float *out) {
  const aq_param_norm norm = aq_params_norm(p, layer, AQ_ROLE_ATTENTION_NORM);
  const float *z = tape->norm[aq_model_find(p->model, layer, AQ_ROLE_ATTENTION_NORM)].z;
  const size_t tokens = tape->tokens;
  for (size_t i = 0; i < tokens * TINY_HIDDEN; i++) {
    out[i] = norm.gain[i % TINY_HIDDEN] * z[i] + norm.shift[i % TINY_HIDDEN];
  }
}

/* The same after the norm of the attention block, which a pass does not keep. */
static double largest_mean_in_layer(const aq_params *p, const aq_params *q, const aq_tape *a, const aq_tape *b,
                                    uint32_t layer) {
  float *x = malloc(a->tokens * TINY_HIDDEN * sizeof *x), *y = malloc(a->tokens * TINY_HIDDEN * sizeof *y);
  normed(p, a, layer, x);
  normed(q, b, layer, y);
  const double largest = largest_mean(x, y, a->tokens);
  free(x);
  free(y);
  return largest;
}

static void repair(const calib_fixture *f, aq_params *quantized, aq_pool *pool) {
  aq_error err;
  assert_ok(aq_bias_correct(&f->original, quantized, f->ids, f->lengths, CALIB_TEXTS, pool, &err));
}

static void repair_makes_mean_differences_zero(void **state) {
  calib_fixture *f = *state;
  float *words = aq_params_table(&f->quantized, AQ_ROLE_EMBEDDING);
  for (size_t i = 0; i < (size_t)TINY_WORDS * TINY_HIDDEN; i++) words[i] += 0.01F * (float)(i % 12);
  aq_tape a = run(f, &f->original), before = run(f, &f->quantized);
  for (size_t i = 0; i <= TINY_LAYERS; i++) {
    assert_true(largest_mean(a.hidden[i], before.hidden[i], a.tokens) > 0.01);
  }
  repair(f, &f->quantized, f->pool);
  aq_tape b = run(f, &f->quantized);
  for (size_t i = 0; i <= TINY_LAYERS; i++) assert_true(largest_mean(a.hidden[i], b.hidden[i], a.tokens) < ZERO);
  for (uint32_t i = 0; i < TINY_LAYERS; i++) {
    assert_true(largest_mean_in_layer(&f->original, &f->quantized, &a, &b, i) < ZERO);
  }
  aq_tape_reset(&a);
  aq_tape_reset(&b);
  aq_tape_reset(&before);
}

static void repair_changes_nothing_but_shifts(void **state) {
  calib_fixture *f = *state;
  aq_params copy = calib_copy(&f->quantized);
  repair(f, &f->quantized, f->pool);
  size_t changed = 0;
  for (size_t i = 0; i < copy.count; i++)
    changed += memcmp(&copy.memory[i], &f->quantized.memory[i], sizeof(float)) != 0;
  /* The first norm comes before all that was rounded. */
  assert_int_equal(changed, 2 * TINY_LAYERS * TINY_HIDDEN);
  for (uint32_t i = 0; i < TINY_LAYERS; i++) {
    const size_t size = TINY_HIDDEN * sizeof(float);
    memcpy(aq_params_norm(&copy, i, AQ_ROLE_ATTENTION_NORM).shift,
           aq_params_norm(&f->quantized, i, AQ_ROLE_ATTENTION_NORM).shift, size);
    memcpy(aq_params_norm(&copy, i, AQ_ROLE_FFN_NORM).shift, aq_params_norm(&f->quantized, i, AQ_ROLE_FFN_NORM).shift,
           size);
  }
  assert_memory_equal(copy.memory, f->quantized.memory, copy.count * sizeof(float));
  aq_params_reset(&copy);
}

static void repair_of_the_original_itself_changes_nothing(void **state) {
  calib_fixture *f = *state;
  aq_params copy = calib_copy(&f->original);
  repair(f, &copy, f->pool);
  assert_memory_equal(copy.memory, f->original.memory, copy.count * sizeof(float));
  aq_params_reset(&copy);
}

static void repair_gives_the_same_bytes_at_any_number_of_threads(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_params copy = calib_copy(&f->quantized);
  repair(f, &f->quantized, f->pool);
  aq_pool *pool;
  assert_ok(aq_pool_create(5, &pool, &err));
  repair(f, &copy, pool);
  assert_memory_equal(copy.memory, f->quantized.memory, copy.count * sizeof(float));
  aq_pool_free(pool);
  aq_params_reset(&copy);
}

static void repair_refuses_what_are_no_texts(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  assert_int_equal(aq_bias_correct(&f->original, &f->quantized, f->ids, f->lengths, 0, f->pool, &err), AQ_ERR_ARGUMENT);
  f->tokens[1][2] = TINY_WORDS;
  assert_int_equal(aq_bias_correct(&f->original, &f->quantized, f->ids, f->lengths, 2, f->pool, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "token 2 of calibration text 1 is 50; the model has 50 words");
  f->lengths[0] = 0;
  assert_int_equal(aq_bias_correct(&f->original, &f->quantized, f->ids, f->lengths, 1, f->pool, &err), AQ_ERR_ARGUMENT);
  f->lengths[0] = TINY_POSITIONS + 1;
  assert_int_equal(aq_bias_correct(&f->original, &f->quantized, f->ids, f->lengths, 1, f->pool, &err), AQ_ERR_ARGUMENT);
}

static void repair_without_memory_changes_nothing(void **state) {
  calib_fixture *f = *state;
  aq_error err;
  aq_params copy = calib_copy(&f->quantized);
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_status status = AQ_ERR_MEMORY;
  long tries = 0;
  aq_set_allocator(&faulty);
  for (; status == AQ_ERR_MEMORY; tries++) {
    assert_memory_equal(copy.memory, f->quantized.memory, copy.count * sizeof(float));
    atomic_store(&alive, 0);
    atomic_store(&countdown, tries + 1);
    status = aq_bias_correct(&f->original, &f->quantized, f->ids, f->lengths, CALIB_TEXTS, f->pool, &err);
    assert_int_equal(atomic_load(&alive), 0);
  }
  aq_set_allocator(NULL);
  assert_int_equal(status, AQ_OK);
  assert_true(tries > 5);
  aq_params_reset(&copy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(repair_makes_mean_differences_zero, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(repair_changes_nothing_but_shifts, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(repair_of_the_original_itself_changes_nothing, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(repair_gives_the_same_bytes_at_any_number_of_threads, calib_set_up,
                                      calib_tear_down),
      cmocka_unit_test_setup_teardown(repair_refuses_what_are_no_texts, calib_set_up, calib_tear_down),
      cmocka_unit_test_setup_teardown(repair_without_memory_changes_nothing, calib_set_up, calib_tear_down),
  };
  return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
