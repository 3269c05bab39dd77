/* kernels.h - the loops that take the time.
 *
 * Every kernel has a scalar reference in ref.c, which is its definition; the others give the same bytes. Kernels do
 * not fail, allocate or touch files; the caller has checked the arguments. Buffers need no alignment beyond that of
 * their type, `const void *` none at all; in and out never overlap. n may be 0.
 *
 * Summation order, wherever a sum is taken: 8 double lanes, lane j takes elements j, j+8, j+16, ... in order, and the
 * result is ((l0+l4)+(l2+l6))+((l1+l5)+(l3+l7)). To go on with a sum over several calls, pass the same lanes again;
 * every call but the last then takes a multiple of 8 elements. */
#ifndef AQ_KERNELS_KERNELS_H
#define AQ_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Smallest and largest value; start with aq_range_empty and feed any number of calls. max_abs_bits is the largest
 * (bits & 0x7fffffff): >= 0x7f800000 says that a NaN or infinity was among them, and min/max then mean nothing. The
 * sign of a zero in min/max is not specified. */
typedef struct aq_range {
  float min, max;
  uint32_t max_abs_bits;
} aq_range;
static inline aq_range aq_range_empty(void) {
  const aq_range r = {3.402823466e38F, -3.402823466e38F, 0};
  return r;
}
static inline bool aq_range_is_finite(const aq_range *range) { return range->max_abs_bits < 0x7f800000U; }

/* Sums that a least-squares fit of (scale, zero point) needs; x is exact in double, and so are the products, so that a
 * fused multiply-add changes nothing. Zero-initialise. */
typedef struct aq_fit_sums {
  double x[8];   /* sum of x */
  double xx[8];  /* sum of x * x */
  double qx[8];  /* sum of q * x */
  int64_t q, qq; /* sums of q and q * q */
} aq_fit_sums;

/* Sums for comparing two FP32 arrays, in double lanes. max_abs_err is exact (difference taken in double). */
typedef struct aq_diff_sums {
  double aa[8], bb[8], ab[8], ee[8]; /* a*a, b*b, a*b, (a-b)*(a-b) */
  double max_abs_err;
} aq_diff_sums;

static inline double aq_lanes_total(const double lane[8]) {
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Dense products take the weights W[n][k] of a layer as panels of AQ_PANEL rows of W, the last one filled up with
 * zeros. A panel of FP32 has W[j][0] of its rows side by side, then W[j][1] of them, and so on; a panel of codes has
 * W[j][0..3] of its first row, of its second, ..., then W[j][4..7], k filled up to a multiple of 4 with zeros. In a
 * panel of codes of 4 bits every 64 bytes of those, which are 16 rows, are 32: byte i has code i, of the first 8 rows,
 * in its low four bits and code i + 32, of the other 8, in its high ones, both in two's complement. Arrays for the
 * columns of the result (bias, scales, sums) are as long as the panels have columns. */
#define AQ_PANEL 32

/* c[i][j] = bias[j] + sum of a[i][k] * W[j][k] over k. */
typedef struct aq_dense_f32 {
  size_t m, n, k;
  const float *a; /* m rows, lda apart */
  size_t lda;
  const float *panels;
  const float *bias; /* NULL: zeros */
  float *c;          /* m rows of n, ldc apart */
  size_t ldc;
} aq_dense_f32;

/* c[i][j] = bias[j] + sum of (a[i][k] - a_zeros[i]) * W[j][k] * (a_scales[i] * scales[j]): the sum in integers,
 * exactly; then two products and a sum in FP32, each rounded once. k is at most AQ_DENSE_S8_K_MAX. dense_s8 takes
 * panels of codes of 8 bits, dense_s4 those of 4. */
#define AQ_DENSE_S8_K_MAX 65536
typedef struct aq_dense_s8 {
  size_t m, n, k;
  const uint8_t *a; /* m rows, lda (a multiple of 4, >= k) apart */
  size_t lda;
  const float *a_scales;
  const int32_t *a_zeros; /* 0..255 */
  const int8_t *panels;
  const float *scales;
  const int32_t *sums; /* of a row of W, each */
  const float *bias;
  float *c; /* m rows of n, ldc apart */
  size_t ldc;
} aq_dense_s8;

/* c[i][j] += a[i][p] * b[p][j] for p = k-1, ..., 1, 0, one after the other. a[i][p] is a[i * a_row + p * a_step], so
 * that either of its sides can be the long one. */
typedef struct aq_rank_update {
  size_t m, n, k;
  const float *a;
  size_t a_row, a_step;
  const float *b; /* k rows of n, ldb apart */
  size_t ldb;
  float *c; /* m rows of n, ldc apart */
  size_t ldc;
} aq_rank_update;

typedef struct aq_kernels {
  const char *name; /* "ref", or as kernels.inc names the set */

  void (*range_f32)(const float *x, size_t n, aq_range *range);

  /* q = rne(clamp(x / scale + zero_point, qmin, qmax)): one division, one addition, each rounded once; scale finite and
   * normal (> 0), or 0, and then every q is 0 clamped to [qmin, qmax]. x finite. */
  void (*quantize_f32)(const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax, int8_t *q);

  /* x = (q - zero_point) * scale: one subtraction, one multiplication. */
  void (*dequantize_s8)(const int8_t *q, size_t n, float scale, float zero_point, float *x);

  /* Packing of FORMAT.md: codes in range -> ceil(n*bits/8) bytes, unused bits zero; and back. */
  void (*pack4)(const int8_t *q, size_t n, uint8_t *out);
  void (*pack3)(const int8_t *q, size_t n, uint8_t *out);
  void (*pack2)(const int8_t *q, size_t n, uint8_t *out);
  void (*unpack4)(const uint8_t *in, size_t n, int8_t *q);
  void (*unpack3)(const uint8_t *in, size_t n, int8_t *q);
  void (*unpack2)(const uint8_t *in, size_t n, int8_t *q);

  /* Exact widenings (signalling NaNs become quiet, payload kept); narrowings round to nearest even, overflow to
   * infinity, NaN to a quiet NaN with the top payload bits kept. */
  void (*f16_to_f32)(const void *in, size_t n, float *out);
  void (*bf16_to_f32)(const void *in, size_t n, float *out);
  void (*f64_to_f32)(const void *in, size_t n, float *out);
  void (*f32_to_f16)(const float *in, size_t n, void *out);
  void (*f32_to_bf16)(const float *in, size_t n, void *out);

  /* Codes as quantize_f32 gives them are not stored; their sums are added. */
  void (*fit_sums)(const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax,
                   aq_fit_sums *sums);

  void (*diff_sums)(const float *a, const float *b, size_t n, aq_diff_sums *sums);

  /* Error feedback: each product and each sum is rounded once, in the order that aq_rank_update states. */
  void (*rank_update_f32)(const aq_rank_update *u);

  /* ---- Running a model: no byte of a file comes from here; kernels.inc states how far from ref a set may be. ---- */

  void (*dense_f32)(const aq_dense_f32 *d);
  void (*dense_s8)(const aq_dense_s8 *d);
  void (*dense_s4)(const aq_dense_s8 *d);

  /* x = x * Phi(x), Phi the distribution function of the normal distribution: GELU without an approximation. */
  void (*gelu_f32)(float *x, size_t n);

  /* x[i] = exp(scale * x[i]) / sum of them; n > 0, scale > 0, x finite. */
  void (*softmax_f32)(float *x, size_t n, float scale);

  /* out = gain * (y - mean) / sqrt(variance + epsilon) + shift for y = x + more (more NULL: y = x); n > 0. out may be x
   * or more. */
  void (*norm_f32)(const float *x, const float *more, size_t n, const float *gain, const float *shift, float epsilon,
                   float *out);

  /* Codes 0..255 of one row: lo = min(0, smallest), hi = max(0, largest), scale = (hi - lo) / 255, zero =
   * rne(-lo / scale), out = rne(clamp(x / scale, -zero, 255 - zero)) + zero, the divisions as products with 1 / scale.
   * A range below 1e-30 has scale 0 and codes 0. x finite. */
  void (*quantize_u8)(const float *x, size_t n, uint8_t *out, float *scale, int32_t *zero);
} aq_kernels;

/* The set in use (chosen once, from the CPU, the system and AQ_CPU). */
const aq_kernels *aq_kernels_get(void);

/* All sets this machine can run, reference first; for tests and benchmarks. Returns their number. */
size_t aq_kernels_all(const aq_kernels **out, size_t capacity);

#endif
