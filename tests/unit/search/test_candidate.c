/* test_candidate.c - the matrices of an encoder at one lambda: codes, values, sizes, and what is decided about them. */
#include "calib/text_states.h"
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

/* To be freed. */
static float *values_of(const aq_candidate_item *item) {
  return search_values(&s.candidate.quantized, item->factors->tensor);
}

/* ---- making ---- */

static void values_are_codes_times_scales(void **state) {
  (void)state;
  size_t unused = 0;
  double bits = 0;
  assert_ok(search_round(&s, LAMBDA, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    const aq_encoded *e = &item->encoded;
    const size_t count = item->planned->rows * item->planned->cols;
    assert_int_equal(e->count, count);
    assert_int_equal(e->span_count * e->span_length, count);
    assert_true(item->planned->bits > 0);
    bits += item->planned->bits;
    if (item->factors == NULL) { /* the pooler: no codes are needed */
      unused++;
      assert_null(e->codes);
      continue;
    }
    const double counted = item->planned->bits;
    assert_ok(aq_search_item_count_bits(&s.problem, item->planned, e, AQ_ALL_WORKERS, &err));
    assert_true(item->planned->bits == counted); /* of these codes, not of what they were expected to be */
    float *values = values_of(item);
    for (size_t k = 0; k < count; k++) {
      assert_in_range(e->codes[k] + 128, aq_quant_min(e->type) + 128, aq_quant_max(e->type) + 128);
      assert_true(values[k] == (float)e->codes[k] * e->scales[k / e->span_length]);
    }
    free(values);
  }
  assert_int_equal(unused, 1);
  assert_true(aq_search_problem_bits(&s.problem) == bits);
}

static void bits_cost_less_at_a_higher_lambda(void **state) {
  (void)state;
  double last = 0;
  for (int i = 0; i < 3; i++) {
    assert_ok(search_round(&s, LAMBDA * (i == 0 ? 0.01 : i == 1 ? 1 : 100), &err));
    const double bits = aq_search_problem_bits(&s.problem);
    if (i > 0) assert_true(bits < 0.9 * last);
    last = bits;
  }
}

static void the_same_lambda_gives_the_same_again(void **state) {
  (void)state;
  assert_ok(search_round(&s, LAMBDA, &err));
  const double bits = aq_search_problem_bits(&s.problem);
  const aq_candidate_item *item = &s.candidate.items[0];
  const size_t count = item->planned->rows * item->planned->cols;
  int8_t *codes = malloc(count);
  memcpy(codes, item->encoded.codes, count);
  assert_ok(search_round(&s, LAMBDA * 9, &err));
  assert_memory_not_equal(codes, s.candidate.items[0].encoded.codes, count);
  assert_ok(search_round(&s, LAMBDA, &err));
  assert_true(aq_search_problem_bits(&s.problem) == bits);
  assert_memory_equal(codes, s.candidate.items[0].encoded.codes, count);
  free(codes);
}

/* ---- repair and similarity ---- */

static void repair_measures_before_and_after_and_helps(void **state) {
  (void)state;
  double measured;
  assert_ok(search_round(&s, LAMBDA * 30, &err));
  assert_ok(aq_calibration_similarity(s.calibration, &s.candidate.quantized, &s.calibration->held, &measured, &err));
  assert_ok(aq_candidate_adjust(&s.candidate, &err));
  assert_true(s.candidate.before_repair == measured);
  assert_ok(aq_calibration_similarity(s.calibration, &s.candidate.quantized, &s.calibration->held, &measured, &err));
  assert_true(s.candidate.similarity == measured);
  assert_true(s.candidate.similarity > s.candidate.before_repair);
  assert_true(s.candidate.similarity < 1);
}

/* Where the embeddings to be reached are those of before, every correction is for the worse. */
static void repair_that_does_not_help_is_not_taken(void **state) {
  (void)state;
  size_t count;
  const size_t norm = search_find(s.source, "embeddings.LayerNorm.bias");
  aq_evaluation_set *held = &s.calibration->held;
  assert_ok(search_round(&s, LAMBDA * 30, &err));
  assert_ok(aq_params_embed(&s.candidate.quantized, &held->texts, s.calibration->pool, held->reference, &err));
  assert_ok(aq_candidate_adjust(&s.candidate, &err));
  assert_true(s.candidate.similarity == s.candidate.before_repair && s.candidate.similarity > 0.999999);
  assert_memory_equal(aq_params_find(&s.candidate.quantized, norm, &count),
                      aq_params_find(&s.candidate.base, norm, &count), ONE_LAYER_WIDTH * sizeof(float));
}

/* The shifts of one norm are under a rule of `o`, those of another are not. */
static void expect_settled(const aq_quantize_options *o) {
  static const char name[] = "encoder.layer.0.output.LayerNorm.bias", other[] = "embeddings.LayerNorm.bias";
  tear_down(NULL);
  search_prepare(&s, o);
  size_t count;
  const size_t kept = search_find(s.source, name), changed = search_find(s.source, other);
  assert_ok(search_round(&s, LAMBDA * 30, &err));
  assert_ok(aq_candidate_adjust(&s.candidate, &err));
  assert_memory_equal(aq_params_find(&s.candidate.quantized, kept, &count),
                      aq_params_find(&s.candidate.base, kept, &count), ONE_LAYER_WIDTH * sizeof(float));
  const float *corrected = aq_params_find(&s.candidate.quantized, changed, &count);
  assert_ok(aq_candidate_finish(&s.candidate, "a test", &s.plan, s.encoded, &err));
  assert_null(s.encoded[kept].values);
  assert_false(s.plan.entries[kept].adjusted);
  assert_int_equal(s.encoded[changed].count, ONE_LAYER_WIDTH);
  assert_memory_equal(s.encoded[changed].values, corrected, ONE_LAYER_WIDTH * sizeof(float));
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

/* What the candidate hands over is what it was measured with, and the plan says it too. */
static void finished_tensors_are_those_of_the_candidate(void **state) {
  (void)state;
  float *values[16];
  assert_true(s.problem.count <= AQ_COUNT_OF(values));
  assert_ok(search_round(&s, LAMBDA, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    values[i] = item->factors != NULL ? values_of(item) : NULL;
  }
  assert_ok(aq_candidate_finish(&s.candidate, "a test", &s.plan, s.encoded, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    const aq_plan_entry *e = &s.plan.entries[item->planned->tensor];
    const aq_encoded *found = &s.encoded[item->planned->tensor];
    assert_non_null(e->scales);
    assert_non_null(strstr(e->rule, "a test; "));
    assert_int_equal(item->factors == NULL, found->codes == NULL); /* the pooler: the plan says all */
    if (found->codes != NULL) {
      float *decoded = aq_calloc((size_t)found->count, sizeof *decoded);
      aq_encoded_decode(found, decoded);
      assert_memory_equal(decoded, values[i], (size_t)found->count * sizeof *decoded);
      assert_int_equal(e->scheme.type, found->type);
      assert_memory_equal(e->scales, found->scales, (size_t)found->span_count * sizeof(float));
      aq_free(decoded);
    }
    assert_null(item->encoded.codes); /* moved */
    free(values[i]);
  }
}

static void what_is_finished_already_stays(void **state) {
  (void)state;
  const size_t tensor = search_find(s.source, "embeddings.LayerNorm.bias");
  float *const theirs = aq_calloc(ONE_LAYER_WIDTH, sizeof *theirs);
  s.encoded[tensor] = (aq_encoded){.count = ONE_LAYER_WIDTH, .codes = (int8_t *)aq_calloc(ONE_LAYER_WIDTH, 1)};
  s.encoded[tensor].scales = theirs;
  assert_ok(search_round(&s, LAMBDA * 30, &err));
  assert_ok(aq_candidate_adjust(&s.candidate, &err));
  assert_ok(aq_candidate_finish(&s.candidate, "a test", &s.plan, s.encoded, &err));
  assert_ptr_equal(s.encoded[tensor].scales, theirs);
  assert_null(s.encoded[tensor].values);
  assert_false(s.plan.entries[tensor].adjusted);
}

/* ---- deciding ---- */

/* Whether all weights have the code that is nearest to them, those that are cut off left out. */
static bool is_nearest(const aq_candidate_item *item) {
  const aq_encoded *e = &item->encoded;
  float *w = search_weights(&s, item), *values = values_of(item);
  bool nearest = true;
  const int32_t least = aq_quant_min(e->type), most = aq_quant_max(e->type);
  for (size_t k = 0; k < e->count; k++) {
    const bool inside = e->codes[k] > least && e->codes[k] < most;
    nearest = nearest && (!inside || fabsf(values[k] - w[k]) <= 0.5001F * e->scales[k / e->span_length]);
  }
  free(w);
  free(values);
  return nearest;
}

static void items_are_rounded_as_is_decided(void **state) {
  (void)state;
  assert_ok(search_round(&s, LAMBDA, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    aq_candidate_item *item = &s.candidate.items[i];
    if (item->factors == NULL) continue;
    if (item->factors->input_l.n > 0) assert_false(is_nearest(item));
    item->to_nearest = i % 2 == 0;
  }
  assert_ok(search_round(&s, LAMBDA, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    if (item->factors == NULL) continue;
    assert_int_equal(item->to_nearest, i % 2 == 0);
    if (item->to_nearest) assert_true(is_nearest(item));
    if (!item->to_nearest && item->factors->input_l.n > 0) assert_false(is_nearest(item));
  }
}

/* ---- putting ---- */

/* What was made is put into an empty one: the same values, bits and similarity come of it. */
static aq_encoded copy_of(const aq_encoded *e) {
  aq_encoded copy = *e;
  copy.scales = aq_calloc((size_t)e->span_count, sizeof *copy.scales);
  copy.codes = aq_calloc((size_t)e->count, 1);
  memcpy(copy.scales, e->scales, (size_t)e->span_count * sizeof *copy.scales);
  if (e->codes != NULL) memcpy(copy.codes, e->codes, (size_t)e->count);
  return copy;
}

static void what_is_put_is_what_was_made(void **state) {
  (void)state;
  search_state other;
  assert_ok(search_round(&s, LAMBDA, &err));
  search_prepare(&other, search_options(4));
  assert_ok(aq_candidate_clear(&other.candidate, &err));
  for (size_t i = 0; i < s.problem.count; i++) {
    const aq_candidate_item *item = &s.candidate.items[i];
    aq_encoded copy = copy_of(&item->encoded);
    assert_ok(aq_candidate_set_item(&other.candidate, i, &copy, &err));
    assert_null(copy.scales); /* taken over */
    if (item->factors == NULL) continue;
    float *values = values_of(item), *others = search_values(&other.candidate.quantized, item->factors->tensor);
    assert_memory_equal(values, others, (size_t)item->encoded.count * sizeof(float));
    free(values);
    free(others);
    assert_true(other.problem.items[i].bits == item->planned->bits);
  }
  double similarity;
  assert_ok(aq_calibration_similarity(s.calibration, &s.candidate.quantized, &s.calibration->held, &similarity, &err));
  assert_ok(aq_candidate_measure(&other.candidate, &err));
  assert_true(other.candidate.similarity == similarity);
  search_end(&other);
}

static void clearing_gives_the_base_back(void **state) {
  (void)state;
  assert_ok(search_round(&s, LAMBDA * 30, &err));
  assert_ok(aq_candidate_clear(&s.candidate, &err));
  for (uint32_t i = 0; i < s.candidate.base.model->weight_count; i++) {
    const aq_weight *w = &s.candidate.base.model->weights[i];
    float *now = search_values(&s.candidate.quantized, w->tensor), *base = search_values(&s.candidate.base, w->tensor);
    assert_memory_equal(now, base, aq_weight_floats(w) * sizeof(float));
    free(now);
    free(base);
  }
  for (size_t i = 0; i < s.problem.count; i++) {
    assert_null(s.candidate.items[i].encoded.codes);
    assert_null(s.candidate.items[i].encoded.scales);
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
  const size_t tensor = search_find(s.source, name), count = (size_t)s.source->tensors[tensor].num_params;
  float *base = search_values(&s.candidate.base, tensor), *original = search_values(&s.calibration->original, tensor);
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
  free(base);
  free(original);
  for (size_t i = 0; i < s.problem.count; i++)
    assert_int_not_equal(s.problem.items[i].tensor, search_find(s.source, name));
}

static bool stop(void *ctx, const aq_progress_event *event) {
  (void)event;
  ++*(int *)ctx;
  return false;
}

static void caller_can_stop_each_step(void **state) {
  (void)state;
  int calls = 0;
  const aq_run_options run = {.progress = stop, .progress_ctx = &calls};
  aq_progress progress;
  for (int step = 0; step < 2; step++) {
    s.candidate.progress = NULL;
    if (step > 0) assert_ok(search_round(&s, LAMBDA, &err));
    aq_progress_begin(&progress, &run, "search", 0, 0);
    progress.last = 0; /* long ago: the caller is asked at once */
    s.candidate.progress = &progress;
    const aq_status status = step == 0 ? search_round(&s, LAMBDA, &err) : aq_candidate_adjust(&s.candidate, &err);
    assert_int_equal(status, AQ_ERR_INTERRUPTED);
    assert_int_equal(calls, step + 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(values_are_codes_times_scales, set_up, tear_down),
      cmocka_unit_test_setup_teardown(bits_cost_less_at_a_higher_lambda, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_same_lambda_gives_the_same_again, set_up, tear_down),
      cmocka_unit_test_setup_teardown(repair_measures_before_and_after_and_helps, set_up, tear_down),
      cmocka_unit_test_setup_teardown(repair_that_does_not_help_is_not_taken, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_a_rule_keeps_is_not_repaired, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_a_rule_quantizes_is_not_repaired, set_up, tear_down),
      cmocka_unit_test_setup_teardown(finished_tensors_are_those_of_the_candidate, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_finished_already_stays, set_up, tear_down),
      cmocka_unit_test_setup_teardown(items_are_rounded_as_is_decided, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_put_is_what_was_made, set_up, tear_down),
      cmocka_unit_test_setup_teardown(clearing_gives_the_base_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(base_has_what_rules_make_of_tensors, set_up, tear_down),
      cmocka_unit_test_setup_teardown(caller_can_stop_each_step, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
