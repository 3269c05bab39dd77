/* test_triangle.c - lower triangles: to squares and back over sizes around a tile, traces, and division. */
#include "calib/fisher/triangle.h"
#include "check.h"

#include <math.h>

#define MOST 70 /* two tiles and a bit */

static float square[MOST * MOST], triangle[MOST * (MOST + 1) / 2];

/* [i][j] is its own number, so that no two are alike. */
static float value_at(size_t i, size_t j) { return (float)(i * MOST + j + 1); }

static void fill_triangle(size_t n) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j <= i; j++) triangle[aq_triangle_row(i) + j] = value_at(i, j);
  }
}

static void squares_have_every_value(void **state) {
  (void)state;
  for (size_t n = 1; n <= MOST; n++) {
    fill_triangle(n);
    aq_triangle_expand(triangle, n, square);
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j < n; j++) assert_true(square[i * n + j] == (i >= j ? value_at(i, j) : value_at(j, i)));
    }
    aq_triangle_expand_lower(triangle, n, square);
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j < n; j++) assert_true(square[i * n + j] == (i >= j ? value_at(i, j) : 0));
    }
  }
}

static void packing_undoes_expanding(void **state) {
  (void)state;
  float packed[MOST * (MOST + 1) / 2];
  for (size_t n = 1; n <= MOST; n += 23) {
    fill_triangle(n);
    aq_triangle_expand(triangle, n, square);
    aq_triangle_pack(square, n, packed);
    assert_memory_equal(packed, triangle, aq_triangle_row(n) * sizeof *packed);
  }
}

static void trace_is_the_sum_of_the_diagonal(void **state) {
  (void)state;
  double sum = 0;
  fill_triangle(MOST);
  for (size_t i = 0; i < MOST; i++) sum += (double)value_at(i, i);
  assert_true(aq_triangle_trace(triangle, MOST) == sum);
}

static void division_reaches_every_value(void **state) {
  (void)state;
  aq_error err;
  aq_pool *pool;
  assert_ok(aq_pool_create(2, &pool, &err));
  for (size_t n = 1; n <= MOST; n += 23) {
    fill_triangle(n);
    assert_ok(aq_triangle_divide(pool, triangle, n, 4, &err));
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j <= i; j++) assert_true(triangle[aq_triangle_row(i) + j] == value_at(i, j) / 4);
    }
  }
  aq_pool_free(pool);
}

/* Wherever the value is, in the last row too. */
static void infinities_are_refused(void **state) {
  (void)state;
  aq_error err;
  aq_pool *pool;
  assert_ok(aq_pool_create(1, &pool, &err));
  for (size_t at = 0; at < aq_triangle_row(MOST); at += aq_triangle_row(MOST) / 5 - 1) {
    fill_triangle(MOST);
    triangle[at] = INFINITY;
    assert_int_equal(aq_triangle_divide(pool, triangle, MOST, 1, &err), AQ_ERR_NONFINITE);
  }
  aq_pool_free(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(squares_have_every_value),         cmocka_unit_test(packing_undoes_expanding),
      cmocka_unit_test(trace_is_the_sum_of_the_diagonal), cmocka_unit_test(division_reaches_every_value),
      cmocka_unit_test(infinities_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
