/* test_scheme.c - scales, zero points and codes against the worked examples and the rules of docs/schemes/. */
#include <float.h>
#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

/* The example of minmax.md, mse.md and packing.md. */
static const float example[8] = {-0.9f, -0.4f, -0.1f, 0.0f, 0.2f, 0.3f, 0.7f, 1.6f};
static const struct worked {
  aq_scheme scheme;
  float scale, zero_point;
  int8_t codes[8];
  uint8_t data[8];
} worked[] = {
    {{.type = AQ_INT8, .method = AQ_MINMAX, .symmetric = true},
     0x1.9cd34p-7f,
     0,
     {-71, -32, -8, 0, 16, 24, 56, 127},
     {0xb9, 0xe0, 0xf8, 0x00, 0x10, 0x18, 0x38, 0x7f}},
    {{.type = AQ_INT8, .method = AQ_MINMAX, .symmetric = false},
     0x1.414142p-7f,
     -0x1.21999cp+5f,
     {-128, -77, -46, -36, -16, -6, 35, 127},
     {0x80, 0xb3, 0xd2, 0xdc, 0xf0, 0xfa, 0x23, 0x7f}},
    {{.type = AQ_INT4, .method = AQ_MINMAX, .symmetric = true},
     0x1.d41d42p-3f,
     0,
     {-4, -2, 0, 0, 1, 1, 3, 7},
     {0x64, 0x88, 0x99, 0xfb}},
    {{.type = AQ_INT4, .method = AQ_MINMAX, .symmetric = false},
     0x1.555556p-3f,
     -0x1.4cccdp+1f,
     {-8, -5, -3, -3, -1, -1, 2, 7},
     {0x30, 0x55, 0x77, 0xfa}},
    {{.type = AQ_INT3, .method = AQ_MINMAX, .symmetric = true},
     0x1.111112p-1f,
     0,
     {-2, -1, 0, 0, 0, 1, 1, 3},
     {0x1a, 0xc9, 0xf6}},
    {{.type = AQ_INT3, .method = AQ_MINMAX, .symmetric = false},
     0x1.6db6dcp-2f,
     -0x1.7ae14ap+0f,
     {-4, -3, -2, -1, -1, -1, 0, 3},
     {0x88, 0xb6, 0xf1}},
    {{.type = AQ_INT2, .method = AQ_MINMAX, .symmetric = true},
     0x1.99999ap+0f,
     0,
     {-1, 0, 0, 0, 0, 0, 0, 1},
     {0xa9, 0xea}},
    {{.type = AQ_INT2, .method = AQ_MINMAX, .symmetric = false},
     0x1.aaaaaap-1f,
     -0x1.d70a3ep-1f,
     {-2, -1, -1, -1, -1, -1, 0, 1},
     {0x54, 0xe5}},
    {{.type = AQ_INT8, .method = AQ_MSE, .symmetric = true},
     0x1.9cp-7f,
     0,
     {-72, -32, -8, 0, 16, 24, 56, 127},
     {0xb8, 0xe0, 0xf8, 0x00, 0x10, 0x18, 0x38, 0x7f}},
    {{.type = AQ_INT8, .method = AQ_MSE, .symmetric = false},
     0x1.42p-7f,
     -36.1875f,
     {-128, -77, -46, -36, -16, -6, 35, 127},
     {0x80, 0xb3, 0xd2, 0xdc, 0xf0, 0xfa, 0x23, 0x7f}},
    {{.type = AQ_INT4, .method = AQ_MSE, .symmetric = true},
     0x1.dp-3f,
     0,
     {-4, -2, 0, 0, 1, 1, 3, 7},
     {0x64, 0x88, 0x99, 0xfb}},
    {{.type = AQ_INT4, .method = AQ_MSE, .symmetric = false},
     0x1.5p-3f,
     -2.5625f,
     {-8, -5, -3, -3, -1, -1, 2, 7},
     {0x30, 0x55, 0x77, 0xfa}},
    {{.type = AQ_INT3, .method = AQ_MSE, .symmetric = true},
     0x1p-1f,
     0,
     {-2, -1, 0, 0, 0, 1, 1, 3},
     {0x1a, 0xc9, 0xf6}},
    {{.type = AQ_INT3, .method = AQ_MSE, .symmetric = false},
     0x1.ap-2f,
     -0.8125f,
     {-3, -2, -1, -1, 0, 0, 1, 3},
     {0xd1, 0x46, 0xf6}},
    {{.type = AQ_INT2, .method = AQ_MSE, .symmetric = true}, 0x1.1p+0f, 0, {-1, 0, 0, 0, 0, 0, 1, 1}, {0xa9, 0xfa}},
    {{.type = AQ_INT2, .method = AQ_MSE, .symmetric = false},
     0x1.7p-1f,
     -1.125f,
     {-2, -2, -1, -1, -1, -1, 0, 1},
     {0x50, 0xe5}},
};

static const aq_quant_type types[] = {AQ_INT8, AQ_INT4, AQ_INT3, AQ_INT2};

/* Every combination of type, method and symmetry. */
static aq_scheme scheme_at(size_t i) {
  return (aq_scheme){.type = types[i / 4], .method = i & 1 ? AQ_MSE : AQ_MINMAX, .symmetric = (i & 2) != 0};
}
enum { SCHEMES = 16 };

/* A hump of numbers around zero, the same on every machine. */
static void fill(float *x, size_t n, uint32_t seed) {
  uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  for (size_t i = 0; i < n; i++) {
    float sum = 0;
    for (int k = 0; k < 4; k++) {
      state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
      sum += (float)(state >> 40) * 0x1p-24f - 0.5f;
    }
    x[i] = sum * 0.1f;
  }
}

static void examples_give_the_documented_bytes(void **state) {
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(worked); i++) {
    const struct worked *w = &worked[i];
    float scale, zero_point;
    uint8_t data[8];
    int8_t codes[8];
    assert_true(aq_fit_span(&w->scheme, example, 8, &scale, &zero_point));
    assert_float_equal(scale, w->scale, 0);
    assert_float_equal(zero_point, w->zero_point, 0);
    aq_encode(&w->scheme, example, 8, 8, 0, &scale, &zero_point, codes, data);
    assert_memory_equal(data, w->data, aq_quant_type_bits(w->scheme.type));
    float x[8];
    aq_decode(w->scheme.type, data, 8, 8, 0, &scale, &zero_point, codes, x);
    for (int j = 0; j < 8; j++) assert_float_equal(x[j], ((float)w->codes[j] - zero_point) * scale, 0);
  }
}

static void packing_tail_gives_the_documented_bytes(void **state) {
  (void)state;
  const aq_scheme scheme = {.type = AQ_INT3, .method = AQ_MINMAX, .symmetric = true};
  const float x[3] = {3, -4, 1}, scale = 1, zero_point = 0;
  int8_t codes[3];
  uint8_t data[3] = {0, 0, 0xee};
  aq_encode(&scheme, x, 3, 3, 0, &scale, &zero_point, codes, data);
  const uint8_t expected[3] = {0x47, 0x01, 0xee};
  assert_memory_equal(data, expected, 3);
}

static void conversions_give_the_documented_bytes(void **state) {
  (void)state;
  const float x[8] = {1.0f, -2.5f, 0.1f, 2049.0f, 65519.0f, 0x1p-24f, 0x1p-25f, -0.0f};
  const uint16_t f16[8] = {0x3c00, 0xc100, 0x2e66, 0x6800, 0x7bff, 0x0001, 0x0000, 0x8000};
  const uint16_t bf16[8] = {0x3f80, 0xc020, 0x3dcd, 0x4500, 0x4780, 0x3380, 0x3300, 0x8000};
  uint16_t out[8];
  aq_kernels_get()->f32_to_f16(x, 8, out);
  assert_memory_equal(out, f16, sizeof out);
  aq_kernels_get()->f32_to_bf16(x, 8, out);
  assert_memory_equal(out, bf16, sizeof out);
}

/* ---- special spans ---- */

static void zero_span_gives_scale_zero_and_code_zero(void **state) {
  (void)state;
  const float zeros[5] = {0, -0.0f, 0, 0, -0.0f};
  for (size_t i = 0; i < SCHEMES; i++) {
    const aq_scheme scheme = scheme_at(i);
    float scale = 1, zero_point = 1, x[5];
    int8_t codes[5];
    uint8_t data[5];
    for (size_t n = 0; n <= 5; n += 5) {
      assert_true(aq_fit_span(&scheme, zeros, n, &scale, &zero_point));
      assert_float_equal(scale, 0, 0);
      assert_float_equal(zero_point, 0, 0);
    }
    aq_encode(&scheme, zeros, 5, 5, 0, &scale, &zero_point, codes, data);
    aq_decode(scheme.type, data, 5, 5, 0, &scale, &zero_point, codes, x);
    for (int j = 0; j < 5; j++) {
      assert_int_equal(scheme.type == AQ_INT8 ? (int8_t)data[j] : codes[j], 0);
      assert_float_equal(x[j], 0, 0);
    }
  }
}

static void constant_span_is_exact(void **state) {
  (void)state;
  static const float constants[] = {0.37f, -0.37f, 1, FLT_MAX, -FLT_MAX, FLT_MIN, 0x1p-149f, -0x1.8p-140f};
  for (size_t i = 0; i < SCHEMES; i++) {
    const aq_scheme scheme = scheme_at(i);
    for (size_t c = 0; c < AQ_COUNT_OF(constants) && !scheme.symmetric; c++) {
      float span[7], x[7], scale, zero_point;
      int8_t codes[7];
      uint8_t data[7];
      for (int j = 0; j < 7; j++) span[j] = constants[c];
      assert_true(aq_fit_span(&scheme, span, 7, &scale, &zero_point));
      assert_true(scale >= FLT_MIN);
      aq_encode(&scheme, span, 7, 7, 0, &scale, &zero_point, codes, data);
      aq_decode(scheme.type, data, 7, 7, 0, &scale, &zero_point, codes, x);
      assert_memory_equal(x, span, sizeof x);
    }
  }
}

static void symmetric_constant_with_least_squares_is_exact(void **state) {
  (void)state;
  const float span[3] = {-0.37f, -0.37f, -0.37f};
  const aq_scheme scheme = {.type = AQ_INT2, .method = AQ_MSE, .symmetric = true};
  float scale, zero_point;
  assert_true(aq_fit_span(&scheme, span, 3, &scale, &zero_point));
  assert_float_equal(scale, 0.37f, 0);
  assert_float_equal(zero_point, 0, 0);
}

static void extreme_spans_decode_to_finite_values(void **state) {
  (void)state;
  static const float spans[][4] = {
      {FLT_MAX, -FLT_MAX, 1, 0},          {FLT_MAX, 0x1.fffffcp127f, 0x1.fffffcp127f, FLT_MAX},
      {-FLT_MAX, 0x1p-149f, 0, 0x1p-30f}, {0x1p-149f, -0x1p-149f, 0x1p-140f, 0},
      {FLT_MAX, 1e-38f, 1e-38f, 1e-38f},  {1, 1.0000001f, 1, 1},
  };
  for (size_t i = 0; i < SCHEMES; i++) {
    const aq_scheme scheme = scheme_at(i);
    for (size_t s = 0; s < AQ_COUNT_OF(spans); s++) {
      float scale, zero_point, x[4];
      int8_t codes[4];
      uint8_t data[4];
      assert_true(aq_fit_span(&scheme, spans[s], 4, &scale, &zero_point));
      assert_true(isfinite(scale) && scale >= FLT_MIN && isfinite(zero_point));
      aq_encode(&scheme, spans[s], 4, 4, 0, &scale, &zero_point, codes, data);
      aq_decode(scheme.type, data, 4, 4, 0, &scale, &zero_point, codes, x);
      for (int j = 0; j < 4; j++) assert_true(isfinite(x[j]));
    }
  }
}

static void nonfinite_anywhere_is_seen(void **state) {
  (void)state;
  static const float bad[] = {INFINITY, -INFINITY, NAN};
  float x[70];
  for (size_t i = 0; i < SCHEMES; i++) {
    const aq_scheme scheme = scheme_at(i);
    for (size_t at = 0; at < 70; at += 23) {
      float scale, zero_point;
      fill(x, 70, 5);
      x[at] = bad[i % 3];
      assert_false(aq_fit_span(&scheme, x, 70, &scale, &zero_point));
      assert_int_equal(aq_first_nonfinite(x, 70), at);
    }
  }
}

static void first_nonfinite_finds_the_place_in_a_long_array(void **state) {
  (void)state;
  enum { N = 9000 };
  float *x = calloc(N, sizeof *x);
  assert_non_null(x);
  assert_int_equal(aq_first_nonfinite(x, N), N);
  assert_int_equal(aq_first_nonfinite(x, 0), 0);
  x[8191] = NAN;
  assert_int_equal(aq_first_nonfinite(x, N), 8191);
  x[4096] = -INFINITY;
  assert_int_equal(aq_first_nonfinite(x, N), 4096);
  assert_int_equal(aq_first_nonfinite(x, 4096), 4096);
  free(x);
}

/* ---- the fit as a stream ---- */

static void fit_in_chunks_equals_fit_of_the_span(void **state) {
  (void)state;
  enum { N = 1021 };
  float x[N];
  fill(x, N, 3);
  x[500] = 3.5f;
  for (size_t i = 0; i < SCHEMES; i++) {
    const aq_scheme scheme = scheme_at(i);
    float scale, zero_point;
    assert_true(aq_fit_span(&scheme, x, N, &scale, &zero_point));
    for (size_t chunk = 8; chunk < N; chunk = chunk * 3 + 8) {
      aq_fit fit;
      aq_fit_begin(&fit, &scheme);
      do {
        for (size_t at = 0; at < N; at += chunk) aq_fit_feed(&fit, x + at, AQ_MIN(chunk, N - at));
      } while (aq_fit_again(&fit));
      assert_false(fit.nonfinite);
      assert_float_equal(fit.scale, scale, 0);
      assert_float_equal(fit.zero_point, zero_point, 0);
    }
  }
}

static void fit_takes_a_bounded_number_of_passes(void **state) {
  (void)state;
  float x[64];
  for (uint32_t seed = 0; seed < 200; seed++) {
    fill(x, 64, seed);
    for (size_t i = 0; i < SCHEMES; i++) {
      const aq_scheme scheme = scheme_at(i);
      int passes = 0;
      aq_fit fit;
      aq_fit_begin(&fit, &scheme);
      do {
        aq_fit_feed(&fit, x, 64);
        passes++;
      } while (aq_fit_again(&fit));
      assert_in_range(passes, 1, scheme.method == AQ_MINMAX ? 1 : 1 + 3 * 8 + 2 * 2);
    }
  }
}

static double squared_error(const aq_scheme *scheme, const float *x, size_t n) {
  float scale, zero_point, y[64];
  int8_t codes[64];
  uint8_t data[64];
  assert_true(aq_fit_span(scheme, x, n, &scale, &zero_point));
  aq_encode(scheme, x, n, n, 0, &scale, &zero_point, codes, data);
  aq_decode(scheme->type, data, n, n, 0, &scale, &zero_point, codes, y);
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
  return sum;
}

static void least_squares_beats_minmax_on_weights(void **state) {
  (void)state;
  float x[64];
  for (size_t t = 1; t < AQ_COUNT_OF(types); t++) {
    for (int symmetric = 0; symmetric < 2; symmetric++) {
      double minmax = 0, mse = 0;
      for (uint32_t seed = 0; seed < 100; seed++) {
        fill(x, 64, seed);
        minmax +=
            squared_error(&(aq_scheme){.type = types[t], .method = AQ_MINMAX, .symmetric = symmetric != 0}, x, 64);
        mse += squared_error(&(aq_scheme){.type = types[t], .method = AQ_MSE, .symmetric = symmetric != 0}, x, 64);
      }
      assert_true(mse < 0.97 * minmax);
    }
  }
}

static void least_squares_cuts_scale_and_zero_point(void **state) {
  (void)state;
  float x[64], scale, zero_point;
  for (uint32_t seed = 0; seed < 50; seed++) {
    fill(x, 64, seed);
    assert_true(
        aq_fit_span(&(aq_scheme){.type = AQ_INT4, .method = AQ_MSE, .symmetric = false}, x, 64, &scale, &zero_point));
    uint32_t bits;
    memcpy(&bits, &scale, sizeof bits);
    assert_int_equal(bits & ((1u << 19) - 1), 0);
    assert_float_equal(zero_point * 16, rintf(zero_point * 16), 0);
  }
}

/* Spans of fill() as tests/interop/scheme_rules.py fits them: the numbers change with any step of the search. */
static void search_ends_where_the_rule_does(void **state) {
  (void)state;
  static const struct {
    aq_quant_type type;
    uint32_t seed;
    float scale, zero_point;
  } expected[] = {
      {AQ_INT2, 1, 0x1p-4f, -0.34375f}, {AQ_INT2, 2, 0x1.bp-5f, -0.875f}, {AQ_INT2, 3, 0x1.ep-5f, -0.59375f},
      {AQ_INT3, 1, 0x1.dp-6f, -0.75f},  {AQ_INT3, 2, 0x1.ep-6f, -1.125f}, {AQ_INT3, 3, 0x1.1p-5f, -1.1875f},
      {AQ_INT4, 1, 0x1.fp-7f, -0.625f}, {AQ_INT4, 2, 0x1.1p-6f, -1.25f},  {AQ_INT4, 3, 0x1.fp-7f, -1.9375f},
  };
  float x[64], scale, zero_point;
  for (size_t i = 0; i < AQ_COUNT_OF(expected); i++) {
    fill(x, 64, expected[i].seed);
    assert_true(aq_fit_span(&(aq_scheme){.type = expected[i].type, .method = AQ_MSE, .symmetric = false}, x, 64, &scale,
                            &zero_point));
    assert_float_equal(scale, expected[i].scale, 0);
    assert_float_equal(zero_point, expected[i].zero_point, 0);
  }
}

static void values_on_a_grid_are_reproduced(void **state) {
  (void)state;
  float x[16], y[16], scale, zero_point;
  int8_t codes[16];
  uint8_t data[8];
  const aq_scheme scheme = {.type = AQ_INT4, .method = AQ_MSE, .symmetric = false};
  for (int i = 0; i < 16; i++) x[i] = (float)(i * 5 % 16 - 3) * 0.1f; /* no cut scale is 0.1 */
  assert_true(aq_fit_span(&scheme, x, 16, &scale, &zero_point));
  aq_encode(&scheme, x, 16, 16, 0, &scale, &zero_point, codes, data);
  aq_decode(AQ_INT4, data, 16, 16, 0, &scale, &zero_point, codes, y);
  for (int i = 0; i < 16; i++) assert_float_equal(y[i], x[i], 1e-6);
}

/* ---- spans and blocks ---- */

static void blocks_with_a_phase_equal_the_whole(void **state) {
  (void)state;
  enum { N = 240, SPAN = 13, SPANS = (N + SPAN - 1) / SPAN };
  float x[N], whole[N], part[N], scales[SPANS], zeros[SPANS];
  int8_t codes[N];
  uint8_t data[N], cut[N];
  fill(x, N, 9);
  for (size_t i = 0; i < SCHEMES; i++) {
    const aq_scheme scheme = scheme_at(i);
    const size_t bits = aq_quant_type_bits(scheme.type);
    for (size_t s = 0; s < SPANS; s++) {
      assert_true(aq_fit_span(&scheme, x + s * SPAN, AQ_MIN((size_t)SPAN, N - s * SPAN), &scales[s], &zeros[s]));
    }
    aq_encode(&scheme, x, N, SPAN, 0, scales, zeros, codes, data);
    aq_decode(scheme.type, data, N, SPAN, 0, scales, zeros, codes, whole);
    for (size_t at = 0; at < N; at += 24) { /* blocks of whole bytes that begin inside spans */
      const size_t span = at / SPAN, phase = at % SPAN;
      aq_encode(&scheme, x + at, 24, SPAN, phase, scales + span, zeros + span, codes, cut);
      assert_memory_equal(cut, data + at * bits / 8, 24 * bits / 8);
      aq_decode(scheme.type, cut, 24, SPAN, phase, scales + span, zeros + span, codes, part);
      assert_memory_equal(part, whole + at, 24 * sizeof(float));
    }
  }
}

static void decode_takes_scales_at_any_address(void **state) {
  (void)state;
  const float scales[2] = {0.5f, 2}, zeros[2] = {-1, 0.25f};
  uint8_t raw[2][sizeof scales + 1];
  memcpy(raw[0] + 1, scales, sizeof scales);
  memcpy(raw[1] + 1, zeros, sizeof zeros);
  const uint8_t data[2] = {0xe4, 0x02}; /* -2 -1 0 1 0 */
  int8_t codes[5];
  float x[5];
  aq_decode(AQ_INT2, data, 5, 3, 0, raw[0] + 1, raw[1] + 1, codes, x);
  const float expected[5] = {-0.5f, 0, 0.5f, 1.5f, -0.5f};
  assert_memory_equal(x, expected, sizeof x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(examples_give_the_documented_bytes),
      cmocka_unit_test(packing_tail_gives_the_documented_bytes),
      cmocka_unit_test(conversions_give_the_documented_bytes),
      cmocka_unit_test(zero_span_gives_scale_zero_and_code_zero),
      cmocka_unit_test(constant_span_is_exact),
      cmocka_unit_test(symmetric_constant_with_least_squares_is_exact),
      cmocka_unit_test(extreme_spans_decode_to_finite_values),
      cmocka_unit_test(nonfinite_anywhere_is_seen),
      cmocka_unit_test(first_nonfinite_finds_the_place_in_a_long_array),
      cmocka_unit_test(fit_in_chunks_equals_fit_of_the_span),
      cmocka_unit_test(fit_takes_a_bounded_number_of_passes),
      cmocka_unit_test(least_squares_beats_minmax_on_weights),
      cmocka_unit_test(least_squares_cuts_scale_and_zero_point),
      cmocka_unit_test(search_ends_where_the_rule_does),
      cmocka_unit_test(values_on_a_grid_are_reproduced),
      cmocka_unit_test(blocks_with_a_phase_equal_the_whole),
      cmocka_unit_test(decode_takes_scales_at_any_address),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
