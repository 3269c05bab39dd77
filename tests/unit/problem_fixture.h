/* problem_fixture.h - tensors of all shapes that a data-free search plans, and some that it does not. */
#ifndef AQ_TESTS_PROBLEM_FIXTURE_H
#define AQ_TESTS_PROBLEM_FIXTURE_H

#include "search/backend.h"
#include "search_fixture.h"

enum {
  PROBLEM_WIDE,
  PROBLEM_STACK,
  PROBLEM_CONV,
  PROBLEM_VECTOR,
  PROBLEM_KEPT,
  PROBLEM_RULED,
  PROBLEM_EMPTY,
  PROBLEM_TIED,
  PROBLEM_TENSORS
};
static const struct {
  const char *name;
  int32_t rank;
  int64_t shape[4];
  size_t rows, cols; /* as planned; 0: not planned */
} problem_tensors[PROBLEM_TENSORS] = {
    [PROBLEM_WIDE] = {"wide.weight", 2, {600, 512}, 600, 512}, /* more than a sample holds */
    [PROBLEM_STACK] = {"experts.weight", 3, {3, 20, 40}, 60, 40},
    [PROBLEM_CONV] = {"conv.weight", 4, {16, 8, 3, 3}, 16, 72},
    [PROBLEM_VECTOR] = {"vector", 1, {96}, 1, 96},
    [PROBLEM_KEPT] = {"kept.weight", 2, {40, 40}, 0, 0},
    [PROBLEM_RULED] = {"ruled.weight", 2, {40, 40}, 0, 0},
    [PROBLEM_EMPTY] = {"empty.weight", 2, {0, 40}, 0, 0},
    [PROBLEM_TIED] = {"tied.weight", 2, {600, 512}, 0, 0},
};

static struct {
  aq_source *source;
  float *values[PROBLEM_TENSORS];
  aq_plan plan;
  aq_quantize_options options;
  aq_search_backend *backend;
  aq_search_problem problem;
  char output[600];
} pf;

static inline int problem_set_up(void **state) {
  aq_error err;
  (void)state;
  static const char *const rules[] = {"ruled.weight=int4"}, *const keep[] = {"kept.weight"};
  memset(&pf, 0, sizeof pf);
  pf.options = plan_options("auto", NULL, 0, NULL);
  pf.options.target_bpw = 4;
  pf.options.tensor_rules = rules;
  pf.options.keep_patterns = keep;
  pf.options.tensor_rule_count = pf.options.keep_pattern_count = 1;
  pf.options.table.force = true;
  pf.source = make_source();
  for (size_t i = 0; i < PROBLEM_TENSORS; i++) {
    aq_tensor_info info = {.name = problem_tensors[i].name, .dtype = AQ_F32, .rank = problem_tensors[i].rank};
    size_t count = 1;
    for (int32_t k = 0; k < info.rank; k++) count *= (size_t)(info.shape[k] = problem_tensors[i].shape[k]);
    pf.values[i] = malloc(count * sizeof(float) + 1);
    fill_noise(pf.values[i], count, i == PROBLEM_TIED ? PROBLEM_WIDE : (uint32_t)i);
    assert_ok(aq_source_add(pf.source, &info, pf.values[i], &err));
  }
  tie_source(pf.source);
  assert_int_equal(pf.source->tensors[PROBLEM_TIED].alias_of, PROBLEM_WIDE);
  pf.plan = make_plan(pf.source, &pf.options);
  (void)snprintf(pf.output, sizeof pf.output, "%s/planned.parquet", sf.folder);
  return 0;
}

/* Once for each number of threads. */
static inline void problem_create(const char *codec, uint64_t part_bytes, uint32_t threads) {
  aq_error err;
  char *why_not = NULL;
  pf.options.table.codec = codec;
  pf.options.table.part_bytes = part_bytes;
  pf.options.run.threads = threads;
  const aq_search_setup setup = {.source = pf.source, .options = &pf.options, .plan = &pf.plan};
  assert_ok(aq_data_free_backend_open(pf.source, &pf.options, false, NULL, &pf.backend, &why_not, &err));
  assert_ok(pf.backend->ops->begin(pf.backend, &setup, &pf.problem, &err));
}

static inline void problem_drop(void) {
  aq_search_backend_free(pf.backend);
  pf.backend = NULL;
  aq_search_problem_reset(&pf.problem);
}

static inline int problem_tear_down(void **state) {
  (void)state;
  problem_drop();
  aq_plan_reset(&pf.plan);
  aq_source_close(pf.source);
  for (size_t i = 0; i < PROBLEM_TENSORS; i++) free(pf.values[i]);
  return 0;
}

/* What is in codes at a lambda becomes the plan's, is written, and opened. */
static inline aq_source *problem_write(double lambda) {
  aq_error err;
  aq_encoded none[PROBLEM_TENSORS] = {{.count = 0}};
  aq_run_options run = {.threads = 2};
  pf.problem.lambda = lambda;
  assert_ok(pf.backend->ops->make_candidate(pf.backend, &err));
  assert_ok(pf.backend->ops->finish(pf.backend, "a test", none, &err));
  for (size_t i = 0; i < PROBLEM_TENSORS; i++) assert_int_equal(none[i].count, 0); /* the plan says all */
  assert_ok(aq_plan_share_ties(&pf.plan, &err));
  aq_source *table;
  table_write(pf.source, &pf.plan, NULL, pf.output, &pf.options.table, &run);
  assert_ok(aq_source_open(pf.output, NULL, &table, &err));
  return table;
}

#endif
