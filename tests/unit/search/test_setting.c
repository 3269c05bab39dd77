/* test_setting.c - targets of a format that has one setting for all codes: which is taken, and which are tried. */
#include "search/setting.h"

#include "io/formats.h"
#include "source_fixture.h"

enum { MATRICES = 2, ROWS = 64, COLS = 256, TRIED_MAX = 32 };

static struct {
  float w[MATRICES][ROWS * COLS], sensitivity[ROWS];
  aq_search_item items[MATRICES];
  aq_search_problem problem;
  aq_search_backend backend;
  const aq_code_choice *tried[TRIED_MAX];
  size_t count, confirmed;
  aq_quant_type held_from, other_from; /* the least type that is good enough, on held-out and on other texts */
} f;

static aq_error err;

static aq_status make_candidate(aq_search_backend *backend, aq_error *e) {
  (void)backend, (void)e;
  assert_true(f.count < TRIED_MAX);
  f.tried[f.count++] = f.problem.setting;
  return AQ_OK;
}

static double bits_of(aq_quant_type type) {
  return type == AQ_INT8 ? 8 : type == AQ_INT4 ? 4 : type == AQ_INT3 ? 3 : 2;
}

static double similarity_from(aq_quant_type least) {
  return bits_of(f.problem.setting->type) >= bits_of(least) ? 0.95 : 0.5;
}

static aq_status adjust(aq_search_backend *backend, double *similarity, aq_error *e) {
  (void)backend, (void)e;
  *similarity = similarity_from(f.held_from);
  return AQ_OK;
}

static aq_status confirm(const aq_search_backend *backend, double *similarity, aq_error *e) {
  (void)backend, (void)e;
  f.confirmed++;
  *similarity = similarity_from(f.other_from);
  return AQ_OK;
}

static const aq_search_backend_ops ops = {.make_candidate = make_candidate, .adjust = adjust, .confirm = confirm};

static int set_up(void **state) {
  (void)state;
  memset(&f, 0, sizeof f);
  aq_source *source = make_source();
  f.problem =
      (aq_search_problem){.source = source, .items = f.items, .count = MATRICES, .layout = aq_gptq_format.layout};
  assert_ok(aq_pool_create(1, &f.problem.pool, &err));
  for (size_t i = 0; i < ROWS; i++) f.sensitivity[i] = 1;
  for (size_t i = 0; i < MATRICES; i++) {
    fill_noise(f.w[i], ROWS * COLS, (uint32_t)(7 + i));
    add_f32(source, i == 0 ? "layers.0.a.weight" : "layers.0.b.weight", ROWS, COLS, f.w[i]);
    f.items[i] = (aq_search_item){.tensor = i,
                                  .rows = ROWS,
                                  .cols = COLS,
                                  .sample = f.w[i],
                                  .sample_rows = ROWS,
                                  .sensitivity = f.sensitivity,
                                  .sample_sensitivity = f.sensitivity};
    f.items[i].losses[0] = f.items[i].sample_losses[0] = -1;
  }
  f.backend.ops = &ops;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  aq_pool_free(f.problem.pool);
  aq_source_close((aq_source *)(uintptr_t)(const void *)f.problem.source);
  return 0;
}

/* Bits of both matrices in a setting. */
static double bits_in(aq_quant_type type, uint64_t group) {
  const aq_export_layout *layout = f.problem.layout;
  return MATRICES * 8 * (double)layout->code_bytes(&f.problem.source->tensors[0], type, group, true);
}

static void best_that_fits_is_taken(void **state) {
  (void)state;
  const aq_quantize_options options = {.target_bpw = 4};
  const struct {
    double bits;
    aq_quant_type type;
    uint32_t group;
  } cases[] = {{bits_in(AQ_INT2, 128), AQ_INT2, 128},
               {bits_in(AQ_INT4, 64), AQ_INT4, 64},
               {bits_in(AQ_INT4, 64) - 1, AQ_INT4, 128},
               {1e9, AQ_INT8, 32}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const aq_budget budget = {cases[i].bits, 1};
    f.count = 0;
    assert_ok(aq_setting_search_size(&f.problem, &f.backend, &budget, &options, &err));
    assert_int_equal(f.count, 1);
    assert_true(f.tried[0]->type == cases[i].type && f.tried[0]->group == cases[i].group);
  }
  const aq_budget too_small = {bits_in(AQ_INT2, 128) - 1, 1};
  assert_int_equal(aq_setting_search_size(&f.problem, &f.backend, &too_small, &options, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "cannot be reached"));
}

/* Matrices whose rows no group of 64 divides have no such setting. */
static void settings_are_those_of_all_matrices(void **state) {
  (void)state;
  const aq_quantize_options options = {.target_bpw = 4};
  const aq_budget budget = {bits_in(AQ_INT4, 64), 1};
  f.items[1].cols = 96;
  assert_ok(aq_setting_search_size(&f.problem, &f.backend, &budget, &options, &err));
  assert_true(f.tried[0]->group == 32);
}

static void smallest_that_is_similar_is_found(void **state) {
  (void)state;
  double reached;
  f.held_from = f.other_from = AQ_INT3;
  assert_ok(aq_setting_search_quality(&f.problem, &f.backend, 0.9, &reached, &err));
  assert_true(reached == 0.95 && f.problem.setting->type == AQ_INT3 && f.count <= 6 && f.confirmed == 1);
  assert_ptr_equal(f.tried[f.count - 1], f.problem.setting);
  f.count = f.confirmed = 0;
  f.other_from = AQ_INT4; /* texts that nothing was decided by say more is needed */
  assert_ok(aq_setting_search_quality(&f.problem, &f.backend, 0.9, &reached, &err));
  assert_true(reached == 0.95 && f.problem.setting->type == AQ_INT4 && f.confirmed > 1);
  assert_ok(aq_setting_search_quality(&f.problem, &f.backend, 0.99, &reached, &err));
  assert_true(reached < 0.99);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(best_that_fits_is_taken, set_up, tear_down),
      cmocka_unit_test_setup_teardown(settings_are_those_of_all_matrices, set_up, tear_down),
      cmocka_unit_test_setup_teardown(smallest_that_is_similar_is_found, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
