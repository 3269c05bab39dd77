/* test_exclude.c - tensors that a search or calibration leaves as they are, settled before it begins. */
#include <math.h>
#include <sys/stat.h>

#include "core/error.h"
#include "search_fixture.h"

static aq_error err;

/* Everything that can be is open, vectors too. */
static aq_plan spared_plan(search_state *s) {
  aq_quantize_options *o = search_options(4);
  o->quantize_1d = true;
  *s = search_begin(o);
  assert_ok(aq_exclude_vectors(s->source, &s->calibration->model, &s->plan, &err));
  return s->plan;
}

static void vectors_and_token_types_of_the_encoder_are_kept(void **state) {
  (void)state;
  search_state s;
  const aq_plan plan = spared_plan(&s);
  for (size_t i = 0; i < plan.count; i++) {
    const char *name = plan.entries[i].name;
    const bool types = strstr(name, "token_type") != NULL;
    const bool spared = types || (s.source->tensors[i].rank == 1 && strstr(name, "pooler") == NULL);
    assert_int_equal(plan.entries[i].action, spared ? AQ_KEEP : AQ_QUANTIZE);
    assert_int_equal(plan.entries[i].kept_by_default, spared);
    if (spared) assert_non_null(strstr(plan.entries[i].rule, types ? "token types" : "vector of the encoder"));
  }
  search_end(&s);
}

static void what_a_rule_decides_stays_decided(void **state) {
  (void)state;
  static const char bias[] = "encoder.layer.0.output.dense.bias", norm[] = "embeddings.LayerNorm.weight";
  aq_quantize_options o = *search_options(4);
  o.tensor_rules = (const char *const[]){"encoder.layer.0.output.dense.bias=int8"};
  o.tensor_rule_count = 1;
  o.keep_patterns = (const char *const[]){norm};
  o.keep_pattern_count = 1;
  search_state s = search_begin(&o);
  assert_ok(aq_exclude_vectors(s.source, &s.calibration->model, &s.plan, &err));
  assert_int_equal(s.plan.entries[search_find(s.source, bias)].action, AQ_QUANTIZE);
  const aq_plan_entry *kept = &s.plan.entries[search_find(s.source, norm)];
  assert_int_equal(kept->action, AQ_KEEP);
  assert_false(kept->kept_by_default);
  search_end(&s);
}

/* Vectors of one value are often the same bytes; one of them is adjusted apart from the others. Counts those that have
 * no place of their own afterwards. */
static size_t count_tied_gains(const aq_quantize_options *o) {
  static float ones[ONE_LAYER_WIDTH];
  aq_source *model = search_source(), *source = make_source();
  for (size_t i = 0; i < ONE_LAYER_WIDTH; i++) ones[i] = 1;
  for (size_t i = 0; i < aq_source_tensor_count(model); i++) {
    const aq_tensor_info *t = aq_source_tensor(model, i);
    const bool gain = strstr(t->name, "LayerNorm.weight") != NULL;
    aq_tensor loaded;
    assert_ok(aq_source_load(model, i, &loaded, &err));
    assert_ok(aq_source_add(source, t, gain ? ones : loaded.data, &err));
    aq_tensor_release(&loaded);
  }
  assert_ok(aq_source_set_metadata(source, "arrowquant.file.config.json", one_layer_config(SEARCH_POSITIONS), &err));
  const int32_t first = (int32_t)search_find(source, "embeddings.LayerNorm.weight");
  for (size_t i = (size_t)first + 1; i < source->tensor_count; i++) { /* shorter than what is looked for */
    if (strstr(source->tensors[i].name, "LayerNorm.weight") != NULL) source->tensors[i].alias_of = first;
  }
  aq_model described;
  assert_ok(aq_model_open(source, NULL, &described, &err));
  aq_plan plan = make_plan(source, o);
  size_t tied = 0, left = 0;
  for (size_t i = 0; i < source->tensor_count; i++) tied += source->tensors[i].alias_of == first ? 1 : 0;
  assert_int_equal(tied, 2);
  assert_ok(aq_exclude_vectors(source, &described, &plan, &err));
  for (size_t i = 0; i < source->tensor_count; i++) {
    assert_int_equal(plan.entries[i].tied, source->tensors[i].alias_of != -1);
    left += plan.entries[i].tied ? 1 : 0;
  }
  aq_plan_reset(&plan);
  aq_model_reset(&described);
  aq_source_close(source);
  aq_source_close(model);
  return left;
}

static void vectors_of_the_same_bytes_get_places_of_their_own(void **state) {
  (void)state;
  aq_quantize_options o = *search_options(4);
  assert_int_equal(count_tied_gains(&o), 0);
  o.tensor_rule_count = 1;
  o.tensor_rules = (const char *const[]){"*LayerNorm.weight=fp16"};
  assert_int_equal(count_tied_gains(&o), 0);
  o.tensor_rules = (const char *const[]){"*LayerNorm.weight=int8"}; /* which is not adjusted */
  assert_int_equal(count_tied_gains(&o), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vectors_and_token_types_of_the_encoder_are_kept),
      cmocka_unit_test(what_a_rule_decides_stays_decided),
      cmocka_unit_test(vectors_of_the_same_bytes_get_places_of_their_own),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
