/* test_backends.c - which backend a search has, and what each of them promises. */
#include "core/memory.h"
#include "problem_fixture.h"
#include "search/bit_allocation.h"

static aq_error err;

static aq_search_backend *open_backend(aq_source *source, const aq_quantize_options *o, bool texts) {
  aq_search_backend *backend;
  assert_ok(aq_search_backend_open(source, o, texts, NULL, &backend, &err));
  assert_non_null(backend->pool);
  return backend;
}

static bool runs_the_model(const aq_search_backend *backend) { return backend->ops->confirm != NULL; }

/* ---- which ---- */

static void a_model_is_run_where_it_can_be_unless_options_say_no(void **state) {
  (void)state;
  static const struct {
    bool texts, named, none, runs;
  } cases[] = {
      {true, true, false, true}, {false, true, false, true}, {true, false, true, false}, {false, false, false, false}};
  aq_source *source = search_source();
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_quantize_options o = *search_options(4);
    o.calib = cases[i].none ? "none" : cases[i].named ? sf.texts : NULL;
    aq_search_backend *backend = open_backend(source, &o, cases[i].texts);
    if (runs_the_model(backend) != cases[i].runs) fail_msg("case %zu", i);
    assert_null(backend->why_not_run); /* it is, or nobody wants it */
    assert_int_equal(backend->ops->add_input_moments != NULL, cases[i].runs);
    aq_search_backend_free(backend);
  }
  aq_search_backend_free(NULL);
  aq_source_close(source);
}

static void a_model_that_cannot_be_run_says_why(void **state) {
  (void)state;
  aq_quantize_options o = *search_options(4);
  o.calib = NULL;
  aq_search_backend *backend = open_backend(pf.source, &o, true);
  assert_false(runs_the_model(backend));
  assert_non_null(strstr(backend->why_not_run, "config.json"));
  aq_search_backend_free(backend);
  o.calib = sf.texts; /* who names texts wants it to be run */
  assert_int_equal(aq_search_backend_open(pf.source, &o, true, NULL, &backend, &err), AQ_ERR_NOT_FOUND);
}

/* The search that a model with this config.json in the place of its own has. */
static aq_status search_with_config(const char *config, const char *calib) {
  aq_quantize_options o = *search_options(8);
  o.calib = calib;
  aq_source *model = search_source(), *source = make_source();
  for (size_t i = 0; i < aq_source_tensor_count(model); i++) {
    aq_tensor loaded;
    assert_ok(aq_source_load(model, i, &loaded, &err));
    assert_ok(aq_source_add(source, aq_source_tensor(model, i), loaded.data, &err));
    aq_tensor_release(&loaded);
  }
  assert_ok(aq_source_set_metadata(source, "arrowquant.file.config.json", config, &err));
  assert_ok(aq_source_set_metadata(source, "arrowquant.file.vocab.txt", one_layer_vocabulary, &err));
  aq_plan plan = make_plan(source, &o);
  aq_bit_allocation found = {0};
  aq_status status = aq_bit_allocation_open(source, &o, true, NULL, &found, &err);
  if (status == AQ_OK) status = aq_bit_allocation_run(source, &o, &plan, &found, &err);
  aq_bit_allocation_reset(&found);
  aq_plan_reset(&plan);
  aq_source_close(source);
  aq_source_close(model);
  return status;
}

/* What the model is cannot be known then, and a search by the tensors alone would be another than the one that is
 * meant. Who asks for that search gets it when all that it reads is whole. */
static void damaged_configurations_are_errors(void **state) {
  (void)state;
  static const struct {
    const char *config;
    aq_status data_free;
  } cases[] = {{"", AQ_ERR_FORMAT},
               {"{", AQ_ERR_FORMAT},
               {"[]", AQ_ERR_FORMAT},
               {"{\"model_type\":\"bert\",}", AQ_ERR_FORMAT},
               {"{\"model_type\":\"bert\",\"hidden_size\":\"32\"}", AQ_OK},
               {"{\"model_type\":\"bert\",\"hidden_size\":32}", AQ_OK}};
  assert_ok(search_with_config(one_layer_config(SEARCH_POSITIONS), NULL)); /* that is not damaged */
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    const aq_status by_default = search_with_config(cases[i].config, NULL);
    if (by_default != AQ_ERR_FORMAT) fail_msg("case %zu: status %d", i, (int)by_default);
    assert_non_null(strstr(err.file, "config.json"));
    const aq_status data_free = search_with_config(cases[i].config, "none");
    if (data_free != cases[i].data_free) fail_msg("case %zu, data-free: status %d", i, (int)data_free);
  }
}

/* ---- what they promise ---- */

/* Both: bits of the candidate are the items', a higher lambda has fewer, and the plan says the candidate afterwards. */
static void candidates_become_the_plan(void **state) {
  (void)state;
  for (int texts = 0; texts < 2; texts++) {
    aq_source *source = search_source();
    aq_quantize_options o = *search_options(4);
    if (texts == 0) o.calib = "none";
    aq_plan plan = make_plan(source, &o);
    aq_search_problem problem = {.count = 0};
    aq_encoded encoded[64] = {{.count = 0}};
    aq_search_backend *backend = open_backend(source, &o, true);
    const aq_search_setup setup = {.source = source, .options = &o, .plan = &plan, .encoded = encoded};
    assert_ok(backend->ops->begin(backend, &setup, &problem, &err));
    assert_int_equal(problem.count, texts == 0 ? ONE_LAYER_MATRICES : ONE_LAYER_MATRICES - 1);
    double bits[2];
    for (int i = 0; i < 2; i++) {
      problem.lambda = (texts == 0 ? 1e-4 : 1e-7) * (i == 0 ? 30 : 1);
      assert_ok(backend->ops->make_candidate(backend, &err));
      bits[i] = aq_search_problem_bits(&problem);
    }
    assert_true(bits[0] < bits[1]);
    json_t *report = json_object();
    assert_ok(backend->ops->report(backend, report, &err));
    assert_int_equal(json_is_true(json_object_get(report, "model_was_run")), texts);
    json_decref(report);
    assert_ok(backend->ops->finish(backend, "a test", encoded, &err));
    for (size_t i = 0; i < problem.count; i++) {
      const aq_plan_entry *e = &plan.entries[problem.items[i].tensor];
      assert_non_null(e->scales);
      assert_true(e->bits == problem.items[i].bits / (double)source->tensors[problem.items[i].tensor].num_params);
      assert_int_equal(e->loss > 0, problem.items[i].loss_is_similarity);
      if (texts == 0) assert_int_equal(encoded[problem.items[i].tensor].count, 0);
    }
    for (size_t i = 0; i < source->tensor_count; i++) aq_encoded_reset(&encoded[i]);
    aq_search_backend_free(backend);
    aq_search_problem_reset(&problem);
    aq_plan_reset(&plan);
    aq_source_close(source);
  }
}

/* Of inputs of layers, for gptq: those of all that share the tensor. */
static bool adds_moments(const aq_search_backend *backend, const aq_source *source, size_t tensor, float *moments) {
  bool known;
  assert_ok(backend->ops->add_input_moments(backend, source, tensor, moments, &known, &err));
  return known;
}

static void moments_are_those_of_all_layers_that_have_the_tensor(void **state) {
  (void)state;
  enum { N = ONE_LAYER_WIDTH * ONE_LAYER_WIDTH };
  aq_source *source = search_source();
  aq_search_backend *backend = open_backend(source, search_options(4), true);
  const size_t query = search_find(source, "encoder.layer.0.attention.self.query.weight"),
               output = search_find(source, "encoder.layer.0.attention.output.dense.weight");
  float one[N] = {0}, other[N] = {0}, both[N] = {0}, none[N] = {0};
  assert_true(adds_moments(backend, source, query, one));
  assert_true(adds_moments(backend, source, output, other));
  assert_false(adds_moments(backend, source, search_find(source, search_pooler), none));
  source->tensors[output].alias_of = (int32_t)query;
  assert_true(adds_moments(backend, source, query, both));
  for (size_t i = 0; i < N; i++) {
    assert_true(none[i] == 0);
    assert_true(both[i] == one[i] + other[i]);
  }
  assert_memory_not_equal(one, other, sizeof one);
  source->tensors[output].alias_of = -1;
  aq_search_backend_free(backend);
  aq_source_close(source);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_model_is_run_where_it_can_be_unless_options_say_no),
      cmocka_unit_test_setup_teardown(a_model_that_cannot_be_run_says_why, problem_set_up, problem_tear_down),
      cmocka_unit_test(damaged_configurations_are_errors),
      cmocka_unit_test(candidates_become_the_plan),
      cmocka_unit_test(moments_are_those_of_all_layers_that_have_the_tensor),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
