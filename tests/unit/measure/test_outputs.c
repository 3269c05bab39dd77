/* test_outputs.c - agreement of embeddings and rank correlation, on numbers worked out by hand. */
#include <math.h>

#include "check.h"
#include "measure/builtin_texts.h"
#include "measure/outputs.h"
#include "measure/rank.h"

#define PI 3.14159265358979323846
#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-15)

static double spearman(const double *x, const double *y, size_t n) {
  aq_error err;
  double rho = -7;
  assert_ok(aq_spearman(x, y, n, &rho, &err));
  return rho;
}

/* ---- ranks ---- */

static void spearman_swapped_neighbours_is_as_by_hand(void **state) {
  (void)state;
  const double x[] = {1, 2, 3, 4, 5}, y[] = {20, 10, 40, 30, 50}; /* 1 - 6 * 4 / (5 * 24) */
  assert_near(spearman(x, y, 5), 0.8);
}

static void spearman_ties_share_the_mean_rank(void **state) {
  (void)state;
  const double x[] = {1, 2, 2, 4}, y[] = {1, 3, 2, 4}; /* ranks 1, 2.5, 2.5, 4: 4.5 / sqrt(4.5 * 5) */
  assert_near(spearman(x, y, 4), 4.5 / sqrt(22.5));
}

static void spearman_same_and_reversed_order_are_one_exactly(void **state) {
  (void)state;
  const double x[] = {-3, 0.5, 8, 9, 1e9, 2}, up[] = {1, 2, 4, 5, 6, 3}, down[] = {6, 5, 3, 2, 1, 4};
  assert_true(spearman(x, up, 6) == 1.0);
  assert_true(spearman(x, down, 6) == -1.0);
}

static void spearman_of_too_little_is_nan(void **state) {
  (void)state;
  const double x[] = {1, 2, 3}, constant[] = {5, 5, 5};
  assert_true(isnan(spearman(x, x, 0)));
  assert_true(isnan(spearman(x, x, 1)));
  assert_true(isnan(spearman(x, constant, 3)));
  assert_true(isnan(spearman(constant, x, 3)));
}

/* ---- embeddings ---- */

static aq_output_figures compare(const float *a, const float *b, size_t texts, size_t dimension, uint32_t threads) {
  aq_error err;
  aq_pool *pool;
  static double cosines[4096];
  aq_output_figures f;
  assert_ok(aq_pool_create(threads, &pool, &err));
  assert_ok(aq_output_compare(a, b, texts, dimension, pool, cosines, &f, &err));
  aq_pool_free(pool);
  return f;
}

static void outputs_cosines_are_as_by_hand(void **state) {
  (void)state;
  const float a[] = {3, 4, 1, 0, 0, 2, 0, 0}, b[] = {4, 3, 0, 1, 0, 5, 1, 0}; /* 24/25, 0, 1, 0 */
  const aq_output_figures f = compare(a, b, 4, 2, 1);
  assert_near(f.mean, 1.96 / 4);
  assert_true(f.min == 0 && f.p1 == 0);
  assert_int_equal(f.worst, 1); /* the first of equals */
  const aq_output_figures two = compare(a + 4, b + 4, 1, 2, 1);
  assert_true(two.mean == 1.0 && two.min == 1.0);
}

static void outputs_percentile_lies_between_neighbours(void **state) {
  (void)state;
  const float a[] = {3, 4, 1, 0}, b[] = {4, 3, 1, 0}; /* 0.96 and 1: 0.96 + 0.01 * 0.04 */
  const aq_output_figures f = compare(a, b, 2, 2, 1);
  assert_near(f.p1, 0.9604);
  assert_near(f.mean, 0.98);
}

static void outputs_one_text_has_no_neighbours(void **state) {
  (void)state;
  const float a[] = {1, 2}, b[] = {2, 1};
  const aq_output_figures f = compare(a, b, 1, 2, 2);
  assert_int_equal(f.neighbours, 0);
  assert_true(isnan(f.overlap) && isnan(f.spearman));
  assert_near(f.min, 0.8);
}

static void put_angle(float *vector, double degrees) {
  vector[0] = (float)cos(degrees * PI / 180);
  vector[1] = (float)sin(degrees * PI / 180);
}

/* Twelve directions 5 degrees apart: each text has 11 others and loses only the farthest. With the two ends exchanged,
 * the ten between lose the other end, and the ends themselves keep all ten. */
static void outputs_exchanged_ends_lose_one_neighbour_each(void **state) {
  (void)state;
  float a[24], b[24];
  for (int i = 0; i < 12; i++) {
    put_angle(a + 2 * i, 5.0 * i);
    put_angle(b + 2 * i, 5.0 * (i == 0 ? 11 : i == 11 ? 0 : i));
  }
  const aq_output_figures f = compare(a, b, 12, 2, 2);
  assert_int_equal(f.neighbours, 10);
  assert_int_equal(f.sampled, 12);
  assert_near(f.overlap, 110.0 / 120.0);
}

static void outputs_reversed_similarities_correlate_at_minus_one(void **state) {
  (void)state;
  static const double before[] = {0, 10, 90}, after[] = {0, 90, 10}; /* cosines of pairs 01 > 12 > 02; 02 > 12 > 01 */
  float a[6], b[6];
  for (int i = 0; i < 3; i++) put_angle(a + 2 * i, before[i]), put_angle(b + 2 * i, after[i]);
  const aq_output_figures f = compare(a, b, 3, 2, 1);
  assert_true(f.spearman == -1.0);
  assert_int_equal(f.neighbours, 2);
  assert_true(f.overlap == 1.0); /* both others are neighbours, in whatever order */
}

enum { MANY = 40, SPACE = 3 };

/* Numbers of -1, 0 and 1: many texts are equally near, and some are zero. */
static void fill_coarsely(float *out, uint32_t seed) {
  for (size_t i = 0; i < MANY * SPACE; i++) {
    seed = seed * 1664525U + 1013904223U;
    out[i] = (float)((int)((seed >> 16) % 3U) - 1);
  }
}

static double cosine_of_pair(const float *v, size_t i, size_t j) {
  float pair[2 * SPACE];
  double cosine;
  memcpy(pair, v + i * SPACE, SPACE * sizeof *v);
  memcpy(pair + SPACE, v + j * SPACE, SPACE * sizeof *v);
  aq_output_pairs(pair, 1, SPACE, &cosine);
  return cosine;
}

/* Straight from the definition: fewer than ten others are nearer, or as near and earlier. */
static bool is_neighbour(const float *v, size_t i, size_t j) {
  size_t before = 0;
  for (size_t k = 0; k < MANY; k++) {
    if (k == i || k == j) continue;
    const double s = cosine_of_pair(v, i, k), mine = cosine_of_pair(v, i, j);
    before += s > mine || (!(s < mine) && k < j) ? 1 : 0;
  }
  return j != i && before < AQ_OUTPUT_NEIGHBOURS;
}

static void outputs_equally_near_texts_go_by_their_order(void **state) {
  (void)state;
  float a[MANY * SPACE], b[MANY * SPACE];
  fill_coarsely(a, 1);
  fill_coarsely(b, 2);
  size_t kept = 0;
  for (size_t i = 0; i < MANY; i++) {
    for (size_t j = 0; j < MANY; j++) kept += is_neighbour(a, i, j) && is_neighbour(b, i, j) ? 1 : 0;
  }
  const aq_output_figures f = compare(a, b, MANY, SPACE, 2);
  assert_near(f.overlap, (double)kept / (MANY * 10));
  static double x[MANY * MANY], y[MANY * MANY];
  size_t n = 0;
  for (size_t i = 0; i < MANY; i++) {
    for (size_t j = i + 1; j < MANY; j++, n++) x[n] = cosine_of_pair(a, i, j), y[n] = cosine_of_pair(b, i, j);
  }
  assert_true(f.spearman == spearman(x, y, n));
}

static void outputs_threads_change_nothing(void **state) {
  (void)state;
  float a[MANY * SPACE], b[MANY * SPACE];
  fill_coarsely(a, 3);
  fill_coarsely(b, 4);
  const aq_output_figures one = compare(a, b, MANY, SPACE, 1), three = compare(a, b, MANY, SPACE, 3);
  assert_true(one.overlap == three.overlap && one.spearman == three.spearman && one.mean == three.mean);
}

static void outputs_nonfinite_embedding_agrees_with_nothing(void **state) {
  (void)state;
  float a[] = {1, 2, 2, 1, 5, 1}, b[] = {1, 2, NAN, 1, 5, INFINITY};
  const aq_output_figures f = compare(a, b, 3, 2, 1);
  assert_true(f.min == 0.0);
  assert_int_equal(f.worst, 1);
  assert_near(f.mean, 1.0 / 3);
  assert_true(f.overlap == 1.0); /* two others, two neighbours */
  const aq_output_figures turned = compare(b, a, 3, 2, 1);
  assert_true(turned.min == 0.0 && turned.mean == f.mean);
}

static void outputs_of_many_texts_are_paired_in_a_sample(void **state) {
  (void)state;
  enum { TEXTS = 2500 };
  static float a[2 * TEXTS], b[2 * TEXTS];
  for (int i = 0; i < TEXTS; i++) put_angle(a + 2 * i, i * 0.1);
  memcpy(b, a, sizeof a);
  b[2] = -b[2]; /* the sample has 0, 1, 2, 3, 5, 6, 7, 8, 10, ... */
  const aq_output_figures f = compare(a, b, TEXTS, 2, 2);
  assert_int_equal(f.texts, TEXTS);
  assert_int_equal(f.sampled, AQ_OUTPUT_SAMPLE);
  assert_true(f.min < 0 && f.overlap < 1);
  memcpy(b, a, sizeof a);
  b[2 * 4] = -b[2 * 4]; /* and not text 4 */
  const aq_output_figures unseen = compare(a, b, TEXTS, 2, 2);
  assert_true(unseen.min < 0 && unseen.overlap == 1.0 && unseen.spearman == 1.0);
}

/* ---- built-in texts ---- */

static void builtin_texts_are_many_kinds_and_none_twice(void **state) {
  (void)state;
  size_t kinds = 0, longest = 0;
  for (size_t i = 0; i < aq_builtin_text_count; i++) {
    const aq_builtin_text *t = &aq_builtin_texts[i];
    assert_true(t->text[0] != '\0');
    kinds += i == 0 || strcmp(aq_builtin_texts[i - 1].kind, t->kind) != 0 ? 1 : 0;
    size_t words = 1;
    for (const char *c = t->text; *c != '\0'; c++) words += *c == ' ' ? 1 : 0;
    longest = words > longest ? words : longest;
    for (size_t j = 0; j < i; j++) assert_string_not_equal(aq_builtin_texts[j].text, t->text);
  }
  assert_int_equal(aq_builtin_text_count, 178);
  assert_int_equal(kinds, 7); /* each in one piece */
  assert_true(longest >= 180 && longest <= 300);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(spearman_swapped_neighbours_is_as_by_hand),
      cmocka_unit_test(spearman_ties_share_the_mean_rank),
      cmocka_unit_test(spearman_same_and_reversed_order_are_one_exactly),
      cmocka_unit_test(spearman_of_too_little_is_nan),
      cmocka_unit_test(outputs_cosines_are_as_by_hand),
      cmocka_unit_test(outputs_percentile_lies_between_neighbours),
      cmocka_unit_test(outputs_one_text_has_no_neighbours),
      cmocka_unit_test(outputs_exchanged_ends_lose_one_neighbour_each),
      cmocka_unit_test(outputs_reversed_similarities_correlate_at_minus_one),
      cmocka_unit_test(outputs_equally_near_texts_go_by_their_order),
      cmocka_unit_test(outputs_threads_change_nothing),
      cmocka_unit_test(outputs_nonfinite_embedding_agrees_with_nothing),
      cmocka_unit_test(outputs_of_many_texts_are_paired_in_a_sample),
      cmocka_unit_test(builtin_texts_are_many_kinds_and_none_twice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
