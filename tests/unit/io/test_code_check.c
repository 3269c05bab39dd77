/* test_code_check.c - the first difference or failure is the result, at any number of threads. */
#include "check.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/code_check.h"
#include "io/source_memory.h"

enum { CHUNK = 1 << 17, COUNT = 5 * CHUNK + 7, NONE = 1 << 30 };

static aq_error err;
static float *values;

/* The values, and where one differs, is not finite or cannot be read. */
static int differs, infinite, fails;

static aq_status read_values(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                             size_t size, void *out, aq_error *e) {
  const int first = (int)(offset / sizeof(float)), end = first + (int)(size / sizeof(float));
  const bool is_coded = segment->where[0] == 1;
  float *to = out;
  (void)source, (void)piece;
  if (is_coded && fails >= first && fails < end) return aq_fail(e, AQ_ERR_IO, "as it should");
  memcpy(out, values + first, size);
  if (infinite >= first && infinite < end) to[infinite - first] = INFINITY;
  if (is_coded && differs >= first && differs < end) to[differs - first] = -0.0F;
  return AQ_OK;
}

static void close_source(aq_source *source) { (void)source; }

static aq_source *make_source(uint64_t mark) {
  static const aq_source_ops ops = {.close = close_source, .read = read_values};
  const aq_tensor_info info = {.name = "x",
                               .dtype = AQ_F32,
                               .rank = 1,
                               .shape = {COUNT},
                               .num_params = COUNT,
                               .data_bytes = 4 * (uint64_t)COUNT,
                               .alias_of = -1};
  const aq_segment segment = {.num_params = COUNT, .data_bytes = 4 * (uint64_t)COUNT, .where = {mark}};
  aq_source *source;
  assert_ok(aq_source_create_empty(&ops, "memory", "memory", &source, &err));
  assert_ok(aq_source_add_tensor(source, &info, &segment, 1, &err));
  return source;
}

static void expect_result(int differs_at, int infinite_at, int fails_at, aq_status status, bool expected) {
  aq_source *decoded = make_source(0), *coded = make_source(1);
  differs = differs_at;
  infinite = infinite_at;
  fails = fails_at;
  for (uint32_t threads = 1; threads <= 4; threads += 3) {
    aq_code_check *check;
    bool same = !expected;
    assert_ok(aq_code_check_create(threads, &check, &err));
    for (int i = 0; i < 3; i++) {
      assert_int_equal(aq_code_check_run(check, decoded, coded, 0, &same, &err), status);
      assert_int_equal(same, expected);
      if (status != AQ_OK) assert_string_equal(err.message, "as it should");
    }
    aq_code_check_free(check);
  }
  aq_source_close(decoded);
  aq_source_close(coded);
}

static void results_do_not_depend_on_threads(void **state) {
  (void)state;
  expect_result(NONE, NONE, NONE, AQ_OK, true);
  expect_result(3, NONE, NONE, AQ_OK, false);
  expect_result(COUNT - 1, NONE, NONE, AQ_OK, false);
  expect_result(NONE, 2 * CHUNK, NONE, AQ_OK, false);
  expect_result(NONE, NONE, 4 * CHUNK, AQ_ERR_IO, false);
  expect_result(CHUNK, NONE, 3 * CHUNK, AQ_OK, false);     /* what comes later is not read */
  expect_result(3 * CHUNK, NONE, CHUNK, AQ_ERR_IO, false); /* what comes before is */
  aq_code_check_free(NULL);
}

static int set_up(void **state) {
  (void)state;
  values = calloc(COUNT, sizeof *values);
  return values == NULL;
}

static int tear_down(void **state) {
  (void)state;
  free(values);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(results_do_not_depend_on_threads)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
