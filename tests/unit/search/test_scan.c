/* test_scan.c - the passes over the tensors of a model that is not run: the same numbers as from all values at once. */
#include "search/scan.h"

#include "plan_fixture.h"

static aq_error err;

enum { TABLE, QUERY, BIAS, KEPT, TIED, TENSORS };
static const struct {
  const char *name;
  int64_t rows, columns;
} tensors[TENSORS] = {[TABLE] = {"word_embeddings.weight", 40000, 32}, /* 5 MB: more than a piece */
                      [QUERY] = {"layer.0.attention.query.weight", 64, 32},
                      [BIAS] = {"layer.0.attention.query.bias", 1, 64},
                      [KEPT] = {"kept.weight", 64, 40},
                      [TIED] = {"tied.weight", 64, 32}};

static struct {
  aq_source *source;
  float *values[TENSORS];
  aq_plan plan;
  aq_tensor_scan scans[TENSORS];
} sc;

static int set_up(void **state) {
  (void)state;
  aq_quantize_options o = plan_options("auto", NULL, 0, NULL);
  o.quantize_1d = false; /* nor small ones */
  o.keep_patterns = (const char *const[]){"kept.weight"};
  o.keep_pattern_count = 1;
  memset(&sc, 0, sizeof sc);
  sc.source = make_source();
  for (size_t i = 0; i < TENSORS; i++) {
    const size_t count = (size_t)(tensors[i].rows * tensors[i].columns);
    sc.values[i] = malloc(count * sizeof(float));
    fill_noise(sc.values[i], count, i == TIED ? QUERY : (uint32_t)i);
    add_f32(sc.source, tensors[i].name, tensors[i].rows, tensors[i].columns, sc.values[i]);
  }
  tie_source(sc.source);
  assert_int_equal(sc.source->tensors[TIED].alias_of, QUERY);
  sc.plan = make_plan(sc.source, &o);
  return 0;
}

static void drop_scans(void) {
  for (size_t i = 0; i < TENSORS; i++) aq_tensor_scan_reset(&sc.scans[i]);
  memset(sc.scans, 0, sizeof sc.scans);
}

static int tear_down(void **state) {
  (void)state;
  drop_scans();
  aq_plan_reset(&sc.plan);
  aq_source_close(sc.source);
  for (size_t i = 0; i < TENSORS; i++) free(sc.values[i]);
  return 0;
}

static void run_scan(uint32_t threads) {
  aq_pool *pool;
  assert_ok(aq_pool_create(threads, &pool, &err));
  assert_ok(aq_scan_open_tensors(sc.source, &sc.plan, pool, sc.scans, &err));
  aq_pool_free(pool);
}

/* One tensor, from all its values. */
static aq_tensor_scan scan_whole(size_t tensor) {
  aq_tensor_scan scan = {0};
  assert_ok(aq_tensor_scan_begin(&scan, &sc.source->tensors[tensor], &err));
  aq_tensor_scan_add_rows(&scan, sc.values[tensor], scan.rows);
  if (aq_tensor_scan_wants_shares(&scan)) aq_tensor_scan_add_shares(&scan, 0, sc.values[tensor], scan.rows);
  return scan;
}

static void pieces_and_threads_give_what_all_values_give(void **state) {
  (void)state;
  for (uint32_t threads = 1; threads < 4; threads++) {
    run_scan(threads);
    aq_tensor_scan whole = scan_whole(TABLE);
    assert_int_equal(sc.scans[TABLE].seen, whole.rows);
    assert_true(sc.scans[TABLE].squares == whole.squares);
    assert_memory_equal(sc.scans[TABLE].row_squares, whole.row_squares, whole.rows * sizeof *whole.row_squares);
    assert_memory_equal(sc.scans[TABLE].column_sums, whole.column_sums, whole.cols * sizeof *whole.column_sums);
    assert_memory_equal(sc.scans[TABLE].shares, whole.shares, whole.rows * sizeof *whole.shares);
    aq_tensor_scan_reset(&whole);
    drop_scans();
  }
}

static void a_query_counts_its_bias(void **state) {
  (void)state;
  run_scan(2);
  aq_tensor_scan whole = scan_whole(QUERY);
  assert_memory_not_equal(sc.scans[QUERY].row_squares, whole.row_squares, 64 * sizeof(float));
  aq_tensor_scan_add_bias(&whole, sc.values[BIAS]);
  assert_memory_equal(sc.scans[QUERY].row_squares, whole.row_squares, 64 * sizeof(float));
  aq_tensor_scan_reset(&whole);
}

static void what_is_not_planned_is_not_read_but_named(void **state) {
  (void)state;
  run_scan(1);
  for (size_t i = 0; i < TENSORS; i++) {
    assert_string_equal(sc.scans[i].name, tensors[i].name);
    assert_int_equal(sc.scans[i].seen > 0, i == TABLE || i == QUERY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(pieces_and_threads_give_what_all_values_give, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_query_counts_its_bias, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_not_planned_is_not_read_but_named, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
