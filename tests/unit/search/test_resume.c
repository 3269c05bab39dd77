/* test_resume.c - a table of an earlier run as the beginning of another. */
#include "core/memory.h"
#include "search/resume.h"
#include "search_fixture.h"

#define LAMBDA 1e-6

static aq_error err;
static search_state first;

/* Writes what `first` holds as a table, the way a quantization does. It has no codes afterwards. */
static void write_table(search_state *from, const char *path) {
  aq_table_options table = {.force = true};
  aq_run_options run = {.threads = 1};
  assert_ok(aq_candidate_finish(&from->candidate, "a test", &from->plan, from->encoded, &err));
  assert_ok(aq_plan_share_ties(&from->plan, &err));
  table_write(from->source, &from->plan, from->encoded, path, &table, &run);
}

static int set_up(void **state) {
  (void)state;
  search_prepare(&first, search_options(4));
  assert_ok(search_round(&first, LAMBDA, &err));
  assert_ok(aq_candidate_adjust(&first.candidate, &err));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  search_end(&first);
  return 0;
}

static aq_status try_start(const aq_quantize_options *o, const char *path) {
  search_state second;
  search_prepare(&second, o);
  const aq_status status = aq_resume_from_table(path, &o->run, &second.candidate, &err);
  if (status != AQ_OK) assert_non_null(strstr(err.file, path));
  search_end(&second);
  return status;
}

/* ---- what is taken ---- */

/* Of a candidate at a lambda, with this type among its codes. */
static void expect_back(double lambda, aq_quant_type type) {
  search_state second;
  size_t of_type = 0;
  assert_ok(search_round(&first, lambda, &err));
  assert_ok(aq_candidate_adjust(&first.candidate, &err));
  write_table(&first, sf.table);
  search_prepare(&second, search_options(4));
  second.problem.lambda = 1; /* of a search before */
  assert_ok(aq_resume_from_table(sf.table, &sf.options.run, &second.candidate, &err));
  for (size_t i = 0; i < first.problem.count; i++) {
    const aq_encoded *a = &first.encoded[first.problem.items[i].tensor], *b = &second.candidate.items[i].encoded;
    const aq_plan_entry *e = &first.plan.entries[first.problem.items[i].tensor];
    assert_int_equal(b->type, e->scheme.type);
    of_type += a->codes != NULL && b->type == type ? 1 : 0;
    assert_int_equal(b->group_size, e->group_size);
    assert_int_equal(b->span_length, e->span_length);
    assert_int_equal(b->span_count, e->scale_count);
    assert_memory_equal(b->scales, e->scales, e->scale_count * sizeof(float));
    if (a->codes != NULL) assert_memory_equal(a->codes, b->codes, a->count);
  }
  /* All of it, the vectors that repair adjusted among it. */
  assert_memory_equal(first.candidate.quantized.memory, second.candidate.quantized.memory,
                      first.candidate.quantized.count * sizeof(float));
  assert_true(second.candidate.similarity == first.candidate.similarity);
  assert_true(second.candidate.before_repair == first.candidate.similarity);
  assert_true(fabs(aq_search_problem_bits(&second.problem) - aq_search_problem_bits(&first.problem)) < 1);
  assert_true(second.problem.lambda == 0); /* nobody knows it */
  assert_true(of_type > 0);
  search_end(&second);
}

static void codes_scales_and_adjusted_vectors_come_back(void **state) {
  (void)state;
  expect_back(LAMBDA, AQ_INT8);
  tear_down(NULL);
  set_up(NULL);
  expect_back(LAMBDA * 300, AQ_INT4);
}

static void vectors_that_a_rule_keeps_are_not_taken(void **state) {
  (void)state;
  static const char name[] = "encoder.layer.0.output.LayerNorm.bias";
  aq_quantize_options o = *search_options(4);
  search_state second;
  size_t count;
  write_table(&first, sf.table);
  o.keep_patterns = (const char *const[]){name};
  o.keep_pattern_count = 1;
  search_prepare(&second, &o);
  const size_t tensor = search_find(second.source, name);
  assert_ok(aq_resume_from_table(sf.table, &o.run, &second.candidate, &err));
  const float *now = aq_params_find(&second.candidate.quantized, tensor, &count);
  assert_memory_equal(now, aq_params_find(&second.calibration->original, tensor, &count), count * sizeof *now);
  assert_memory_not_equal(now, aq_params_find(&first.candidate.quantized, tensor, &count), count * sizeof *now);
  search_end(&second);
}

/* ---- what is refused ---- */

/* Makes a table of the model in the folder with other options, data-free. */
static void quantize_plainly(const char *model, const char *type, const char *granularity, bool symmetric,
                             const char *rule) {
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.search = &no_search_options;
  o.type = type;
  o.granularity = granularity;
  o.symmetry = symmetric ? AQ_SYMMETRIC : AQ_ASYMMETRIC;
  o.table.force = true;
  o.tensor_rules = &rule;
  o.tensor_rule_count = rule != NULL ? 1 : 0;
  assert_ok(aq_quantize(model, sf.table, &o, NULL, &err));
}

static void a_table_of_another_model_is_refused(void **state) {
  (void)state;
  aq_source *changed = search_source();
  const float *other = aq_calloc(ONE_LAYER_WIDTH, sizeof *other);
  aq_source *copy = make_source();
  for (size_t i = 0; i < aq_source_tensor_count(changed); i++) {
    const aq_tensor_info *t = aq_source_tensor(changed, i);
    aq_tensor loaded;
    assert_ok(aq_source_load(changed, i, &loaded, &err));
    assert_ok(aq_source_add(copy, t, i == 3 ? (const void *)other : loaded.data, &err));
    aq_tensor_release(&loaded);
  }
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.search = &no_search_options;
  o.table.force = true;
  assert_ok(aq_quantize_source(copy, sf.table, &o, NULL, &err));
  assert_int_equal(try_start(search_options(4), sf.table), AQ_ERR_NO_MATCH);
  assert_non_null(strstr(err.message, "is no table of this model"));
  aq_source_close(copy);
  aq_source_close(changed);
  aq_free((void *)(uintptr_t)other);
}

static void tables_that_no_target_made_are_refused(void **state) {
  (void)state;
  static const char *const kept[] = {"embeddings.*"};
  static const char query[] = "encoder.layer.0.attention.self.query.weight=keep";
  static const struct {
    const char *type, *granularity;
    bool symmetric;
    const char *rule, *says;
  } cases[] = {
      {"int4", "channel", false, NULL, "has zero points"},
      {"int8", "tensor", true, NULL, "has other groups"},
      {"int8", "channel", true, NULL, "has scales that no target gives"},
      {"fp16", NULL, true, NULL, "is not quantized"},
      {"int4", "channel", false, query, "is not quantized"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    quantize_plainly(sf.model, cases[i].type, cases[i].granularity, cases[i].symmetric, cases[i].rule);
    /* The rule says nothing of the tensor that comes first. */
    aq_quantize_options o = *search_options(4);
    if (cases[i].rule != NULL) {
      o.keep_patterns = kept;
      o.keep_pattern_count = 1;
    }
    assert_int_equal(try_start(&o, sf.table), AQ_ERR_ARGUMENT);
    if (strstr(err.message, cases[i].says) == NULL) fail_msg("case %zu: %s", i, err.message);
    assert_true(err.tensor[0] != '\0');
  }
}

static void a_tensor_that_is_planned_now_must_be_in_codes(void **state) {
  (void)state;
  static const char rule[] = "embeddings.word_embeddings.weight=keep";
  aq_quantize_options o = *search_options(4);
  o.tensor_rules = (const char *const[]){rule};
  o.tensor_rule_count = 1;
  tear_down(NULL);
  search_prepare(&first, &o); /* keeps it */
  assert_ok(search_round(&first, LAMBDA, &err));
  write_table(&first, sf.table);
  assert_int_equal(try_start(search_options(4), sf.table), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.tensor, "word_embeddings"));
}

/* A scale so large that a code times it is infinite. */
static void scales_that_go_beyond_fp32_are_refused(void **state) {
  (void)state;
  first.candidate.items[0].encoded.scales[0] = 0x1p127F;
  write_table(&first, sf.table);
  assert_int_equal(try_start(search_options(4), sf.table), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "has scales that no target gives"));
}

static void a_file_that_is_missing_is_told(void **state) {
  (void)state;
  char path[600];
  (void)snprintf(path, sizeof path, "%s/none", sf.folder);
  assert_int_equal(try_start(search_options(4), path), AQ_ERR_NOT_FOUND);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(codes_scales_and_adjusted_vectors_come_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(vectors_that_a_rule_keeps_are_not_taken, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_table_of_another_model_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(tables_that_no_target_made_are_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_tensor_that_is_planned_now_must_be_in_codes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(scales_that_go_beyond_fp32_are_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_file_that_is_missing_is_told, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
