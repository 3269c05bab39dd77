/* test_layer_steps.c - the lists of steps against the weights of the families, against themselves, and as they run. */
#include "model/arch/t5.h"
#include "model/layer_steps.h"

#include "pass_fixture.h"

/* What a step reads was written before it, and nothing is written twice: the last step gives the output. */
static void check_order(const aq_layer_steps *steps) {
  bool written[AQ_SLOTS] = {[AQ_SLOT_INPUT] = true};
  assert_true(steps->count > 0 && steps->count <= AQ_STEPS_MOST);
  for (size_t i = 0; i < steps->count; i++) {
    const aq_step *s = &steps->step[i];
    assert_true(written[s->in] && !written[s->out]);
    const bool adds = s->kind == AQ_STEP_ADD_NORM || s->kind == AQ_STEP_ADD;
    assert_true(adds ? written[s->residual] : s->residual == AQ_SLOT_NONE);
    assert_int_equal(s->kind == AQ_STEP_ATTENTION, i == steps->attention);
    written[s->out] = true;
  }
  assert_int_equal(steps->step[steps->count - 1].out, AQ_SLOT_OUTPUT);
}

static void steps_read_what_was_written(void **state) {
  (void)state;
  check_order(&aq_post_norm_steps);
  check_order(&aq_pre_norm_gated_steps);
  check_order(&aq_post_norm_gated_steps);
  check_order(&aq_pre_norm_steps);
  check_order(&aq_pre_norm_gate_up_steps);
}

/* Every linear and norm of a layer is run once, and its sizes are those of the activations. */
static void steps_run_every_weight(void **state) {
  const fixture *f = *state;
  const aq_model *m = f->params.model;
  const aq_layer_steps *steps = aq_layer_steps_of(m);
  uint32_t run = 0, has = 0;
  for (size_t i = 0; i < steps->count; i++) {
    const aq_step *s = &steps->step[i];
    if (s->kind == AQ_STEP_LINEAR) {
      const aq_param_linear linear = aq_params_joined(&f->params, 1, s->role);
      run += 2 * m->weights[aq_model_find(m, 1, s->role)].inputs;
      assert_int_equal(linear.in, aq_slot_width(m, s->in));
      assert_int_equal(linear.out, aq_slot_width(m, s->out));
    } else if (s->kind == AQ_STEP_ADD_NORM) {
      run += 2;
      assert_int_equal(m->weights[aq_model_find(m, 1, s->role)].rows, aq_slot_width(m, s->out));
    }
  }
  for (uint32_t i = 0; i < m->weight_count; i++) has += m->weights[i].layer == 1;
  assert_int_equal(run, has);
}

static uint32_t count_steps(const aq_layer_steps *steps, aq_step_kind kind, aq_role role) {
  uint32_t count = 0;
  for (size_t i = 0; i < steps->count; i++) count += steps->step[i].kind == kind && steps->step[i].role == role;
  return count;
}

/* The linears of a layer that read the same activation are run by one step, that of the first. */
static void families_run_every_weight(void **state) {
  (void)state;
  static const aq_arch *const archs[] = {
#define ARCH(name) &aq_arch_##name,
#include "model/arch/arch_list.inc"
#undef ARCH
      &aq_arch_gated_t5, &aq_arch_gated_mt5};
  for (size_t i = 0; i < AQ_COUNT_OF(archs); i++) {
    const aq_arch *arch = archs[i];
    assert_int_equal(arch->steps == NULL, arch->decoder != NULL || arch->is_static);
    for (size_t k = 0; arch->steps != NULL && k < arch->weight_count; k++) {
      const aq_weight_spec *w = &arch->weights[k];
      if (strstr(w->name, "%u") == NULL) continue;
      if (w->role == AQ_ROLE_DISTANCE_KEY || w->role == AQ_ROLE_DISTANCE_QUERY) continue; /* distance_weights.h */
      const bool follows = w->kind == AQ_WEIGHT_LINEAR && w[-1].kind == AQ_WEIGHT_LINEAR && w[-1].input == w->input;
      assert_int_equal(count_steps(arch->steps, AQ_STEP_LINEAR, w->role), w->kind == AQ_WEIGHT_LINEAR && !follows);
      const uint32_t norms =
          count_steps(arch->steps, AQ_STEP_ADD_NORM, w->role) + count_steps(arch->steps, AQ_STEP_NORM, w->role);
      assert_int_equal(norms, w->kind == AQ_WEIGHT_NORM);
    }
  }
}

/* Both passes run the family's own list: here three linears follow each other, and there is one norm. */
static void passes_run_the_steps_of_the_family(void **state) {
  fixture *f = *state;
  aq_model_config *config = &f->encoder->model.config;
  const aq_arch *own = config->arch;
  static const aq_layer_steps steps = {
      .step = {{AQ_STEP_LINEAR, AQ_ROLE_QUERY, AQ_SLOT_INPUT, AQ_SLOT_QKV, AQ_SLOT_NONE},
               {AQ_STEP_ATTENTION, AQ_ROLE_UNKNOWN, AQ_SLOT_QKV, AQ_SLOT_CONTEXT, AQ_SLOT_NONE},
               {AQ_STEP_LINEAR, AQ_ROLE_ATTENTION_OUT, AQ_SLOT_CONTEXT, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_NONE},
               {AQ_STEP_LINEAR, AQ_ROLE_UP, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_UP, AQ_SLOT_NONE},
               {AQ_STEP_LINEAR, AQ_ROLE_DOWN, AQ_SLOT_UP, AQ_SLOT_DOWN, AQ_SLOT_NONE},
               {AQ_STEP_ADD_NORM, AQ_ROLE_FFN_NORM, AQ_SLOT_DOWN, AQ_SLOT_OUTPUT, AQ_SLOT_INPUT}},
      .count = 6,
      .attention = 1};
  static aq_arch other;
  other = *own;
  other.steps = &steps;
  float before[TINY_HIDDEN], after[TINY_HIDDEN];
  aq_tape tape = {0};
  aq_error err;
  assert_ok(aq_encoder_encode_ids(f->encoder, f->texts[2], &lengths[2], 1, before, &err));
  config->arch = &other;
  assert_ok(aq_encoder_encode_ids(f->encoder, f->texts[2], &lengths[2], 1, after, &err));
  assert_ok(aq_tape_begin(&tape, &f->params, &f->texts[2], &lengths[2], 1, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &f->params, &err));
  double moved = 0;
  for (size_t i = 0; i < TINY_HIDDEN; i++) {
    assert_true(fabs((double)after[i] - (double)tape.embeddings[i]) < 1e-5);
    moved = fmax(moved, fabs((double)after[i] - (double)before[i]));
  }
  assert_true(moved > 0.01);
  aq_tape_reset(&tape);
  config->arch = own;
}

static void residuals_are_found_by_what_they_pass(void **state) {
  const fixture *f = *state;
  const aq_layer_steps *steps = aq_layer_steps_of(f->params.model);
  assert_int_equal(aq_layer_steps_residual(steps, AQ_SLOT_INPUT), AQ_SLOT_ATTENTION_OUT);
  assert_int_equal(aq_layer_steps_residual(steps, AQ_SLOT_MIDDLE), AQ_SLOT_DOWN);
  assert_int_equal(aq_layer_steps_residual(steps, AQ_SLOT_CONTEXT), AQ_SLOT_NONE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_read_what_was_written),
      cmocka_unit_test(steps_run_every_weight),
      cmocka_unit_test(families_run_every_weight),
      cmocka_unit_test(passes_run_the_steps_of_the_family),
      cmocka_unit_test(residuals_are_found_by_what_they_pass),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
