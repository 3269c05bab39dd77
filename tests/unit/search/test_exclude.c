/* test_exclude.c - tensors that a search or calibration leaves as they are, settled before it begins. */
#include <math.h>
#include <sys/stat.h>

#include "core/error.h"
#include "search_fixture.h"

static aq_error err;

/* ---- values that are not finite ---- */

/* More values than are read at a time. */
#define LONG_ROWS 600
#define LONG_COLUMNS 1024

static struct {
  aq_source *source;
  float *values[4];
  aq_plan plan;
} nf;

static const char *const names[] = {"first.weight", "kept.weight", "long.weight", "tied.weight"};

static int set_up(void **state) {
  (void)state;
  aq_quantize_options o = plan_options("int4", NULL, 0, NULL);
  o.keep_patterns = (const char *const[]){"kept.weight"};
  o.keep_pattern_count = 1;
  nf.source = make_source();
  for (size_t i = 0; i < 4; i++) {
    const int64_t rows = i == 2 ? LONG_ROWS : 40, columns = i == 2 ? LONG_COLUMNS : 32;
    nf.values[i] = i == 3 ? nf.values[0] : malloc((size_t)(rows * columns) * sizeof(float));
    if (i < 3) fill_noise(nf.values[i], (size_t)(rows * columns), (uint32_t)i);
    add_f32(nf.source, names[i], rows, columns, nf.values[i]);
  }
  assert_ok(aq_source_find_aliases(nf.source, &err));
  assert_int_equal(nf.source->tensors[3].alias_of, 0);
  nf.plan = make_plan(nf.source, &o);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  aq_plan_reset(&nf.plan);
  aq_source_close(nf.source);
  for (size_t i = 0; i < 3; i++) free(nf.values[i]);
  return 0;
}

static void finite_values_change_nothing(void **state) {
  (void)state;
  for (uint32_t threads = 1; threads < 4; threads++) {
    assert_ok(aq_exclude_nonfinite(nf.source, AQ_NONFINITE_REFUSE, threads, &nf.plan, &err));
    assert_ok(aq_exclude_nonfinite(nf.source, AQ_NONFINITE_KEEP, threads, &nf.plan, &err));
    for (size_t i = 0; i < 4; i++) assert_int_equal(nf.plan.entries[i].action, i == 1 ? AQ_KEEP : AQ_QUANTIZE);
  }
}

static void what_is_kept_may_hold_anything(void **state) {
  (void)state;
  nf.values[1][0] = NAN;
  assert_ok(aq_exclude_nonfinite(nf.source, AQ_NONFINITE_REFUSE, 2, &nf.plan, &err));
}

static void the_first_such_value_is_named_with_what_to_do(void **state) {
  (void)state;
  nf.values[2][500 * LONG_COLUMNS + 9] = INFINITY;
  nf.values[2][501 * LONG_COLUMNS] = NAN;
  assert_int_equal(aq_exclude_nonfinite(nf.source, AQ_NONFINITE_REFUSE, 2, &nf.plan, &err), AQ_ERR_NONFINITE);
  assert_string_equal(err.tensor, "long.weight");
  assert_non_null(strstr(err.message, "[500, 9] is infinite"));
  assert_non_null(strstr(err.hint, "`nonfinite=keep`"));
  nf.values[0][33] = NAN; /* of a tensor before it */
  assert_int_equal(aq_exclude_nonfinite(nf.source, AQ_NONFINITE_REFUSE, 2, &nf.plan, &err), AQ_ERR_NONFINITE);
  assert_string_equal(err.tensor, "first.weight");
  assert_non_null(strstr(err.message, "[1, 1] is NaN"));
}

static void such_tensors_are_kept_with_those_tied_to_them(void **state) {
  (void)state;
  nf.values[0][7] = NAN;
  assert_ok(aq_exclude_nonfinite(nf.source, AQ_NONFINITE_KEEP, 2, &nf.plan, &err));
  for (size_t i = 0; i < 4; i++) assert_int_equal(nf.plan.entries[i].action, i == 2 ? AQ_QUANTIZE : AQ_KEEP);
  assert_non_null(strstr(nf.plan.entries[0].rule, "finite"));
}

static void hints_are_for_such_values_alone(void **state) {
  (void)state;
  aq_error_clear(&err);
  assert_int_equal(aq_hint_keep(AQ_OK, &err), AQ_OK);
  assert_int_equal(aq_hint_keep(AQ_ERR_IO, &err), AQ_ERR_IO);
  assert_string_equal(err.hint, "");
  assert_int_equal(aq_hint_keep(AQ_ERR_NONFINITE, &err), AQ_ERR_NONFINITE);
  assert_non_null(strstr(err.hint, "`keep_patterns`"));
}

/* ---- vectors of an encoder ---- */

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
      cmocka_unit_test_setup_teardown(finite_values_change_nothing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_kept_may_hold_anything, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_first_such_value_is_named_with_what_to_do, set_up, tear_down),
      cmocka_unit_test_setup_teardown(such_tensors_are_kept_with_those_tied_to_them, set_up, tear_down),
      cmocka_unit_test(hints_are_for_such_values_alone),
      cmocka_unit_test(vectors_and_token_types_of_the_encoder_are_kept),
      cmocka_unit_test(what_a_rule_decides_stays_decided),
      cmocka_unit_test(vectors_of_the_same_bytes_get_places_of_their_own),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
