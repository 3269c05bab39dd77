/* test_metrics.c - figures against numbers computed by hand, and the same at any number of threads. */
#include <math.h>

#include "check.h"
#include "core/memory.h"
#include "io/source.h"
#include "measure/metrics.h"

static void check_near(double value, double expected, double most, int line) {
  if (!(fabs(value - expected) <= most)) fail_msg("line %d: %.17g, expected %.17g", line, value, expected);
}
#define assert_near(value, expected, most) check_near(value, expected, most, __LINE__)

static aq_metrics measure(const float *a, const float *b, size_t n) {
  float ca[64], cb[64];
  assert_true(n <= 64);
  memcpy(ca, a, n * sizeof *a);
  memcpy(cb, b, n * sizeof *b);
  aq_metrics m = {0};
  aq_metrics_add_block(&m, ca, cb, n);
  aq_metrics_finish(&m);
  return m;
}

static void metrics_known_arrays_give_hand_computed_figures(void **state) {
  (void)state;
  const float a[] = {1, 2, 3}, b[] = {1, 2, 4};
  const aq_metrics m = measure(a, b, 3);
  assert_int_equal(m.count, 3);
  assert_near(m.cosine, 17.0 / sqrt(14.0 * 21.0), 1e-15);
  assert_near(m.cosine, 0.99146013, 1e-8);
  assert_near(m.snr_db, 11.46128036, 1e-8); /* 10 log10(14 / 1) */
  assert_near(m.mse, 1.0 / 3.0, 1e-15);
  assert_near(m.rmse, 0.57735027, 1e-8);
  assert_near(m.max_abs_error, 1.0, 0);
  assert_near(m.norm_ratio, 1.22474487, 1e-8); /* sqrt(21 / 14) */
}

static void metrics_more_than_a_lane_round_sums_every_element(void **state) {
  (void)state;
  float a[19], b[19];
  for (int i = 0; i < 19; i++) {
    a[i] = (float)(i + 1);
    b[i] = (float)(i + 1) + (i % 2 == 0 ? 0.5F : -0.5F);
  }
  const aq_metrics m = measure(a, b, 19);
  assert_near(m.sum_aa, 2470.0, 0); /* 19*20*39/6 */
  assert_near(m.sum_ee, 19 * 0.25, 0);
  assert_near(m.mse, 0.25, 0);
  assert_near(m.max_abs_error, 0.5, 0);
}

static void metrics_equal_arrays_have_cosine_exactly_one(void **state) {
  (void)state;
  float a[37];
  for (int i = 0; i < 37; i++) a[i] = 0.1F * (float)(i - 11) + 1e-3F;
  const aq_metrics m = measure(a, a, 37);
  assert_true(m.cosine == 1.0);
  assert_true(isinf(m.snr_db) && m.snr_db > 0);
  assert_true(m.mse == 0 && m.rmse == 0 && m.max_abs_error == 0);
  assert_true(m.norm_ratio == 1.0);
}

static void metrics_zeros_follow_their_rules(void **state) {
  (void)state;
  const float zero[4] = {0}, some[4] = {0, 1, 0, 0}, minus[4] = {0, -1, 0, 0};
  aq_metrics m = measure(zero, zero, 4);
  assert_true(m.cosine == 1.0 && m.norm_ratio == 1.0 && isinf(m.snr_db));
  m = measure(zero, some, 4);
  assert_true(m.cosine == 0.0 && isinf(m.norm_ratio));
  assert_true(isinf(m.snr_db) && m.snr_db < 0);
  m = measure(some, zero, 4);
  assert_true(m.cosine == 0.0 && m.norm_ratio == 0.0 && m.snr_db == 0.0);
  m = measure(some, minus, 4);
  assert_true(m.cosine == -1.0);
}

static void metrics_of_nothing_are_no_numbers(void **state) {
  (void)state;
  aq_metrics m = {0};
  aq_metrics_finish(&m);
  assert_true(isnan(m.cosine) && isnan(m.mse) && isnan(m.rmse) && isnan(m.snr_db) && isnan(m.norm_ratio));
  assert_true(isnan(m.max_abs_error));
  float nan_a[] = {NAN, INFINITY}, nan_b[] = {NAN, INFINITY};
  m = (aq_metrics){0};
  aq_metrics_add_block(&m, nan_a, nan_b, 2); /* they agree, and there is nothing else */
  m.count = 2;
  aq_metrics_finish(&m);
  assert_true(isnan(m.cosine) && m.nonfinite == 2 && m.nonfinite_mismatch == 0);
}

static void metrics_extreme_values_stay_in_range(void **state) {
  (void)state;
  const float big[] = {3e38F, -3e38F}, tiny[] = {1e-45F, 1e-45F};
  assert_true(measure(big, big, 2).cosine == 1.0);
  assert_true(measure(tiny, tiny, 2).cosine == 1.0);
}

static void metrics_equal_nonfinite_values_are_left_out(void **state) {
  (void)state;
  const float a[] = {1, NAN, INFINITY, -INFINITY, 2}, b[] = {1, NAN, INFINITY, -INFINITY, 3};
  const aq_metrics m = measure(a, b, 5);
  assert_int_equal(m.nonfinite, 3);
  assert_int_equal(m.nonfinite_mismatch, 0);
  assert_near(m.sum_ab, 7.0, 0);
  assert_near(m.mse, 0.5, 0); /* of the two that are left */
  assert_near(m.max_abs_error, 1.0, 0);
}

static void metrics_new_nonfinite_value_is_total_disagreement(void **state) {
  (void)state;
  const float a[] = {1, 2, 3}, with_nan[] = {1, NAN, 3}, other_sign[] = {INFINITY, 2, 3}, minus[] = {-INFINITY, 2, 3};
  aq_metrics m = measure(a, with_nan, 3);
  assert_int_equal(m.nonfinite_mismatch, 1);
  assert_true(m.cosine == 0.0 && isinf(m.max_abs_error) && isinf(m.rmse) && m.snr_db < 0);
  m = measure(other_sign, minus, 3);
  assert_int_equal(m.nonfinite_mismatch, 1);
}

/* ---- tensors ---- */

typedef struct memory_source {
  float *values[4];
} memory_source;

static aq_status read_memory(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                             size_t size, void *out, aq_error *err) {
  (void)piece;
  (void)err;
  const memory_source *m = source->impl;
  memcpy(out, (const uint8_t *)m->values[segment->where[0]] + offset, size);
  return AQ_OK;
}

static aq_status no_view(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                         aq_error *err) {
  (void)source;
  (void)segment;
  (void)piece;
  (void)err;
  *view = NULL;
  return AQ_OK;
}

static void close_memory(aq_source *source) {
  memory_source *m = source->impl;
  for (int i = 0; i < 4; i++) free(m->values[i]);
  free(m);
}

static const aq_source_ops memory_ops = {.close = close_memory, .read = read_memory, .view = no_view};

/* FP32 tensors t0, t1, ... of these lengths, filled by fn. */
static aq_source *make_source(const uint64_t *lengths, int count, float (*fn)(uint64_t i)) {
  aq_error err;
  aq_source *source = aq_calloc(1, sizeof *source);
  memory_source *m = calloc(1, sizeof *m);
  assert_non_null(source);
  assert_non_null(m);
  source->ops = &memory_ops;
  source->impl = m;
  source->format = "memory";
  for (int t = 0; t < count; t++) {
    char name[16];
    (void)snprintf(name, sizeof name, "t%d", t);
    m->values[t] = malloc((lengths[t] + 1) * sizeof(float));
    assert_non_null(m->values[t]);
    for (uint64_t i = 0; i < lengths[t]; i++) m->values[t][i] = fn(i + (uint64_t)t);
    const aq_tensor_info info = {.name = name,
                                 .dtype = AQ_F32,
                                 .rank = 1,
                                 .shape = {(int64_t)lengths[t]},
                                 .num_params = lengths[t],
                                 .data_bytes = lengths[t] * sizeof(float),
                                 .quant_axis = -1,
                                 .alias_of = -1};
    const aq_segment segment = {
        .num_params = lengths[t], .data_bytes = lengths[t] * sizeof(float), .where = {(uint64_t)t}};
    assert_ok(aq_source_add_tensor(source, &info, &segment, 1, &err));
  }
  return source;
}

static float wave(uint64_t i) { return (float)(int64_t)(i % 1009) * 0.001F - 0.5F; }
static float wave_off(uint64_t i) { return wave(i) + (i % 3 == 0 ? 0.25F : 0.0F); }

static void tensors_of_several_blocks_give_the_same_at_any_thread_count(void **state) {
  (void)state;
  aq_error err;
  const uint64_t lengths[] = {AQ_METRIC_BLOCK * 2 + 12345};
  aq_source *a = make_source(lengths, 1, wave), *b = make_source(lengths, 1, wave_off);
  aq_metrics one, three;
  aq_pool *pool;
  assert_ok(aq_pool_create(1, &pool, &err));
  assert_ok(aq_metrics_tensors(a, 0, b, 0, pool, &one, &err));
  aq_pool_free(pool);
  assert_ok(aq_pool_create(3, &pool, &err));
  assert_ok(aq_metrics_tensors(a, 0, b, 0, pool, &three, &err));
  aq_pool_free(pool);
  assert_memory_equal(&one, &three, sizeof one);
  assert_int_equal(one.count, lengths[0]);
  double ee = 0, aa = 0;
  for (uint64_t i = 0; i < lengths[0]; i++) {
    const double d = (double)wave(i) - (double)wave_off(i);
    ee += d * d;
    aa += (double)wave(i) * (double)wave(i);
  }
  assert_near(one.sum_ee, ee, ee * 1e-12);
  assert_near(one.sum_aa, aa, aa * 1e-12);
  aq_source_close(a);
  aq_source_close(b);
}

static void pairs_get_the_figures_of_their_own_tensors(void **state) {
  (void)state;
  aq_error err;
  const uint64_t lengths[] = {3, 0, AQ_METRIC_BLOCK + 1, 100};
  aq_source *a = make_source(lengths, 4, wave), *b = make_source(lengths, 4, wave_off);
  const aq_metric_pair pairs[] = {{3, 3}, {1, 1}, {2, 2}, {0, 0}};
  aq_metrics together[4], alone;
  aq_pool *pool;
  assert_ok(aq_pool_create(2, &pool, &err));
  assert_ok(aq_metrics_pairs(a, b, pairs, 4, pool, together, &err));
  for (int i = 0; i < 4; i++) {
    assert_ok(aq_metrics_tensors(a, pairs[i].ia, b, pairs[i].ib, pool, &alone, &err));
    assert_memory_equal(&together[i], &alone, sizeof alone);
    assert_int_equal(together[i].count, lengths[pairs[i].ia]);
  }
  aq_metrics total = {0};
  for (int i = 0; i < 4; i++) aq_metrics_merge(&total, &together[i]);
  assert_int_equal(total.count, 103 + AQ_METRIC_BLOCK + 1);
  assert_near(total.sum_aa, together[0].sum_aa + together[1].sum_aa + together[2].sum_aa + together[3].sum_aa, 1e-9);
  aq_pool_free(pool);
  aq_source_close(a);
  aq_source_close(b);
}

static void tensors_of_different_length_are_refused_by_name(void **state) {
  (void)state;
  aq_error err;
  const uint64_t four[] = {4}, five[] = {5};
  aq_source *a = make_source(four, 1, wave), *b = make_source(five, 1, wave);
  aq_metrics m;
  aq_pool *pool;
  assert_ok(aq_pool_create(1, &pool, &err));
  assert_int_equal(aq_metrics_tensors(a, 0, b, 0, pool, &m, &err), AQ_ERR_FORMAT);
  assert_string_equal(err.tensor, "t0");
  assert_int_equal(aq_metrics_tensors(a, 1, b, 0, pool, &m, &err), AQ_ERR_ARGUMENT);
  aq_pool_free(pool);
  aq_source_close(a);
  aq_source_close(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(metrics_known_arrays_give_hand_computed_figures),
      cmocka_unit_test(metrics_more_than_a_lane_round_sums_every_element),
      cmocka_unit_test(metrics_equal_arrays_have_cosine_exactly_one),
      cmocka_unit_test(metrics_zeros_follow_their_rules),
      cmocka_unit_test(metrics_of_nothing_are_no_numbers),
      cmocka_unit_test(metrics_extreme_values_stay_in_range),
      cmocka_unit_test(metrics_equal_nonfinite_values_are_left_out),
      cmocka_unit_test(metrics_new_nonfinite_value_is_total_disagreement),
      cmocka_unit_test(tensors_of_several_blocks_give_the_same_at_any_thread_count),
      cmocka_unit_test(pairs_get_the_figures_of_their_own_tensors),
      cmocka_unit_test(tensors_of_different_length_are_refused_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
