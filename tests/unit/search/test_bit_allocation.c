/* test_bit_allocation.c - the search for type, granularity and scales that a target asks for. */
#include <sys/stat.h>

#include "core/memory.h"
#include "search/bit_allocation.h"
#include "search_fixture.h"

static aq_error err;

typedef struct search {
  aq_source *source;
  aq_plan plan;
  aq_bit_allocation found;
} search;

static aq_status try_search(search *s, const aq_quantize_options *o) {
  *s = (search){.source = search_source()};
  s->plan = make_plan(s->source, o);
  aq_status status = aq_bit_allocation_open(s->source, o, true, NULL, &s->found, &err);
  if (status == AQ_OK) status = aq_bit_allocation_run(s->source, o, &s->plan, &s->found, &err);
  return status;
}

static void end_search(search *s) {
  aq_bit_allocation_reset(&s->found);
  aq_plan_reset(&s->plan);
  aq_source_close(s->source);
}

/* Data-free. */
static aq_quantize_options free_options(double bits) {
  aq_quantize_options o = *search_options(bits);
  o.calib = "none";
  return o;
}

/* Writes the table of what was found. */
static aq_source *write_found(search *s, const aq_quantize_options *o) {
  aq_table_options table = o->table;
  table.force = true;
  aq_source *written;
  table_write(s->source, &s->plan, s->found.encoded, sf.table, &table, &o->run);
  assert_ok(aq_source_open(sf.table, NULL, &written, &err));
  return written;
}

static double bits_of(const aq_source *table) {
  uint64_t bytes = 0, params = 0;
  for (size_t i = 0; i < aq_source_tensor_count(table); i++) {
    const aq_tensor_info *t = aq_source_tensor(table, i);
    if (t->quant_type == AQ_KEPT || t->alias_of >= 0) continue;
    bytes += t->stored_bytes;
    params += t->num_params;
  }
  return 8.0 * (double)bytes / (double)params;
}

static json_t *reported(const search *s, const char *key) { return json_object_get(s->found.report, key); }

/* ---- targets ---- */

static void entries_of_type_auto_ask_for_a_search(void **state) {
  (void)state;
  aq_source *source = search_source();
  aq_quantize_options o = free_options(4);
  aq_plan plan = make_plan(source, &o);
  assert_true(aq_bit_allocation_is_wanted(&plan));
  aq_plan_reset(&plan);
  o.type = "int4";
  o.target_bpw = 0;
  plan = make_plan(source, &o);
  assert_false(aq_bit_allocation_is_wanted(&plan));
  aq_plan_reset(&plan);
  aq_source_close(source);
}

/* With texts and without, of every codec: as many bits as were allowed and little less. */
static void bits_a_weight_are_kept_and_used(void **state) {
  (void)state;
  static const struct {
    double bits, least;
    bool texts;
    const char *codec;
  } cases[] = {{5, .93, false, NULL}, {6, .93, false, "brotli"}, {9, .8, false, "none"},
               {5, .93, true, NULL},  {6, .93, true, "brotli"},  {7, .9, true, "zstd:1"}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    search s;
    aq_quantize_options o = cases[i].texts ? *search_options(cases[i].bits) : free_options(cases[i].bits);
    o.table.codec = cases[i].codec;
    assert_ok(try_search(&s, &o));
    assert_false(aq_bit_allocation_is_wanted(&s.plan));
    aq_source *table = write_found(&s, &o);
    const double bits = bits_of(table);
    if (bits > cases[i].bits || bits < cases[i].least * cases[i].bits) fail_msg("case %zu: %g bits", i, bits);
    assert_int_equal(json_is_true(reported(&s, "model_was_run")), cases[i].texts);
    const double expected = (double)json_integer_value(reported(&s, "expected_bytes"));
    double stored = 0;
    for (size_t k = 0; k < s.found.problem.count; k++) {
      const char *name = s.source->tensors[s.found.problem.items[k].tensor].name;
      stored += (double)aq_source_tensor(table, search_find(table, name))->stored_bytes;
    }
    if (stored > expected + 1 || stored < 0.93 * expected) fail_msg("case %zu: %g of %g bytes", i, stored, expected);
    aq_source_close(table);
    end_search(&s);
  }
}

static void a_size_is_that_of_the_whole_file(void **state) {
  (void)state;
  for (int texts = 0; texts < 2; texts++) {
    search s;
    struct stat info;
    aq_quantize_options o = texts ? *search_options(0) : free_options(0);
    o.target_size = 20000;
    assert_ok(try_search(&s, &o));
    aq_source_close(write_found(&s, &o));
    assert_int_equal(stat(sf.table, &info), 0);
    assert_in_range(info.st_size, 0.75 * 20000, 20000); /* of a file this small, much is reserved for the footer */
    end_search(&s);
  }
}

static void rules_count_but_are_not_searched(void **state) {
  (void)state;
  static const char *const rules[] = {"*.query.weight=int8"}, *const keep[] = {"*.key.weight"};
  search s;
  aq_quantize_options o = free_options(6);
  o.tensor_rules = rules;
  o.keep_patterns = keep;
  o.tensor_rule_count = o.keep_pattern_count = 1;
  assert_ok(try_search(&s, &o));
  const aq_plan_entry *ruled = &s.plan.entries[search_find(s.source, "encoder.layer.0.attention.self.query.weight")];
  assert_int_equal(ruled->scheme.type, AQ_INT8);
  assert_int_equal(ruled->scheme.method, AQ_MINMAX);
  assert_int_equal(s.plan.entries[search_find(s.source, "encoder.layer.0.attention.self.key.weight")].action, AQ_KEEP);
  assert_int_equal(s.found.problem.count, ONE_LAYER_MATRICES - 2);
  aq_source *table = write_found(&s, &o);
  assert_in_range(bits_of(table) * 1000, 5500, 6000); /* the rule's among them */
  aq_source_close(table);
  end_search(&s);
}

static void a_similarity_is_reached_on_texts_that_nothing_was_decided_by(void **state) {
  (void)state;
  search low, high;
  aq_quantize_options o = *search_options(0);
  o.min_similarity = 0.95;
  assert_ok(try_search(&low, &o));
  o.min_similarity = 0.999;
  assert_ok(try_search(&high, &o));
  assert_true(json_real_value(reported(&low, "similarity")) >= 0.95);
  assert_true(json_real_value(reported(&low, "similarity_on_other_texts")) >= 0.95);
  assert_true(json_real_value(reported(&high, "similarity_on_other_texts")) >= 0.999);
  assert_true(json_integer_value(reported(&low, "expected_bytes")) <
              json_integer_value(reported(&high, "expected_bytes")));
  end_search(&low);
  end_search(&high);
}

/* ---- what is left behind ---- */

static void finished_tensors_are_what_is_written(void **state) {
  (void)state;
  search s;
  aq_quantize_options o = *search_options(5);
  size_t adjusted = 0, codes = 0;
  assert_ok(try_search(&s, &o));
  aq_source *table = write_found(&s, &o);
  for (size_t i = 0; i < s.plan.count; i++) {
    const aq_tensor_info *t = &s.source->tensors[i];
    const aq_encoded *e = &s.found.encoded[i];
    if (e->count == 0) continue;
    const size_t bytes = (size_t)t->num_params * sizeof(float);
    float *stored = aq_calloc(bytes, 1), *decoded = aq_calloc(bytes, 1);
    assert_ok(aq_source_read_f32(table, search_find(table, t->name), 0, t->num_params, stored, &err));
    if (e->codes != NULL) aq_encoded_decode(e, decoded);
    assert_memory_equal(stored, e->codes != NULL ? decoded : e->values, bytes);
    codes += e->codes != NULL ? 1 : 0;
    adjusted += s.plan.entries[i].adjusted ? 1 : 0;
    aq_free(stored);
    aq_free(decoded);
  }
  assert_int_equal(codes, ONE_LAYER_MATRICES - 2); /* neither the token types nor the pooler */
  assert_true(adjusted > 0);
  assert_string_equal(json_string_value(reported(&s, "target")), "target 5 bits");
  assert_true(json_real_value(reported(&s, "similarity")) > 0.9);
  aq_source_close(table);
  end_search(&s);
}

static void data_free_searches_leave_scales_alone(void **state) {
  (void)state;
  search s;
  aq_quantize_options o = free_options(5);
  assert_ok(try_search(&s, &o));
  for (size_t i = 0; i < s.plan.count; i++) {
    assert_int_equal(s.found.encoded[i].count, 0);
    assert_false(s.plan.entries[i].adjusted);
  }
  assert_null(s.found.backend->ops->confirm);
  end_search(&s);
}

static void threads_find_the_same(void **state) {
  (void)state;
  search one, three;
  aq_quantize_options o = *search_options(5);
  o.run.threads = 1;
  assert_ok(try_search(&one, &o));
  o.run.threads = 3;
  assert_ok(try_search(&three, &o));
  for (size_t i = 0; i < one.plan.count; i++) {
    const aq_plan_entry *a = &one.plan.entries[i], *b = &three.plan.entries[i];
    assert_int_equal(a->action, b->action);
    assert_int_equal(a->scale_count, b->scale_count);
    if (a->scales != NULL) assert_memory_equal(a->scales, b->scales, (size_t)a->scale_count * sizeof(float));
  }
  end_search(&one);
  end_search(&three);
}

/* ---- any backend ---- */

/* One whose first candidate fits, and no other. */
typedef struct stub_backend {
  aq_search_backend base;
  aq_search_problem *problem;
  uint32_t made;
  double first, now; /* lambdas */
  bool finished;
} stub_backend;

static stub_backend stub;

static aq_status begin_stub(aq_search_backend *backend, const aq_search_setup *setup, aq_search_problem *problem,
                            aq_error *error) {
  stub.problem = problem;
  assert_ok(aq_search_problem_create(setup->source, setup->plan, setup->options, backend->pool, problem, error));
  assert_ok(aq_search_item_allocate_sensitivity(&problem->items[0], "a stub", error));
  for (size_t i = 0; i < problem->items[0].rows; i++) problem->items[0].own_sensitivity[i] = 1e-6F;
  return aq_search_item_read_sample(setup->source, &problem->items[0], error);
}

static aq_status make_stub(aq_search_backend *backend, aq_error *error) {
  (void)backend;
  (void)error;
  stub.now = stub.problem->lambda;
  if (stub.made++ == 0) stub.first = stub.now;
  stub.problem->items[0].bits = stub.now == stub.first ? 8000 : 9000;
  return AQ_OK;
}

static aq_status finish_stub(aq_search_backend *backend, const char *target, aq_encoded *encoded, aq_error *error) {
  (void)backend;
  (void)encoded;
  (void)error;
  assert_string_equal(target, "target 4 bits");
  stub.finished = true;
  return AQ_OK;
}

static aq_status report_stub(aq_search_backend *backend, json_t *report, aq_error *error) {
  (void)backend;
  (void)report;
  (void)error;
  return AQ_OK;
}

static void free_stub(aq_search_backend *backend) { aq_pool_free(backend->pool); }

/* The search goes on after the first candidate, which leaves part of the budget unused, and comes back to it. */
static void the_candidate_that_is_left_is_the_best_one(void **state) {
  (void)state;
  static const aq_search_backend_ops ops = {.slack = 0.004,
                                            .rounds = 5,
                                            .begin = begin_stub,
                                            .make_candidate = make_stub,
                                            .finish = finish_stub,
                                            .report = report_stub,
                                            .free = free_stub};
  float values[64 * 32];
  aq_source *source = make_source();
  aq_quantize_options o = free_options(4);
  fill_noise(values, 64 * 32, 1);
  add_f32(source, "some.weight", 64, 32, values);
  aq_plan plan = make_plan(source, &o);
  stub = (stub_backend){.base = {.ops = &ops}};
  assert_ok(aq_pool_create(1, &stub.base.pool, &err));
  aq_bit_allocation found = {.backend = &stub.base};
  assert_ok(aq_bit_allocation_run(source, &o, &plan, &found, &err));
  assert_int_equal(stub.made, 6); /* five, and the best once more */
  assert_true(stub.now == stub.first && stub.finished);
  assert_true(json_real_value(json_object_get(found.report, "lambda")) == stub.first);
  assert_int_equal(json_integer_value(json_object_get(found.report, "expected_bytes")), 1000);
  aq_bit_allocation_reset(&found);
  aq_plan_reset(&plan);
  aq_source_close(source);
}

/* ---- what cannot be met ---- */

static void targets_that_cannot_be_met_say_what_can(void **state) {
  (void)state;
  search s;
  aq_quantize_options o = free_options(0.1);
  assert_int_equal(try_search(&s, &o), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "0.1 bits per weight cannot be reached"));
  const char *hint = strstr(err.hint, "`target_bpw=");
  assert_non_null(hint);
  const double said = atof(hint + strlen("`target_bpw="));
  end_search(&s);
  o.target_bpw = said; /* and that is so */
  assert_ok(try_search(&s, &o));
  end_search(&s);
  o = free_options(0);
  o.target_size = 100;
  assert_int_equal(try_search(&s, &o), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.hint, "`target_size="));
  end_search(&s);
}

static void a_similarity_without_texts_is_refused(void **state) {
  (void)state;
  search s;
  aq_quantize_options o = free_options(0);
  o.min_similarity = 0.9;
  assert_int_equal(try_search(&s, &o), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.hint, "`target_size`"));
  end_search(&s);
}

static void a_plan_without_anything_to_search_is_refused(void **state) {
  (void)state;
  static const char *const all[] = {"*"};
  search s;
  aq_quantize_options o = free_options(4);
  o.keep_patterns = all;
  o.keep_pattern_count = 1;
  assert_int_equal(try_search(&s, &o), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "no tensor is left"));
  end_search(&s);
}

static void a_model_that_cannot_be_run_says_why(void **state) {
  (void)state;
  aq_source *source = make_source();
  float values[64 * 32];
  aq_bit_allocation found = {0};
  aq_quantize_options o = *search_options(5);
  o.calib = NULL;
  fill_noise(values, 64 * 32, 1);
  add_f32(source, "some.weight", 64, 32, values);
  aq_plan plan = make_plan(source, &o);
  assert_ok(aq_bit_allocation_open(source, &o, true, NULL, &found, &err));
  assert_ok(aq_bit_allocation_run(source, &o, &plan, &found, &err));
  assert_null(found.backend->ops->confirm);
  assert_non_null(strstr(found.backend->why_not_run, "config.json"));
  assert_non_null(strstr(json_string_value(json_object_get(found.report, "reason")), "config.json"));
  aq_bit_allocation_reset(&found);
  aq_plan_reset(&plan);
  aq_source_close(source);
}

/* What the error says is enough is enough, and a byte less than what it counted is not. */
static void a_limit_on_memory_is_kept_or_refused(void **state) {
  (void)state;
  aq_quantize_options o = *search_options(4);
  search s;
  unsigned long long needed, mebibytes;
  o.run.max_memory = 1000;
  assert_int_equal(try_search(&s, &o), AQ_ERR_MEMORY);
  end_search(&s);
  const char *number = strstr(err.message, "takes ");
  assert_non_null(number);
  assert_int_equal(sscanf(number, "takes %llu bytes", &needed), 1);
  o.run.max_memory = needed - 1;
  assert_int_equal(try_search(&s, &o), AQ_ERR_MEMORY);
  assert_non_null(strstr(err.message, "planning with calibration"));
  end_search(&s);
  for (int again = 0; again < 2; again++) { /* that of planning, then that of statistics */
    const char *hint = strstr(err.hint, "max_memory=");
    assert_non_null(hint);
    assert_int_equal(sscanf(hint, "max_memory=%lluMiB", &mebibytes), 1);
    o.run.max_memory = (uint64_t)mebibytes << 20;
    const aq_status status = try_search(&s, &o);
    end_search(&s);
    if (status == AQ_OK) return;
    assert_int_equal(status, AQ_ERR_MEMORY);
  }
  fail_msg("still refused: %s", err.message);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_limit_on_memory_is_kept_or_refused),
      cmocka_unit_test(entries_of_type_auto_ask_for_a_search),
      cmocka_unit_test(bits_a_weight_are_kept_and_used),
      cmocka_unit_test(a_size_is_that_of_the_whole_file),
      cmocka_unit_test(rules_count_but_are_not_searched),
      cmocka_unit_test(a_similarity_is_reached_on_texts_that_nothing_was_decided_by),
      cmocka_unit_test(finished_tensors_are_what_is_written),
      cmocka_unit_test(data_free_searches_leave_scales_alone),
      cmocka_unit_test(threads_find_the_same),
      cmocka_unit_test(the_candidate_that_is_left_is_the_best_one),
      cmocka_unit_test(targets_that_cannot_be_met_say_what_can),
      cmocka_unit_test(a_similarity_without_texts_is_refused),
      cmocka_unit_test(a_plan_without_anything_to_search_is_refused),
      cmocka_unit_test(a_model_that_cannot_be_run_says_why),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
