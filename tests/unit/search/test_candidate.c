/* test_candidate.c - the matrices of an encoder at one lambda: codes, values, sizes, and what is decided about them. */
#include "core/memory.h"
#include "search_fixture.h"
#include "tensor/dtype.h"

#define LAMBDA 3e-7 /* some four bits a weight here */

static aq_error err;
static search_state s;

static int set_up(void **state) {
  (void)state;
  search_prepare(&s, search_options(4));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  search_end(&s);
  return 0;
}

static const float *values_of(const aq_candidate_item *item) {
  size_t count;
  return aq_params_find(&s.candidate.quantized, item->planned->factors->tensor, &count);
}

/* ---- making ---- */

static void values_are_codes_times_steps(void **state) {
  (void)state;
  size_t unused = 0;
  double bits = 0;
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA, &err));
  for (size_t i = 0; i < s.set.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    const aq_search_item *p = item->planned;
    const size_t count = p->rows * p->cols, span = aq_search_item_span(p, &item->choice);
    assert_int_equal(item->choice.span_count, count / span);
    bits += p->bits;
    if (p->factors == NULL) { /* the pooler: no codes are needed */
      unused++;
      assert_null(item->codes);
      continue;
    }
    assert_true(p->bits == 8 * (double)item->bytes);
    const float *values = values_of(item);
    for (size_t k = 0; k < count; k++) {
      assert_in_range(item->codes[k] + 128, aq_quant_min(item->choice.type) + 128,
                      aq_quant_max(item->choice.type) + 128);
      assert_true(values[k] == (float)item->codes[k] * item->choice.steps[k / span]);
    }
  }
  assert_int_equal(unused, 1);
  assert_true(s.candidate.bits == bits);
  assert_true(s.candidate.lambda == LAMBDA);
}

static void bits_cost_less_at_a_higher_lambda(void **state) {
  (void)state;
  double last = 0;
  for (int i = 0; i < 3; i++) {
    assert_ok(aq_candidate_round(&s.candidate, LAMBDA * (i == 0 ? 0.01 : i == 1 ? 1 : 100), &err));
    if (i > 0) assert_true(s.candidate.bits < 0.9 * last);
    last = s.candidate.bits;
  }
}

static void the_same_lambda_gives_the_same_again(void **state) {
  (void)state;
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA, &err));
  const double bits = s.candidate.bits;
  const aq_candidate_item *item = &s.candidate.items[0];
  const size_t count = item->planned->rows * item->planned->cols;
  int8_t *codes = malloc(count);
  memcpy(codes, item->codes, count);
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA * 9, &err));
  assert_memory_not_equal(codes, s.candidate.items[0].codes, count);
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA, &err));
  assert_true(s.candidate.bits == bits);
  assert_memory_equal(codes, s.candidate.items[0].codes, count);
  free(codes);
}

/* ---- repair and similarity ---- */

static void repair_measures_before_and_after_and_helps(void **state) {
  (void)state;
  double measured;
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA * 30, &err));
  assert_ok(aq_calibration_similarity(s.calibration, &s.candidate.quantized, &s.calibration->held, &measured, &err));
  assert_ok(aq_candidate_correct_biases(&s.candidate, &err));
  assert_true(s.candidate.before_repair == measured);
  assert_ok(aq_calibration_similarity(s.calibration, &s.candidate.quantized, &s.calibration->held, &measured, &err));
  assert_true(s.candidate.similarity == measured);
  assert_true(s.candidate.similarity > s.candidate.before_repair);
  assert_true(s.candidate.similarity < 1);
}

/* The shifts of one norm are under a rule of `o`, those of another are not. */
static void expect_settled(const aq_quantize_options *o) {
  static const char name[] = "encoder.layer.0.output.LayerNorm.bias", other[] = "embeddings.LayerNorm.bias";
  tear_down(NULL);
  search_prepare(&s, o);
  size_t count;
  const size_t kept = search_find(s.source, name), changed = search_find(s.source, other);
  const float *values[64] = {NULL}, *const owned[64] = {NULL};
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA * 30, &err));
  assert_ok(aq_candidate_correct_biases(&s.candidate, &err));
  assert_memory_equal(aq_params_find(&s.candidate.quantized, kept, &count),
                      aq_params_find(&s.candidate.base, kept, &count), ONE_LAYER_WIDTH * sizeof(float));
  aq_candidate_collect_values(&s.candidate, &s.plan, owned, values);
  assert_null(values[kept]);
  assert_false(s.plan.entries[kept].adjusted);
  assert_ptr_equal(values[changed], aq_params_find(&s.candidate.quantized, changed, &count));
  assert_true(s.plan.entries[changed].adjusted);
}

static void what_a_rule_keeps_is_not_repaired(void **state) {
  (void)state;
  aq_quantize_options o = *search_options(4);
  o.keep_patterns = (const char *const[]){"encoder.layer.0.output.LayerNorm.bias"};
  o.keep_pattern_count = 1;
  expect_settled(&o);
}

static void what_a_rule_quantizes_is_not_repaired(void **state) {
  (void)state;
  aq_quantize_options o = *search_options(4);
  o.tensor_rules = (const char *const[]){"encoder.layer.0.output.LayerNorm.bias=int4"};
  o.tensor_rule_count = 1;
  expect_settled(&o);
}

static void values_that_somebody_owns_stay_theirs(void **state) {
  (void)state;
  static const float theirs[1] = {0};
  const size_t tensor = search_find(s.source, "embeddings.LayerNorm.bias");
  const float *values[64] = {[0] = theirs}, *owned[64] = {NULL};
  owned[tensor] = theirs;
  values[tensor] = theirs;
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA * 30, &err));
  assert_ok(aq_candidate_correct_biases(&s.candidate, &err));
  aq_candidate_collect_values(&s.candidate, &s.plan, owned, values);
  assert_ptr_equal(values[tensor], theirs);
  assert_false(s.plan.entries[tensor].adjusted);
}

/* ---- deciding ---- */

static void decisions_are_kept_by_what_is_made_next(void **state) {
  (void)state;
  bool changed, some = false;
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA * 10, &err));
  for (size_t i = 0; i < s.set.count; i++) assert_false(s.candidate.items[i].plain);
  assert_ok(aq_candidate_choose_rounding(&s.candidate, &changed, &err));
  for (size_t i = 0; i < s.set.count; i++) some = some || s.candidate.plain[i];
  assert_int_equal(changed, some);
  s.candidate.plain[0] = !s.candidate.plain[0]; /* whichever it was: makes go by it */
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA * 10, &err));
  for (size_t i = 0; i < s.set.count; i++) {
    if (s.candidate.items[i].planned->factors == NULL) continue;
    assert_int_equal(s.candidate.items[i].plain, s.candidate.plain[i]);
  }
}

static void plain_items_are_rounded_to_nearest(void **state) {
  (void)state;
  for (size_t i = 0; i < s.set.count; i++) s.candidate.plain[i] = true;
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA, &err));
  for (size_t i = 0; i < s.set.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    if (item->codes == NULL) continue;
    const size_t count = item->planned->rows * item->planned->cols,
                 span = aq_search_item_span(item->planned, &item->choice);
    const float *w = item->planned->factors->w, *values = values_of(item);
    const int32_t least = aq_quant_min(item->choice.type), most = aq_quant_max(item->choice.type);
    for (size_t k = 0; k < count; k++) {
      const bool inside = item->codes[k] > least && item->codes[k] < most;
      if (inside) assert_true(fabsf(values[k] - w[k]) <= 0.5001F * item->choice.steps[k / span]);
    }
  }
}

/* ---- putting ---- */

/* What was made is put into an empty one: the same values, bits and similarity come of it. */
static void what_is_put_is_what_was_made(void **state) {
  (void)state;
  search_state other;
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA, &err));
  search_prepare(&other, search_options(4));
  assert_ok(aq_candidate_clear(&other.candidate, &err));
  for (size_t i = 0; i < s.set.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    const size_t count = item->planned->rows * item->planned->cols;
    aq_rd_choice choice = item->choice;
    int8_t *codes = aq_calloc(count, 1);
    choice.steps = aq_calloc(choice.span_count, sizeof *choice.steps);
    memcpy(choice.steps, item->choice.steps, choice.span_count * sizeof *choice.steps);
    if (item->codes != NULL) memcpy(codes, item->codes, count);
    assert_ok(aq_candidate_set_item(&other.candidate, i, &choice, codes, &err));
    assert_null(choice.steps); /* taken over */
    if (item->codes == NULL) continue;
    assert_memory_equal(values_of(item),
                        aq_params_find(&other.candidate.quantized, item->planned->factors->tensor, &(size_t){0}),
                        count * sizeof(float));
    assert_int_equal(other.candidate.items[i].bytes, item->bytes);
  }
  double similarity;
  assert_ok(aq_calibration_similarity(s.calibration, &s.candidate.quantized, &s.calibration->held, &similarity, &err));
  assert_ok(aq_candidate_measure(&other.candidate, &err));
  assert_true(other.candidate.similarity == similarity);
  assert_true(other.candidate.before_repair == similarity);
  search_end(&other);
}

static void clearing_gives_the_base_back(void **state) {
  (void)state;
  assert_ok(aq_candidate_round(&s.candidate, LAMBDA * 30, &err));
  assert_ok(aq_candidate_clear(&s.candidate, &err));
  for (uint32_t i = 0; i < s.candidate.base.model->weight_count; i++) {
    const size_t bytes = aq_weight_floats(&s.candidate.base.model->weights[i]) * sizeof(float);
    assert_memory_equal(s.candidate.quantized.values[i], s.candidate.base.values[i], bytes);
  }
  for (size_t i = 0; i < s.set.count; i++) {
    assert_null(s.candidate.items[i].codes);
    assert_null(s.candidate.items[i].choice.steps);
  }
}

/* ---- what rules quantize ---- */

static void base_has_what_rules_make_of_tensors(void **state) {
  (void)state;
  static const char name[] = "encoder.layer.0.output.dense.weight";
  aq_quantize_options o = *search_options(4);
  o.tensor_rules = (const char *const[]){"encoder.layer.0.output.dense.weight=int2,per=tensor,sym,method=minmax"};
  o.tensor_rule_count = 1;
  tear_down(NULL);
  search_prepare(&s, &o);
  size_t count;
  const float *base = aq_params_find(&s.candidate.base, search_find(s.source, name), &count);
  const float *original = aq_params_find(&s.calibration->original, search_find(s.source, name), &count);
  assert_memory_not_equal(base, original, count * sizeof *base);
  float seen[4];
  size_t kinds = 0;
  for (size_t i = 0; i < count; i++) { /* int2: four values at most */
    size_t k = 0;
    while (k < kinds && seen[k] != base[i]) k++;
    if (k < kinds) continue;
    assert_true(kinds < 4);
    seen[kinds++] = base[i];
  }
  for (size_t i = 0; i < s.set.count; i++) assert_int_not_equal(s.set.items[i].tensor, search_find(s.source, name));
}

static bool stop(void *ctx, const aq_progress_event *event) {
  (void)event;
  ++*(int *)ctx;
  return false;
}

static void caller_can_stop_each_step(void **state) {
  (void)state;
  bool changed;
  int calls = 0;
  const aq_run_options run = {.progress = stop, .progress_ctx = &calls};
  aq_progress progress;
  for (int step = 0; step < 3; step++) {
    s.candidate.progress = NULL;
    if (step > 0) assert_ok(aq_candidate_round(&s.candidate, LAMBDA, &err));
    aq_progress_begin(&progress, &run, "search", 0, 0);
    progress.last = 0; /* long ago: the caller is asked at once */
    s.candidate.progress = &progress;
    const aq_status status = step == 0   ? aq_candidate_round(&s.candidate, LAMBDA, &err)
                             : step == 1 ? aq_candidate_correct_biases(&s.candidate, &err)
                                         : aq_candidate_choose_rounding(&s.candidate, &changed, &err);
    assert_int_equal(status, AQ_ERR_INTERRUPTED);
    assert_int_equal(calls, step + 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(values_are_codes_times_steps, set_up, tear_down),
      cmocka_unit_test_setup_teardown(bits_cost_less_at_a_higher_lambda, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_same_lambda_gives_the_same_again, set_up, tear_down),
      cmocka_unit_test_setup_teardown(repair_measures_before_and_after_and_helps, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_a_rule_keeps_is_not_repaired, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_a_rule_quantizes_is_not_repaired, set_up, tear_down),
      cmocka_unit_test_setup_teardown(values_that_somebody_owns_stay_theirs, set_up, tear_down),
      cmocka_unit_test_setup_teardown(decisions_are_kept_by_what_is_made_next, set_up, tear_down),
      cmocka_unit_test_setup_teardown(plain_items_are_rounded_to_nearest, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_put_is_what_was_made, set_up, tear_down),
      cmocka_unit_test_setup_teardown(clearing_gives_the_base_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(base_has_what_rules_make_of_tensors, set_up, tear_down),
      cmocka_unit_test_setup_teardown(caller_can_stop_each_step, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
