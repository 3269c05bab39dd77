/* test_feedback.c - rounding with error feedback against its definition, written out element by element. */
#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "faulty_allocator.h"
#include "quant/feedback.h"

/* The example of docs/schemes/feedback.md: 2 rows of 4. */
static const float example[8] = {-0.9f, -0.4f, -0.1f, 0.0f, 0.2f, 0.3f, 0.7f, 1.6f};
static const float example_input_l[16] = {1, 0, 0, 0, 1, 1, 0, 0, 0.25f, 1, 1, 0, 1, 0.25f, 1, 1};
static const float example_output_l[4] = {1, 0, 1, 1};
static const float example_scales[2] = {0.5f, 0.5f};

static aq_feedback example_of(const float *input_l, const float *output_l) {
  return (aq_feedback){.rows = 2,
                       .cols = 4,
                       .w = example,
                       .input_l = input_l,
                       .output_l = output_l,
                       .input_gain = 1,
                       .output_gain = 1,
                       .scales = example_scales,
                       .span = 4,
                       .qmin = -8,
                       .qmax = 7};
}

static void examples_give_the_documented_codes(void **state) {
  (void)state;
  static const struct {
    bool inputs, outputs;
    int8_t codes[8];
  } cases[] = {
      {false, false, {-2, -1, 0, 0, 0, 1, 1, 3}},
      {false, true, {-1, -1, 0, 0, 0, 1, 1, 3}},
      {true, false, {-2, -1, 0, 0, 1, 0, 2, 3}},
      {true, true, {-2, 0, -1, 0, 1, 0, 2, 3}},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_error err;
    int8_t codes[8];
    const aq_feedback f =
        example_of(cases[i].inputs ? example_input_l : NULL, cases[i].outputs ? example_output_l : NULL);
    assert_ok(aq_feedback_round(&f, NULL, codes, &err));
    assert_memory_equal(codes, cases[i].codes, 8);
  }
}

/* ---- a matrix of any size ---- */

typedef struct matrix {
  aq_feedback f;
  float *w, *input_l, *output_l, *scales, *zeros;
} matrix;

static uint64_t state64;
static float uniform(void) { /* [-1, 1) */
  state64 = state64 * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (float)(state64 >> 40) * 0x1p-23f - 1;
}

static float *random_array(size_t n, float middle, float spread) {
  float *x = malloc((n + 1) * sizeof *x);
  for (size_t i = 0; i < n; i++) x[i] = middle + spread * uniform();
  return x;
}

/* Above the diagonal there is something that must not be read. */
static float *random_lower(size_t n) {
  float *l = random_array(n * n, 0, 0.2f);
  for (size_t i = 0; i < n; i++) {
    l[i * n + i] = 1;
    for (size_t j = i + 1; j < n; j++) l[i * n + j] = 1e30f;
  }
  return l;
}

static matrix make(size_t rows, size_t cols, size_t span, bool inputs, bool outputs, bool zeros) {
  matrix m = {.w = random_array(rows * cols, 0, 1),
              .input_l = inputs ? random_lower(cols) : NULL,
              .output_l = outputs ? random_lower(rows) : NULL,
              .scales = random_array(rows * (cols / span), 0.3f, 0.2f),
              .zeros = zeros ? random_array(rows * (cols / span), 0, 1) : NULL};
  m.scales[rows * (cols / span) / 2] = 0;
  m.f = (aq_feedback){.rows = rows,
                      .cols = cols,
                      .w = m.w,
                      .input_l = m.input_l,
                      .output_l = m.output_l,
                      .input_gain = 0.9f,
                      .output_gain = 0.8f,
                      .scales = m.scales,
                      .zero_points = m.zeros,
                      .span = span,
                      .qmin = -8,
                      .qmax = 7};
  return m;
}

static void drop(matrix *m) {
  free(m->w);
  free(m->input_l);
  free(m->output_l);
  free(m->scales);
  free(m->zeros);
}

/* What feedback.c's first comment says, and nothing cleverer. `errors` and `passed`: rows x cols. */
static void by_definition(const aq_feedback *f, float *errors, float *passed, int8_t *codes) {
  const size_t rows = f->rows, cols = f->cols;
  for (size_t i = rows; i-- > 0;) {
    for (size_t j = cols; j-- > 0;) {
      float over_rows = 0, over_columns = 0;
      for (size_t r = rows; f->output_l != NULL && --r > i;)
        over_rows += f->output_l[r * rows + i] * errors[r * cols + j];
      for (size_t k = cols; f->input_l != NULL && --k > j;)
        over_columns += passed[i * cols + k] * f->input_l[k * cols + j];
      const size_t span = i * (cols / f->span) + j / f->span, at = i * cols + j;
      const float from_rows = f->output_gain * over_rows, from_columns = f->input_gain * over_columns;
      const float zero = f->zero_points != NULL ? f->zero_points[span] : 0, scale = f->scales[span];
      const float x = (f->w[at] + from_rows) + from_columns, u = scale > 0 ? x / scale + zero : 0;
      const float r = rintf(u), q = fminf(fmaxf(r, (float)f->qmin), (float)f->qmax);
      codes[at] = (int8_t)q;
      errors[at] = r == q ? f->w[at] - (q - zero) * scale : 0;
      passed[at] = r == q ? errors[at] + from_rows : 0;
    }
  }
}

static void check_matrix(const aq_feedback *f, aq_pool *pool) {
  aq_error err;
  const size_t n = f->rows * f->cols;
  float *errors = malloc(n * sizeof *errors), *passed = malloc(n * sizeof *passed);
  int8_t *expected = malloc(n), *codes = malloc(n + 1);
  by_definition(f, errors, passed, expected);
  codes[n] = 99;
  assert_ok(aq_feedback_round(f, pool, codes, &err));
  assert_memory_equal(codes, expected, n);
  assert_int_equal(codes[n], 99);
  free(errors);
  free(passed);
  free(expected);
  free(codes);
}

static void round_any_shape_equals_definition(void **state) {
  (void)state;
  static const struct {
    size_t rows, cols, span;
  } shapes[] = {{1, 1, 1}, {1, 70, 7}, {33, 1, 1}, {32, 32, 32}, {31, 33, 11}, {65, 96, 32}, {70, 300, 60}};
  aq_error err;
  aq_pool *pool;
  assert_ok(aq_pool_create(3, &pool, &err));
  for (size_t s = 0; s < AQ_COUNT_OF(shapes); s++) {
    for (int variant = 0; variant < 8; variant++) {
      matrix m = make(shapes[s].rows, shapes[s].cols, shapes[s].span, variant & 1, variant & 2, variant & 4);
      check_matrix(&m.f, NULL);
      check_matrix(&m.f, pool);
      drop(&m);
    }
  }
  aq_pool_free(pool);
}

static void round_without_feedback_is_nearest(void **state) {
  (void)state;
  aq_error err;
  matrix m = make(9, 40, 40, false, false, false);
  int8_t codes[360];
  assert_ok(aq_feedback_round(&m.f, NULL, codes, &err));
  for (size_t i = 0; i < 360; i++) {
    const float scale = m.scales[i / 40], q = scale > 0 ? rintf(m.w[i] / scale) : 0;
    assert_int_equal(codes[i], (int)fminf(fmaxf(q, -8), 7));
  }
  drop(&m);
}

static void round_clipped_weight_passes_nothing_on(void **state) {
  (void)state;
  aq_error err;
  const float l[4] = {1, 0, 0.5f, 1}, scale = 1;
  for (int side = 0; side < 2; side++) {
    float w[2] = {0.4f, 100}; /* the second is far out of range: its error would take the first along */
    aq_feedback f = {.rows = 1,
                     .cols = 2,
                     .w = w,
                     .input_l = l,
                     .input_gain = 1,
                     .output_gain = 1,
                     .scales = &scale,
                     .span = 2,
                     .qmin = -8,
                     .qmax = 7};
    const float scales[2] = {1, 1};
    if (side == 1)
      f = (aq_feedback){.rows = 2,
                        .cols = 1,
                        .w = w,
                        .output_l = l,
                        .input_gain = 1,
                        .output_gain = 1,
                        .scales = scales,
                        .span = 1,
                        .qmin = -8,
                        .qmax = 7};
    int8_t codes[2];
    assert_ok(aq_feedback_round(&f, NULL, codes, &err));
    assert_int_equal(codes[0], 0);
    assert_int_equal(codes[1], 7);
    w[1] = 7.4f; /* cut off by rounding alone: the error counts */
    assert_ok(aq_feedback_round(&f, NULL, codes, &err));
    assert_int_equal(codes[0], 1);
    assert_int_equal(codes[1], 7);
  }
}

static void round_nothing_is_fine(void **state) {
  (void)state;
  aq_error err;
  const aq_feedback no_rows = {.cols = 4, .span = 4}, no_columns = {.rows = 4, .span = 1};
  assert_ok(aq_feedback_round(&no_rows, NULL, NULL, &err));
  assert_ok(aq_feedback_round(&no_columns, NULL, NULL, &err));
}

/* ---- what feedback is for ---- */

/* Second moments of correlated columns. */
static float *moments_of(size_t n) {
  float *a = calloc(n * n, sizeof *a);
  for (size_t t = 0; t < 3 * n; t++) {
    float *x = random_array(n, 0, 1);
    for (size_t i = 1; i < n; i++) x[i] = 0.8f * x[i - 1] + 0.6f * x[i];
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j < n; j++) a[i * n + j] += x[i] * x[j];
    }
    free(x);
  }
  return a;
}

static double loss_with(const aq_feedback *f, const float *a, const float *g) {
  aq_error err;
  int8_t codes[48 * 64];
  float values[48 * 64];
  double loss;
  assert_ok(aq_feedback_round(f, NULL, codes, &err));
  for (size_t i = 0; i < f->rows * f->cols; i++) values[i] = (float)codes[i] * f->scales[i / f->span];
  assert_ok(aq_feedback_loss(f->rows, f->cols, f->w, values, a, g, &loss, &err));
  return loss;
}

static void feedback_lowers_the_loss_that_it_is_for(void **state) {
  (void)state;
  enum { ROWS = 48, COLS = 64 };
  aq_error err;
  float *a = moments_of(COLS), *g = moments_of(ROWS), *w = random_array(ROWS * COLS, 0, 1);
  static float input_l[COLS * COLS], output_l[ROWS * ROWS], d[COLS], scales[ROWS];
  assert_ok(aq_ldl(a, COLS, 0.01, input_l, d, &err));
  assert_ok(aq_ldl(g, ROWS, 0.01, output_l, d, &err));
  for (size_t i = 0; i < ROWS; i++) scales[i] = 0.4f;
  aq_feedback f = {.rows = ROWS,
                   .cols = COLS,
                   .w = w,
                   .input_gain = 1,
                   .output_gain = 1,
                   .scales = scales,
                   .span = COLS,
                   .qmin = -8,
                   .qmax = 7};
  const double nearest = loss_with(&f, a, g);
  f.input_l = input_l;
  const double one_sided = loss_with(&f, a, g);
  f.output_l = output_l;
  const double two_sided = loss_with(&f, a, g);
  assert_true(one_sided < 0.6 * nearest);
  assert_true(two_sided < 0.6 * one_sided);
  free(a);
  free(g);
  free(w);
}

/* E = (1 2; 3 4), A = (2 1; 1 3), G = (1 1; 1 2): E A = (4 7; 10 15), G E = (4 6; 7 10); 16+42 + 70+150. */
static void loss_by_hand(void **state) {
  (void)state;
  aq_error err;
  const float w[4] = {2, 4, 6, 8}, values[4] = {1, 2, 3, 4}, a[4] = {2, 1, 1, 3}, g[4] = {1, 1, 1, 2};
  static const struct {
    bool a, g;
    double loss;
  } cases[] = {{true, true, 278},
               {true, false, 1 * 4 + 2 * 7 + 3 * 10 + 4 * 15},
               {false, true, 4 + 12 + 21 + 40},
               {false, false, 30}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    double loss;
    assert_ok(aq_feedback_loss(2, 2, w, values, cases[i].a ? a : NULL, cases[i].g ? g : NULL, &loss, &err));
    assert_true(loss == cases[i].loss);
  }
}

static void loss_of_blocks_equals_plain_sums(void **state) {
  (void)state;
  enum { ROWS = 71, COLS = 131 };
  aq_error err;
  float *a = moments_of(COLS), *g = moments_of(ROWS), *w = random_array(ROWS * COLS, 0, 1),
        *v = random_array(ROWS * COLS, 0, 1);
  double loss, expected = 0;
  for (size_t i = 0; i < ROWS; i++) {
    for (size_t j = 0; j < COLS; j++) {
      double left = 0, right = 0;
      for (size_t r = 0; r < ROWS; r++)
        left += (double)g[i * ROWS + r] * ((double)w[r * COLS + j] - (double)v[r * COLS + j]);
      for (size_t k = 0; k < COLS; k++)
        right += ((double)w[i * COLS + k] - (double)v[i * COLS + k]) * (double)a[k * COLS + j];
      expected += left * right;
    }
  }
  assert_ok(aq_feedback_loss(ROWS, COLS, w, v, a, g, &loss, &err));
  assert_true(fabs(loss - expected) < 1e-11 * expected);
  free(a);
  free(g);
  free(w);
  free(v);
}

/* ---- out of memory ---- */

static aq_status all_of_it(aq_pool *pool, const matrix *m, aq_error *err) {
  static float l[64 * 64], d[64];
  static int8_t codes[70 * 64];
  double loss;
  aq_status status = aq_ldl(m->w, 64, 1e6, l, d, err);
  if (status == AQ_OK) status = aq_feedback_round(&m->f, pool, codes, err);
  if (status == AQ_OK) status = aq_feedback_loss(70, 64, m->w, m->w, NULL, NULL, &loss, err);
  return status;
}

static void every_failed_allocation_is_reported(void **state) {
  (void)state;
  aq_error err;
  aq_pool *pool;
  assert_ok(aq_pool_create(2, &pool, &err));
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  for (int outputs = 0; outputs < 2; outputs++) {
    matrix m = make(70, 64, 64, true, outputs, false);
    for (size_t i = 0; i < 64; i++) m.w[i * 65] = 1;
    long n = 1;
    aq_set_allocator(&faulty);
    for (;; n++) {
      atomic_store(&countdown, n);
      const aq_status status = all_of_it(pool, &m, &err);
      assert_int_equal(atomic_load(&alive), 0);
      if (status == AQ_OK) break;
      assert_int_equal(status, AQ_ERR_MEMORY);
    }
    aq_set_allocator(NULL);
    assert_true(n > 8);
    drop(&m);
  }
  aq_pool_free(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(examples_give_the_documented_codes),
      cmocka_unit_test(round_any_shape_equals_definition),
      cmocka_unit_test(round_without_feedback_is_nearest),
      cmocka_unit_test(round_clipped_weight_passes_nothing_on),
      cmocka_unit_test(round_nothing_is_fine),
      cmocka_unit_test(feedback_lowers_the_loss_that_it_is_for),
      cmocka_unit_test(loss_by_hand),
      cmocka_unit_test(loss_of_blocks_equals_plain_sums),
      cmocka_unit_test(every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests_name("feedback", tests, NULL, NULL);
}
