/* test_stats_accumulate.c - the products of the statistics on made-up matrices, against the definition in double. */
#include "calib/fisher/stats_accumulate.h"
#include "calib/fisher/triangle.h"
#include "calib/normal.h"
#include "check.h"

#include <math.h>

/* More rows than a block has, more columns than several panels, rows longer than what is used of them. */
#define IN 150
#define OUT 37
#define STRIDE 160
#define TOKENS 61
#define TEXTS 4
static const size_t first[TEXTS + 1] = {0, 1, 34, 41, TOKENS};

static float x[TOKENS * STRIDE], dy[TOKENS * STRIDE];
static const aq_tape_linear linear = {
    .x = x, .dy = dy, .in = IN, .out = OUT, .x_stride = STRIDE, .dy_stride = STRIDE - 5};

#define TRIANGLE(n) ((n) * ((n) + 1) / 2)

/* Lower triangles. */
typedef struct result {
  float a[TRIANGLE(IN)], g[TRIANGLE(OUT)], moments[TRIANGLE(IN)], first[TRIANGLE(IN)], rows[TRIANGLE(OUT)];
} result;

static int set_up(void **state) {
  (void)state;
  aq_normal normal;
  aq_normal_begin(&normal, 3, 0);
  for (size_t i = 0; i < TOKENS * STRIDE; i++) {
    x[i] = aq_normal_next(&normal) + 0.5f;
    dy[i] = aq_normal_next(&normal) * 0.01f;
  }
  memset(x + 40 * STRIDE, 0, STRIDE * sizeof(float)); /* a token without a direction */
  return 0;
}

/* The group `times` times, then finished. */
static void accumulate(uint32_t threads, int times, result *out) {
  aq_error err;
  aq_pool *pool;
  aq_accumulator *acc;
  memset(out, 0, sizeof *out);
  assert_ok(aq_pool_create(threads, &pool, &err));
  assert_ok(aq_accumulator_create(pool, TOKENS + 3, 33, IN, &acc, &err));
  const aq_linear_stats to = {.a = out->a, .g = out->g, .moments = out->moments, .first = out->first};
  for (int i = 0; i < times; i++) {
    aq_accumulator_begin(acc, first, TEXTS);
    assert_ok(aq_accumulator_linear(acc, &linear, &to, &err));
    assert_ok(aq_accumulator_rows(acc, dy, OUT, out->rows, &err));
  }
  assert_ok(aq_triangle_divide(pool, out->a, IN, TEXTS, &err));
  assert_ok(aq_triangle_divide(pool, out->g, OUT, TEXTS, &err));
  assert_ok(aq_triangle_divide(pool, out->moments, IN, TOKENS, &err));
  assert_ok(aq_triangle_divide(pool, out->first, IN, TEXTS, &err));
  assert_ok(aq_triangle_divide(pool, out->rows, OUT, 1, &err));
  aq_accumulator_free(acc);
  aq_pool_free(pool);
}

static double dot(const float *a, const float *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

/* sum over texts, over tokens s and r of a text, of weight(s, r) m[s][i] m[r][j], weight from the rows of `other`. */
static double pair_sum(const float *m, size_t stride, size_t i, size_t j, const double *weight) {
  double sum = 0;
  for (size_t t = 0; t < TEXTS; t++) {
    for (size_t s = first[t]; s < first[t + 1]; s++) {
      for (size_t r = first[t]; r < first[t + 1]; r++) {
        sum += weight[s * TOKENS + r] * (double)m[s * stride + i] * (double)m[r * stride + j];
      }
    }
  }
  return sum;
}

static void gram(const float *m, size_t stride, size_t width, double *weight) {
  for (size_t s = 0; s < TOKENS; s++) {
    for (size_t r = 0; r < TOKENS; r++) weight[s * TOKENS + r] = dot(m + s * stride, m + r * stride, width);
  }
}

static void assert_matrix(const float *got, size_t n, double (*wanted)(size_t i, size_t j)) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j <= i; j++) {
      const float value = got[aq_triangle_row(i) + j];
      const double scale = sqrt(wanted(i, i) * wanted(j, j));
      if (!(fabs((double)value - wanted(i, j)) <= 1e-5 * scale)) {
        fail_msg("[%zu][%zu] is %g, not %g", i, j, (double)value, wanted(i, j));
      }
    }
  }
}

static double k_weight[TOKENS * TOKENS], q_weight[TOKENS * TOKENS];
static double wanted_a(size_t i, size_t j) { return pair_sum(x, STRIDE, i, j, k_weight) / TEXTS; }
static double wanted_g(size_t i, size_t j) { return pair_sum(dy, STRIDE - 5, i, j, q_weight) / TEXTS; }

static double wanted_moment(size_t i, size_t j) {
  double sum = 0;
  for (size_t s = 0; s < TOKENS; s++) {
    const float *row = x + s * STRIDE;
    const double square = dot(row, row, IN);
    if (square > 0) sum += (double)row[i] * (double)row[j] / square;
  }
  return sum / TOKENS;
}

static double wanted_first(size_t i, size_t j) {
  double sum = 0;
  for (size_t t = 0; t < TEXTS; t++) {
    const float *row = x + first[t] * STRIDE;
    sum += (double)row[i] * (double)row[j] / dot(row, row, IN);
  }
  return sum / TEXTS;
}

static double wanted_rows(size_t i, size_t j) {
  double sum = 0;
  for (size_t s = 0; s < TOKENS; s++) sum += (double)dy[s * OUT + i] * (double)dy[s * OUT + j];
  return sum;
}

static void sums_are_those_of_the_definition(void **state) {
  (void)state;
  static result got;
  accumulate(2, 1, &got);
  gram(dy, STRIDE - 5, OUT, k_weight);
  gram(x, STRIDE, IN, q_weight);
  assert_matrix(got.g, OUT, wanted_g);
  assert_matrix(got.rows, OUT, wanted_rows);
  assert_matrix(got.moments, IN, wanted_moment);
  assert_matrix(got.first, IN, wanted_first);
  for (size_t i = 0; i < IN; i += 7) { /* all of them would take seconds */
    for (size_t j = 0; j <= i; j += 3) {
      const double scale = sqrt(wanted_a(i, i) * wanted_a(j, j));
      assert_true(fabs((double)got.a[aq_triangle_row(i) + j] - wanted_a(i, j)) <= 1e-5 * scale);
    }
  }
}

static void threads_change_no_bit(void **state) {
  (void)state;
  static result one, many;
  accumulate(1, 2, &one);
  for (uint32_t threads = 2; threads <= 5; threads++) {
    accumulate(threads, 2, &many);
    assert_memory_equal(&one, &many, sizeof one);
  }
}

static void groups_are_added(void **state) {
  (void)state;
  static result once, twice;
  accumulate(1, 1, &once);
  accumulate(1, 2, &twice);
  for (size_t i = 0; i < TRIANGLE(IN); i++) {
    assert_true(twice.a[i] == 2 * once.a[i]);
    assert_true(twice.moments[i] == 2 * once.moments[i]);
    assert_true(twice.first[i] == 2 * once.first[i]);
  }
  for (size_t i = 0; i < TRIANGLE(OUT); i++) {
    assert_true(twice.g[i] == 2 * once.g[i] && twice.rows[i] == 2 * once.rows[i]);
  }
}

/* Key and value come after the query with the same x: what was made of it is used again, and moments are left alone. */
static void same_input_again_gives_the_same(void **state) {
  (void)state;
  static result once, again;
  aq_error err;
  aq_pool *pool;
  aq_accumulator *acc;
  accumulate(1, 1, &once);
  memset(&again, 0, sizeof again);
  aq_tape_linear other = linear;
  other.dy = x + 5; /* another gradient in between */
  assert_ok(aq_pool_create(2, &pool, &err));
  assert_ok(aq_accumulator_create(pool, TOKENS, 33, IN, &acc, &err));
  static float a[TRIANGLE(IN)], g[TRIANGLE(OUT)];
  const aq_linear_stats query = {.a = a, .g = g, .moments = again.moments, .first = again.first};
  const aq_linear_stats key = {.a = again.a, .g = again.g};
  aq_accumulator_begin(acc, first, TEXTS);
  assert_ok(aq_accumulator_linear(acc, &other, &query, &err));
  assert_ok(aq_accumulator_linear(acc, &linear, &key, &err));
  assert_ok(aq_triangle_divide(pool, again.a, IN, TEXTS, &err));
  assert_ok(aq_triangle_divide(pool, again.g, OUT, TEXTS, &err));
  assert_ok(aq_triangle_divide(pool, again.moments, IN, TOKENS, &err));
  assert_ok(aq_triangle_divide(pool, again.first, IN, TEXTS, &err));
  assert_memory_equal(&again, &once, offsetof(result, rows));
  aq_accumulator_free(acc);
  aq_pool_free(pool);
}

/* The same rows as other texts: what was made of x belongs to the group. */
static void new_group_forgets_the_input_before(void **state) {
  (void)state;
  static const size_t other[3] = {0, 20, 50};
  static float both[TRIANGLE(IN)], one[TRIANGLE(IN)], two[TRIANGLE(IN)], g[TRIANGLE(OUT)];
  aq_error err;
  aq_pool *pool;
  assert_ok(aq_pool_create(1, &pool, &err));
  for (int way = 0; way < 3; way++) {
    float *const a = way == 0 ? both : way == 1 ? one : two;
    aq_accumulator *acc;
    assert_ok(aq_accumulator_create(pool, TOKENS, 33, IN, &acc, &err));
    const aq_linear_stats to = {.a = a, .g = g};
    if (way != 2) {
      aq_accumulator_begin(acc, first, TEXTS);
      assert_ok(aq_accumulator_linear(acc, &linear, &to, &err));
    }
    if (way != 1) {
      aq_accumulator_begin(acc, other, 2);
      assert_ok(aq_accumulator_linear(acc, &linear, &to, &err));
    }
    aq_accumulator_free(acc);
  }
  for (size_t i = 0; i < TRIANGLE(IN); i++) assert_true(both[i] == one[i] + two[i]);
  aq_pool_free(pool);
}

/* Moments of the normal distribution, and shares of it, within 4 standard errors of 200,000 draws. */
static void normal_numbers_have_the_distribution(void **state) {
  (void)state;
  static const double at[] = {-2, -1, 0, 0.5, 1, 3};
  const int n = 200000;
  double sum = 0, squares = 0, fourth = 0, below[6] = {0};
  aq_normal normal;
  for (int i = 0; i < n; i++) {
    if (i % 500 == 0) aq_normal_begin(&normal, 9, (uint64_t)i);
    const double v = (double)aq_normal_next(&normal);
    sum += v, squares += v * v, fourth += v * v * v * v;
    for (size_t k = 0; k < 6; k++) below[k] += v < at[k] ? 1 : 0;
  }
  assert_true(fabs(sum / n) < 4 / sqrt(n));
  assert_true(fabs(squares / n - 1) < 4 * sqrt(2.0 / n));
  assert_true(fabs(fourth / n - 3) < 4 * sqrt(96.0 / n));
  for (size_t k = 0; k < 6; k++) {
    const double p = 0.5 * erfc(-at[k] / sqrt(2));
    assert_true(fabs(below[k] / n - p) < 4 * sqrt(p * (1 - p) / n));
  }
}

static void normal_numbers_are_always_these(void **state) {
  (void)state;
  aq_normal normal;
  aq_normal_begin(&normal, 1, 2);
  uint32_t bits[4];
  for (size_t i = 0; i < 4; i++) {
    const float v = aq_normal_next(&normal);
    memcpy(&bits[i], &v, sizeof v);
  }
  const uint32_t wanted[4] = {0x3f7fdafe, 0x3f8af462, 0xbe8c2efe, 0x3feeb6d0};
  assert_memory_equal(bits, wanted, sizeof wanted);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_are_those_of_the_definition),
      cmocka_unit_test(threads_change_no_bit),
      cmocka_unit_test(groups_are_added),
      cmocka_unit_test(same_input_again_gives_the_same),
      cmocka_unit_test(new_group_forgets_the_input_before),
      cmocka_unit_test(normal_numbers_have_the_distribution),
      cmocka_unit_test(normal_numbers_are_always_these),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
