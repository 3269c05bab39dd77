/* kernel_model.c - the kernels that run a model: a set against exact values within the bounds of kernels.inc, or
 * against ref where it is exact, on random shapes with gaps between the rows that must stay as they are. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/dispatch.h"
#include "kernels/kernel_check.h"

#define ROUNDS 150
#define MAX_M 40
#define MAX_N 100
#define MAX_ROWS 128 /* MAX_N in whole panels */
#define MAX_K 300
#define GAP 3

static const float poison = -12345.0f;

enum {
#define AQ_MODEL_KERNEL(kernel, family, bound) BOUND_##kernel,
#include "kernels/kernels.inc"
  BOUND_COUNT
};
static const double bounds[BOUND_COUNT] = {
#define AQ_MODEL_KERNEL(kernel, family, bound) bound,
#include "kernels/kernels.inc"
};

static uint64_t state;

static size_t below(size_t limit) { return kernel_random_below(&state, limit); }
static float uniform(void) { return (float)(kernel_random(&state) & 0xffffff) * 0x1p-23f - 1; }
static void fill(float *x, size_t n, float scale) {
  for (size_t i = 0; i < n; i++) x[i] = uniform() * scale;
}
static void fill_poison(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = poison;
}

/* Prints what is wrong. */
#define BAD(set, ...)                                              \
  do {                                                             \
    (void)fprintf(stderr, "%s: %s: ", (set)->name, __func__);      \
    (void)fprintf(stderr, __VA_ARGS__), (void)fputc('\n', stderr); \
    return false;                                                  \
  } while (0)

/* ---- dense products ---- */

static struct {
  float a[MAX_M * (MAX_K + GAP)], w[MAX_N * MAX_K], panels[MAX_ROWS * MAX_K], bias[MAX_ROWS];
  float c[MAX_M * (MAX_N + GAP)];
} f32;

/* W by the words of kernels.h; what fills the last panel up must not matter. */
static void make_panels(size_t n, size_t k) {
  fill(f32.panels, MAX_ROWS * MAX_K, 1);
  for (size_t j = 0; j < n; j++) {
    for (size_t i = 0; i < k; i++) {
      f32.panels[j / AQ_PANEL * AQ_PANEL * k + i * AQ_PANEL + j % AQ_PANEL] = f32.w[j * k + i];
    }
  }
}

static bool check_element(const aq_dense_f32 *d, size_t i, size_t j, const aq_kernels *set) {
  double exact = d->bias != NULL ? (double)d->bias[j] : 0, size = fabs(exact);
  for (size_t k = 0; k < d->k; k++) {
    const double term = (double)d->a[i * d->lda + k] * (double)f32.w[j * d->k + k];
    exact += term;
    size += fabs(term);
  }
  const double got = (double)d->c[i * d->ldc + j];
  if (fabs(got - exact) <= bounds[BOUND_dense_f32] * (double)(d->k + 1) * 0x1p-24 * size) return true;
  BAD(set, "m %zu n %zu k %zu, row %zu column %zu: %g, not %g", d->m, d->n, d->k, i, j, got, exact);
}

static bool dense_f32_within_bound(const aq_kernels *set) {
  state = 1;
  for (int round = 0; round < ROUNDS; round++) {
    const size_t m = below(MAX_M), n = 1 + below(MAX_N), k = 1 + below(140), lda = k + below(GAP + 1), ldc = n + GAP;
    fill(f32.a, m * lda, 2);
    fill(f32.w, n * k, 1);
    fill(f32.bias, MAX_ROWS, 5);
    make_panels(n, k);
    fill_poison(f32.c, m * ldc);
    const aq_dense_f32 d = {m, n, k, f32.a, lda, f32.panels, round % 3 == 0 ? NULL : f32.bias, f32.c, ldc};
    set->dense_f32(&d);
    for (size_t i = 0; i < m; i++) {
      for (size_t j = 0; j < n; j++) {
        if (!check_element(&d, i, j, set)) return false;
      }
      for (size_t j = n; j < ldc; j++) {
        if (f32.c[i * ldc + j] != poison) BAD(set, "wrote past column %zu", n);
      }
    }
  }
  return true;
}

static struct {
  uint8_t a[MAX_M * (MAX_K + 8)];
  int8_t panels[MAX_ROWS * MAX_K];
  uint8_t packed[MAX_ROWS * MAX_K / 2];
  float a_scales[MAX_M], scales[MAX_ROWS], bias[MAX_ROWS], expected[MAX_M * (MAX_N + GAP)], c[MAX_M * (MAX_N + GAP)];
  int32_t a_zeros[MAX_M], sums[MAX_ROWS];
} s8;

/* Extreme: the largest sum there can be. */
static void make_codes(size_t m, size_t n, size_t k, size_t lda, bool extreme) {
  const size_t padded = (k + 3) / 4 * 4;
  memset(s8.panels, 0, sizeof s8.panels);
  memset(s8.sums, 0, sizeof s8.sums);
  for (size_t i = 0; i < m * lda; i++) s8.a[i] = extreme ? 255 : (uint8_t)kernel_random(&state);
  for (size_t i = 0; i < m; i++) s8.a_zeros[i] = extreme ? 0 : (int32_t)below(256);
  for (size_t j = 0; j < n; j++) {
    for (size_t i = 0; i < k; i++) {
      const int8_t w = extreme ? -128 : (int8_t)kernel_random(&state);
      s8.panels[j / AQ_PANEL * AQ_PANEL * padded + i / 4 * 4 * AQ_PANEL + j % AQ_PANEL * 4 + i % 4] = w;
      s8.sums[j] += w;
    }
  }
  fill(s8.a_scales, MAX_M, 1);
  fill(s8.scales, MAX_ROWS, 1);
  fill(s8.bias, MAX_ROWS, 1);
}

/* The same panels with the low four bits of each code, packed by the words of kernels.h. */
static void pack_codes(size_t n, size_t k) {
  const size_t padded = (k + 3) / 4 * 4;
  memset(s8.packed, 0, sizeof s8.packed);
  memset(s8.sums, 0, sizeof s8.sums);
  for (size_t i = 0; i < MAX_ROWS * padded; i++) {
    const uint32_t bits = (uint32_t)s8.panels[i] & 15;
    s8.packed[i / 64 * 32 + i % 32] |= (uint8_t)(i % 64 < 32 ? bits : bits << 4);
  }
  for (size_t j = 0; j < n; j++) {
    for (size_t i = 0; i < padded; i++) {
      const int8_t w = s8.panels[j / AQ_PANEL * AQ_PANEL * padded + i / 4 * 4 * AQ_PANEL + j % AQ_PANEL * 4 + i % 4];
      s8.sums[j] += ((w & 15) ^ 8) - 8;
    }
  }
}

/* All codes -8, where the largest sum is. */
static void make_packed_codes(size_t m, size_t n, size_t k, size_t lda, bool extreme) {
  make_codes(m, n, k, lda, extreme);
  for (size_t i = 0; extreme && i < sizeof s8.panels; i++) s8.panels[i] = s8.panels[i] != 0 ? -8 : 0;
  pack_codes(n, k);
}

static bool dense_s4_equals_ref(const aq_kernels *set) {
  state = 8;
  for (int round = 0; round < ROUNDS; round++) {
    const size_t m = below(MAX_M), n = 1 + below(MAX_N), k = 1 + below(MAX_K), ldc = n + GAP;
    const size_t lda = (k + 3) / 4 * 4 + 4 * below(2);
    make_packed_codes(m, n, k, lda, round % 10 == 0);
    fill_poison(s8.expected, m * ldc);
    fill_poison(s8.c, m * ldc);
    aq_dense_s8 d = {m,         n,       k,       s8.a,        lda, s8.a_scales, s8.a_zeros, (const int8_t *)s8.packed,
                     s8.scales, s8.sums, s8.bias, s8.expected, ldc};
    aq_dense_s4_ref(&d);
    d.c = s8.c;
    set->dense_s4(&d);
    if (memcmp(s8.c, s8.expected, m * ldc * sizeof(float)) != 0) BAD(set, "m %zu n %zu k %zu", m, n, k);
  }
  return true;
}

/* The longest rows with the largest sums: 65536 * 255 * -8 is exact in FP32. */
static bool dense_s4_holds_the_largest_sum(const aq_kernels *set) {
  static uint8_t a[AQ_DENSE_S8_K_MAX];
  static int8_t panels[AQ_DENSE_S8_K_MAX * AQ_PANEL / 2];
  static const float bias[AQ_PANEL];
  float scales[AQ_PANEL], c[AQ_PANEL];
  int32_t sums[AQ_PANEL];
  const int32_t zero = 0;
  const float a_scale = 1;
  memset(a, 255, sizeof a);
  memset(panels, 0x88, sizeof panels);
  for (size_t j = 0; j < AQ_PANEL; j++) scales[j] = 1, sums[j] = AQ_DENSE_S8_K_MAX * -8;
  const aq_dense_s8 d = {1, AQ_PANEL, sizeof a, a, sizeof a, &a_scale, &zero, panels, scales, sums, bias, c, AQ_PANEL};
  set->dense_s4(&d);
  for (size_t j = 0; j < AQ_PANEL; j++) {
    if (c[j] != -65536.0f * 255 * 8) BAD(set, "column %zu: %g", j, (double)c[j]);
  }
  return true;
}

/* (10-5)*3 + (0-5)*-2 + (255-5)*-8 = -1975 in column 0, and (10-5)*7 + (255-5)*1 = 285 in column 24, times 0.5 * 2. */
static bool dense_s4_gives_hand_result(const aq_kernels *set) {
  static uint8_t panels[2 * AQ_PANEL];
  static const float scales[AQ_PANEL] = {[0] = 2, [24] = 2}, bias[AQ_PANEL];
  static const int32_t sums[AQ_PANEL] = {[0] = -7, [24] = 8};
  const uint8_t a[4] = {10, 0, 255, 7};
  const float a_scale = 0.5f;
  const int32_t zero = 5;
  float c[AQ_PANEL];
  panels[0] = 3, panels[1] = 0xE, panels[2] = 8; /* column 0: low halves of the first bytes */
  panels[32] = 7 << 4, panels[34] = 1 << 4;      /* column 24: high halves of the second 32 bytes */
  const aq_dense_s8 d = {1,      AQ_PANEL, 3,    a, 4,       &a_scale, &zero, (const int8_t *)panels,
                         scales, sums,     bias, c, AQ_PANEL};
  set->dense_s4(&d);
  if (c[0] != -1975 || c[24] != 285 || c[8] != 0) BAD(set, "%g %g", (double)c[0], (double)c[24]);
  return true;
}

static bool dense_s8_equals_ref(const aq_kernels *set) {
  state = 2;
  for (int round = 0; round < ROUNDS; round++) {
    const size_t m = below(MAX_M), n = 1 + below(MAX_N), k = 1 + below(MAX_K), ldc = n + GAP;
    const size_t lda = (k + 3) / 4 * 4 + 4 * below(2);
    make_codes(m, n, k, lda, round % 10 == 0);
    fill_poison(s8.expected, m * ldc);
    fill_poison(s8.c, m * ldc);
    aq_dense_s8 d = {m,         n,         k,       s8.a,    lda,         s8.a_scales, s8.a_zeros,
                     s8.panels, s8.scales, s8.sums, s8.bias, s8.expected, ldc};
    aq_dense_s8_ref(&d);
    d.c = s8.c;
    set->dense_s8(&d);
    if (memcmp(s8.c, s8.expected, m * ldc * sizeof(float)) != 0) BAD(set, "m %zu n %zu k %zu", m, n, k);
  }
  return true;
}

/* (10-5)*3 + (0-5)*-2 + (255-5)*1 = 275, times 0.5 * 2, plus 0.25. */
static bool dense_s8_gives_hand_result(const aq_kernels *set) {
  static const int8_t panels[4 * AQ_PANEL] = {3, -2, 1};
  static const float scales[AQ_PANEL] = {2}, bias[AQ_PANEL] = {0.25f};
  static const int32_t sums[AQ_PANEL] = {2};
  const uint8_t a[4] = {10, 0, 255, 7};
  const float a_scale = 0.5f;
  const int32_t zero = 5;
  float c = 0;
  const aq_dense_s8 d = {1, 1, 3, a, 4, &a_scale, &zero, panels, scales, sums, bias, &c, 1};
  set->dense_s8(&d);
  if (c != 275.25f) BAD(set, "%g", (double)c);
  return true;
}

/* ---- updates ---- */

/* Rows or steps of `a` side by side, a gap behind every row of b and c, and zeros that must not change a sum. */
static bool rank_update_equals_ref(const aq_kernels *set) {
  static float a[MAX_M * MAX_K], b[MAX_K * (MAX_N + GAP)], expected[MAX_M * (MAX_N + GAP)], c[MAX_M * (MAX_N + GAP)];
  state = 7;
  for (int round = 0; round < ROUNDS; round++) {
    const size_t m = below(MAX_M), n = below(MAX_N + 1), k = below(MAX_K / 3), ldb = n + below(GAP), ldc = n + GAP;
    fill(a, m * k, 2);
    fill(b, k * ldb, 1);
    fill(c, m * ldc, 5);
    for (size_t i = 0; i < m * k; i += 1 + below(9)) a[i] = 0;
    memcpy(expected, c, m * ldc * sizeof *c);
    aq_rank_update u = {m, n, k, a, k, 1, b, ldb, expected, ldc};
    if (round % 2 == 0) u.a_row = 1, u.a_step = m;
    aq_rank_update_f32_ref(&u);
    u.c = c;
    set->rank_update_f32(&u);
    if (memcmp(c, expected, m * ldc * sizeof *c) != 0) BAD(set, "m %zu n %zu k %zu", m, n, k);
  }
  return true;
}

/* 2^24, then 1 + 2^-36, which is 1 when it is rounded and then too little, then -2^24. Fused it would be 2, in the
 * other order 1. */
static bool rank_update_rounds_every_step(const aq_kernels *set) {
  enum { N = 40 };
  const float a[3] = {-1, 1 + 0x1p-12f, 1};
  float b[3 * N], c[N];
  for (size_t j = 0; j < N; j++) b[j] = 0x1p24f, b[N + j] = 1 - 0x1p-12f + 0x1p-24f, b[2 * N + j] = 0x1p24f, c[j] = 0;
  const aq_rank_update u = {1, N, 3, a, 3, 1, b, N, c, N};
  set->rank_update_f32(&u);
  for (size_t j = 0; j < N; j++) {
    if (c[j] != 0) BAD(set, "column %zu: %a", j, (double)c[j]);
  }
  return true;
}

/* ---- rows ---- */

#define MAX_ROW 200

static bool gelu_within_bound(const aq_kernels *set) {
  float x[MAX_ROW + 1], y[MAX_ROW + 1];
  state = 3;
  for (size_t n = 0; n < MAX_ROW; n++) {
    fill(x, n, n % 2 == 0 ? 6 : 40);
    if (n > 4) x[0] = 0, x[1] = 1e30f, x[2] = -1e30f;
    memcpy(y, x, n * sizeof *x);
    y[n] = poison;
    set->gelu_f32(y, n);
    for (size_t i = 0; i < n; i++) {
      const double exact = 0.5 * (double)x[i] * erfc((double)x[i] / -sqrt(2));
      if (fabs((double)y[i] - exact) > bounds[BOUND_gelu_f32] * fmax(1, fabs((double)x[i]))) {
        BAD(set, "of %.9g: %.9g", (double)x[i], (double)y[i]);
      }
    }
    if (y[n] != poison) BAD(set, "wrote past %zu", n);
  }
  return true;
}

static bool softmax_row_ok(const float *x, const float *y, size_t n, float scale, const aq_kernels *set) {
  double largest = -INFINITY, sum = 0, total = 0;
  for (size_t i = 0; i < n; i++) largest = (double)x[i] > largest ? (double)x[i] : largest;
  for (size_t i = 0; i < n; i++) sum += exp((double)scale * ((double)x[i] - largest));
  for (size_t i = 0; i < n; i++) {
    const double down = (double)scale * (largest - (double)x[i]), exact = exp(-down) / sum;
    total += (double)y[i];
    if (fabs((double)y[i] - exact) > bounds[BOUND_softmax_f32] * exact * (1 + down) + 1e-30) {
      BAD(set, "n %zu: %.9g, not %.9g", n, (double)y[i], exact);
    }
  }
  if (!(fabs(total - 1) < 1e-5)) BAD(set, "n %zu: the sum is %.9g", n, total);
  return true;
}

static bool softmax_within_bound(const aq_kernels *set) {
  float x[MAX_ROW + 1], y[MAX_ROW + 1];
  state = 4;
  for (size_t n = 1; n < MAX_ROW; n++) {
    const float scale = n % 3 == 0 ? 0.125f : 1;
    fill(x, n, n % 2 == 0 ? 4 : 300);
    memcpy(y, x, n * sizeof *x);
    y[n] = poison;
    set->softmax_f32(y, n, scale);
    if (!softmax_row_ok(x, y, n, scale, set)) return false;
    if (y[n] != poison) BAD(set, "wrote past %zu", n);
  }
  return true;
}

static bool norm_within_bound(const aq_kernels *set) {
  float x[MAX_ROW + 1], more[MAX_ROW], gain[MAX_ROW], shift[MAX_ROW], expected[MAX_ROW], out[MAX_ROW + 1];
  state = 5;
  for (size_t n = 2; n < MAX_ROW; n++) {
    float *y = n % 2 == 0 ? x : out;
    const float *second = n % 3 == 0 ? NULL : more;
    fill(x, n, 3);
    fill(more, n, 1);
    fill(gain, n, 2);
    fill(shift, n, 1);
    aq_norm_f32_ref(x, second, n, gain, shift, 1e-12f, expected);
    y[n] = poison;
    set->norm_f32(x, second, n, gain, shift, 1e-12f, y);
    for (size_t i = 0; i < n; i++) {
      const double e = (double)expected[i], s = (double)shift[i], g = fabs((double)gain[i]);
      if (fabs((double)y[i] - e) > bounds[BOUND_norm_f32] * (g + fabs(e - s) + fabs(s))) {
        BAD(set, "n %zu: %.9g, not %.9g", n, (double)y[i], e);
      }
    }
    if (y[n] != poison) BAD(set, "wrote past %zu", n);
  }
  return true;
}

static bool quantize_u8_equals_ref(const aq_kernels *set) {
  float x[MAX_ROW];
  uint8_t expected[MAX_ROW], got[MAX_ROW];
  state = 6;
  for (size_t n = 0; n < MAX_ROW; n++) {
    float scale, got_scale;
    int32_t zero, got_zero;
    fill(x, n, n % 4 == 0 ? 1e-3f : 7);
    if (n % 5 == 1) memset(x, 0, n * sizeof *x);
    if (n % 7 == 2) x[n / 2] = n % 2 == 0 ? 1e30f : -500;
    memset(expected, 0xEE, sizeof expected);
    memset(got, 0xEE, sizeof got);
    aq_quantize_u8_ref(x, n, expected, &scale, &zero);
    set->quantize_u8(x, n, got, &got_scale, &got_zero);
    if (memcmp(got, expected, sizeof got) != 0 || scale != got_scale || zero != got_zero) BAD(set, "n %zu", n);
    if (zero < 0 || zero > 255) BAD(set, "zero point %d", (int)zero);
    for (size_t i = 0; i < n && scale > 0; i++) {
      const float back = (float)(got[i] - zero) * scale;
      if (fabsf(back - x[i]) > scale * 0.502f) BAD(set, "%g became %g", (double)x[i], (double)back);
    }
  }
  return true;
}

static const kernel_value_check checks[] = {
    {"rank_update_equals_ref", rank_update_equals_ref},
    {"rank_update_rounds_every_step", rank_update_rounds_every_step},
    {"dense_f32_within_bound", dense_f32_within_bound},
    {"dense_s8_equals_ref", dense_s8_equals_ref},
    {"dense_s8_gives_hand_result", dense_s8_gives_hand_result},
    {"dense_s4_equals_ref", dense_s4_equals_ref},
    {"dense_s4_gives_hand_result", dense_s4_gives_hand_result},
    {"dense_s4_holds_the_largest_sum", dense_s4_holds_the_largest_sum},
    {"gelu_within_bound", gelu_within_bound},
    {"softmax_within_bound", softmax_within_bound},
    {"norm_within_bound", norm_within_bound},
    {"quantize_u8_equals_ref", quantize_u8_equals_ref},
};

size_t kernel_model_checks(const kernel_value_check **out) {
  *out = checks;
  return sizeof checks / sizeof checks[0];
}
