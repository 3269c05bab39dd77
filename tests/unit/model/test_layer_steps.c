/* test_layer_steps.c - the list of steps against the model's weights, and against itself. */
#include "model/layer_steps.h"

#include "pass_fixture.h"

/* What a step reads was written before it, and nothing is written twice: the last step gives the output. */
static void steps_read_what_was_written(void **state) {
  const fixture *f = *state;
  const aq_layer_steps *steps = aq_layer_steps_of(f->params.model);
  bool written[AQ_SLOTS] = {[AQ_SLOT_INPUT] = true};
  assert_true(steps->count > 0 && steps->count <= AQ_STEPS_MOST);
  for (size_t i = 0; i < steps->count; i++) {
    const aq_step *s = &steps->step[i];
    assert_true(written[s->in] && !written[s->out]);
    assert_true(s->kind == AQ_STEP_ADD_NORM ? written[s->residual] : s->residual == AQ_SLOT_NONE);
    assert_int_equal(s->kind == AQ_STEP_ATTENTION, i == steps->attention);
    written[s->out] = true;
  }
  for (size_t i = 0; i < AQ_SLOTS; i++) assert_true(written[i]);
  assert_int_equal(steps->step[steps->count - 1].out, AQ_SLOT_OUTPUT);
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
      cmocka_unit_test(residuals_are_found_by_what_they_pass),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
