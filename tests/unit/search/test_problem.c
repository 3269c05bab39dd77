/* test_problem.c - the tensors whose type and scales a search finds, and what they cost at a price of a bit. */
#include "core/memory.h"
#include "search_fixture.h"

static aq_error err;

/* ---- a model that is not run ---- */

enum { WIDE, STACK, CONV, VECTOR, KEPT, RULED, EMPTY, TIED, TENSORS };
static const struct {
  const char *name;
  int32_t rank;
  int64_t shape[4];
  size_t rows, cols; /* as planned; 0: not planned */
} tensors[TENSORS] = {
    [WIDE] = {"wide.weight", 2, {600, 512}, 600, 512}, /* more than a sample holds */
    [STACK] = {"experts.weight", 3, {3, 20, 40}, 60, 40},
    [CONV] = {"conv.weight", 4, {16, 8, 3, 3}, 16, 72},
    [VECTOR] = {"vector", 1, {96}, 1, 96},
    [KEPT] = {"kept.weight", 2, {40, 40}, 0, 0},
    [RULED] = {"ruled.weight", 2, {40, 40}, 0, 0},
    [EMPTY] = {"empty.weight", 2, {0, 40}, 0, 0},
    [TIED] = {"tied.weight", 2, {600, 512}, 0, 0},
};

static struct {
  aq_source *source;
  float *values[TENSORS];
  aq_plan plan;
  aq_pool *pool;
  aq_table_options table;
  aq_search_problem set;
  char output[600];
} pf;

static int set_up(void **state) {
  (void)state;
  static const char *const rules[] = {"ruled.weight=int4"}, *const keep[] = {"kept.weight"};
  aq_quantize_options o = plan_options("auto", NULL, 0, NULL);
  memset(&pf, 0, sizeof pf);
  o.target_bpw = 4;
  o.tensor_rules = rules;
  o.keep_patterns = keep;
  o.tensor_rule_count = o.keep_pattern_count = 1;
  pf.source = make_source();
  for (size_t i = 0; i < TENSORS; i++) {
    aq_tensor_info info = {.name = tensors[i].name, .dtype = AQ_F32, .rank = tensors[i].rank};
    size_t count = 1;
    for (int32_t k = 0; k < info.rank; k++) count *= (size_t)(info.shape[k] = tensors[i].shape[k]);
    pf.values[i] = malloc(count * sizeof(float) + 1);
    fill_noise(pf.values[i], count, i == TIED ? WIDE : (uint32_t)i);
    assert_ok(aq_source_add(pf.source, &info, pf.values[i], &err));
  }
  tie_source(pf.source);
  assert_int_equal(pf.source->tensors[TIED].alias_of, WIDE);
  pf.plan = make_plan(pf.source, &o);
  assert_ok(aq_pool_create(3, &pf.pool, &err));
  (void)snprintf(pf.output, sizeof pf.output, "%s/planned.parquet", sf.folder);
  return 0;
}

/* Once for each pool. */
static void create(const char *codec, uint64_t part_bytes) {
  pf.table = (aq_table_options){.codec = codec, .part_bytes = part_bytes, .force = true};
  assert_ok(aq_search_problem_create(pf.source, &pf.plan, NULL, 0, &pf.table, pf.pool, &pf.set, &err));
}

static int tear_down(void **state) {
  (void)state;
  aq_search_problem_reset(&pf.set);
  aq_plan_reset(&pf.plan);
  aq_pool_free(pf.pool);
  aq_source_close(pf.source);
  for (size_t i = 0; i < TENSORS; i++) free(pf.values[i]);
  return 0;
}

static void open_entries_are_planned_with_their_rows(void **state) {
  (void)state;
  size_t at = 0;
  create(NULL, 0);
  for (size_t i = 0; i < TENSORS; i++) {
    if (tensors[i].rows == 0) continue;
    const aq_search_item *p = &pf.set.items[at++];
    assert_int_equal(p->tensor, i);
    assert_int_equal(p->rows, tensors[i].rows);
    assert_int_equal(p->cols, tensors[i].cols);
    assert_null(p->factors);
    assert_true(p->why[0] != '\0');
    for (size_t r = 0; r < p->rows; r++) assert_true(p->sensitivity[r] > 0);
    assert_true(p->sample_rows <= p->rows && p->sample_rows * p->cols <= (size_t)1 << 18);
    /* The rows of a sample are rows of the tensor, in their order and evenly spaced. */
    for (size_t r = 0; r < p->sample_rows; r++) {
      const size_t row = r * p->rows / p->sample_rows;
      assert_memory_equal(p->sample + r * p->cols, pf.values[i] + row * p->cols, p->cols * sizeof(float));
    }
  }
  assert_int_equal(pf.set.count, at);
  assert_int_equal(pf.set.items[0].sample_rows, 512);
}

static void estimates_fall_with_the_price_and_not_with_threads(void **state) {
  (void)state;
  double last = INFINITY, again;
  for (int i = 0; i < 5; i++) {
    const double lambda = 1e-6 * pow(8, i);
    double bits;
    create(NULL, 0);
    assert_ok(aq_search_problem_estimate_bits(&pf.set, lambda, &bits, &err));
    assert_true(bits < last && bits > 0);
    last = bits;
    double sum = 0;
    for (size_t k = 0; k < pf.set.count; k++) sum += pf.set.items[k].bits;
    assert_true(sum == bits);
    aq_search_problem_reset(&pf.set);
    aq_pool_free(pf.pool);
    assert_ok(aq_pool_create(1 + (uint32_t)i, &pf.pool, &err));
    create(NULL, 0);
    assert_ok(aq_search_problem_estimate_bits(&pf.set, lambda, &again, &err));
    assert_true(again == bits);
    aq_search_problem_reset(&pf.set);
  }
}

/* ---- against files ---- */

/* Chooses for every item, makes it the plan's, writes the table and opens it. */
static aq_source *write_chosen(double lambda) {
  aq_run_options run = {.threads = 2};
  for (size_t i = 0; i < pf.set.count; i++) {
    aq_search_item *p = &pf.set.items[i];
    aq_rd_choice choice = {0};
    assert_ok(aq_search_item_round_to_nearest(&pf.set, p, lambda, 0, &choice, &err));
    assert_ok(aq_search_item_fix_entry(p, &pf.source->tensors[p->tensor], &choice, "a test",
                                       &pf.plan.entries[p->tensor], &err));
    assert_null(choice.steps);
    aq_rd_choice_reset(&choice);
  }
  assert_ok(aq_plan_share_ties(&pf.plan, &err));
  aq_source *table;
  table_write(pf.source, &pf.plan, NULL, pf.output, &pf.table, &run);
  assert_ok(aq_source_open(pf.output, NULL, &table, &err));
  return table;
}

/* Budgets are kept because no tensor takes more than was counted; they are used because it takes little less. */
static void bits_are_those_of_the_file(void **state) {
  (void)state;
  static const struct {
    const char *codec;
    uint64_t part_bytes;
    double lambda;
  } cases[] = {{"none", 0, 1e-3},   {NULL, 0, 1e-3},     {NULL, 0, 1e-5},       {"brotli", 0, 1e-3}, {"lz4", 0, 1e-2},
               {"snappy", 0, 1e-2}, {"zstd:3", 0, 1e-2}, {"none", 40000, 1e-3}, {NULL, 40000, 1e-3}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    (void)tear_down(NULL);
    (void)set_up(NULL);
    create(cases[i].codec, cases[i].part_bytes);
    aq_source *table = write_chosen(cases[i].lambda);
    for (size_t k = 0; k < pf.set.count; k++) {
      const aq_search_item *p = &pf.set.items[k];
      const aq_tensor_info *t = aq_source_tensor(table, search_find(table, tensors[p->tensor].name));
      const double stored = 8.0 * (double)t->stored_bytes;
      if (stored > p->bits || stored < (cases[i].part_bytes > 0 ? 0.8 : 0.93) * p->bits) {
        fail_msg("case %zu, %s: %.0f bits were counted, %.0f are stored", i, t->name, p->bits, stored);
      }
      if (i == 0) assert_true(stored == p->bits); /* neither codec nor parts */
    }
    aq_source_close(table);
  }
}

static void estimates_are_near_what_is_counted(void **state) {
  (void)state;
  create(NULL, 0);
  double bits, counted = 0;
  assert_ok(aq_search_problem_estimate_bits(&pf.set, 1e-3, &bits, &err));
  for (size_t i = 0; i < pf.set.count; i++) {
    aq_rd_choice choice = {0};
    assert_ok(aq_search_item_round_to_nearest(&pf.set, &pf.set.items[i], 1e-3, 0, &choice, &err));
    assert_true(pf.set.items[i].bits == choice.bits && pf.set.items[i].loss == choice.loss);
    counted += choice.bits;
    aq_rd_choice_reset(&choice);
  }
  assert_true(fabs(bits / counted - 1) < 0.05);
}

static void a_choice_becomes_the_entry_of_the_plan(void **state) {
  (void)state;
  create(NULL, 0);
  aq_source *table = write_chosen(1e-3);
  for (size_t i = 0; i < pf.set.count; i++) {
    const aq_search_item *p = &pf.set.items[i];
    const aq_plan_entry *e = &pf.plan.entries[p->tensor];
    const aq_tensor_info *t = &pf.source->tensors[p->tensor];
    assert_int_equal(e->scheme.method, AQ_RD);
    assert_true(e->scheme.symmetric && e->zero_points == NULL && e->quant_axis == 0);
    assert_int_equal(e->scale_count * e->span_length, t->num_params);
    assert_true(strncmp(e->rule, "a test; ", 8) == 0 && strcmp(e->rule + 8, p->why) == 0);
    assert_true(e->bits == p->bits / (double)t->num_params);
    assert_true(e->loss == 0); /* nothing was measured */
    /* Rows of a stack are no channels of axis 0. */
    if (p->tensor == STACK || p->tensor == VECTOR) assert_true(e->group_size > 0);
  }
  aq_source_close(table);
}

/* ---- an encoder that is run ---- */

static void matrices_of_the_encoder_have_what_texts_say(void **state) {
  (void)state;
  search_state s;
  search_prepare(&s, search_options(4));
  assert_int_equal(s.set.count, ONE_LAYER_MATRICES - 1); /* all but the token types */
  size_t unused = 0;
  for (size_t i = 0; i < s.set.count; i++) {
    const aq_search_item *p = &s.set.items[i];
    if (strcmp(s.source->tensors[p->tensor].name, search_pooler) == 0) {
      unused++;
      assert_null(p->factors);
      assert_non_null(strstr(p->why, "not used"));
      continue;
    }
    assert_int_equal(p->factors->tensor, p->tensor);
    assert_ptr_equal(p->sensitivity, p->factors->sensitivity);
    assert_null(p->sample); /* all values are at hand */
  }
  assert_int_equal(unused, 1);
  search_end(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(open_entries_are_planned_with_their_rows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(estimates_fall_with_the_price_and_not_with_threads, set_up, tear_down),
      cmocka_unit_test_setup_teardown(bits_are_those_of_the_file, set_up, tear_down),
      cmocka_unit_test_setup_teardown(estimates_are_near_what_is_counted, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_choice_becomes_the_entry_of_the_plan, set_up, tear_down),
      cmocka_unit_test(matrices_of_the_encoder_have_what_texts_say),
  };
  return cmocka_run_group_tests(tests, search_set_up, search_tear_down);
}
