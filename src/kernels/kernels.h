/* kernels.h - the loops that take the time.
 *
 * Every kernel has a scalar reference in ref.c, which is its definition; the others give the same bytes. Kernels do
 * not fail, allocate or touch files; the caller has checked the arguments. Buffers need no alignment beyond that of
 * their type, `const void *` none at all; in and out never overlap. n may be 0.
 *
 * Summation order, wherever a sum is taken: 8 double lanes, lane j takes elements j, j+8, j+16, ... in order, and the
 * result is ((l0+l4)+(l2+l6))+((l1+l5)+(l3+l7)). To go on with a sum over several calls, pass the same lanes again;
 * every call but the last then takes a multiple of 8 elements. */
#ifndef AQ_KERNELS_H
#define AQ_KERNELS_H

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

typedef struct aq_kernels {
  const char *name; /* "ref", "avx2", "avx512", "neon" */

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
} aq_kernels;

/* The set in use (chosen once, from the CPU, the system and AQ_CPU). */
const aq_kernels *aq_kernels_get(void);

/* All sets this machine can run, reference first; for tests and benchmarks. Returns their number. */
size_t aq_kernels_all(const aq_kernels **out, size_t capacity);

#endif
