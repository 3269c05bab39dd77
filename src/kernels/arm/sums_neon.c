/* sums_neon.c - the sums of a fit and of a comparison, in the lanes of kernels.h: two of the eight a register.
 *
 * Products of two FP32 values are exact in double, so that a fused multiply-add gives what two roundings give; only the
 * square of a difference needs them apart. */
#include <arm_neon.h>
#include <math.h>

#include "core/compiler.h"
#include "kernels/dispatch.h"

typedef struct lanes {
  float64x2_t v[4];
} lanes;

static inline lanes load_lanes(const double *from) {
  const lanes l = {{vld1q_f64(from), vld1q_f64(from + 2), vld1q_f64(from + 4), vld1q_f64(from + 6)}};
  return l;
}

static inline void store_lanes(double *to, lanes l) {
  for (size_t k = 0; k < 4; k++) vst1q_f64(to + 2 * k, l.v[k]);
}

static inline lanes widen(float32x4_t low, float32x4_t high) {
  const lanes l = {{vcvt_f64_f32(vget_low_f32(low)), vcvt_high_f64_f32(low), vcvt_f64_f32(vget_low_f32(high)),
                    vcvt_high_f64_f32(high)}};
  return l;
}

static inline void add(lanes *sum, lanes a) {
  for (size_t k = 0; k < 4; k++) sum->v[k] = vaddq_f64(sum->v[k], a.v[k]);
}

/* The product must be exact. */
static inline void add_product(lanes *sum, lanes a, lanes b) {
  for (size_t k = 0; k < 4; k++) sum->v[k] = vfmaq_f64(sum->v[k], a.v[k], b.v[k]);
}

typedef struct fit {
  float32x4_t scale, zero_point, lowest, highest;
  lanes x, xx, qx;
  int32x4_t q, qq;
} fit;

static inline int32x4_t codes_of(const fit *f, float32x4_t x) {
  const float32x4_t t = vaddq_f32(vdivq_f32(x, f->scale), f->zero_point);
  return vcvtnq_s32_f32(vminnmq_f32(vmaxnmq_f32(t, f->lowest), f->highest));
}

static inline void fit_8(fit *f, const float *from) {
  const float32x4_t low = vld1q_f32(from), high = vld1q_f32(from + 4);
  const int32x4_t q_low = codes_of(f, low), q_high = codes_of(f, high);
  const lanes x = widen(low, high);
  add(&f->x, x);
  add_product(&f->xx, x, x);
  add_product(&f->qx, widen(vcvtq_f32_s32(q_low), vcvtq_f32_s32(q_high)), x);
  f->q = vaddq_s32(f->q, vaddq_s32(q_low, q_high));
  f->qq = vmlaq_s32(vmlaq_s32(f->qq, q_low, q_low), q_high, q_high);
}

/* A code's square is at most 2^14: over 2^15 steps of two a 32-bit sum stays at or below 2^30. */
#define FIT_BLOCK ((size_t)8 << 15)

void aq_fit_sums_neon(const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax,
                      aq_fit_sums *sums) {
  /* Scale 0 makes every code 0 before clamping; so does a division by infinity. */
  fit f = {.scale = vdupq_n_f32(scale == 0 ? INFINITY : scale),
           .zero_point = vdupq_n_f32(scale == 0 ? 0 : zero_point),
           .lowest = vdupq_n_f32((float)qmin),
           .highest = vdupq_n_f32((float)qmax),
           .x = load_lanes(sums->x),
           .xx = load_lanes(sums->xx),
           .qx = load_lanes(sums->qx)};
  const size_t whole = n & ~(size_t)7;
  for (size_t i = 0; i < whole;) {
    const size_t end = AQ_MIN(whole, i + FIT_BLOCK);
    f.q = f.qq = vdupq_n_s32(0);
    for (; i < end; i += 8) fit_8(&f, x + i);
    sums->q += vaddlvq_s32(f.q);
    sums->qq += vaddlvq_s32(f.qq);
  }
  store_lanes(sums->x, f.x);
  store_lanes(sums->xx, f.xx);
  store_lanes(sums->qx, f.qx);
  aq_fit_sums_ref(x + whole, n - whole, scale, zero_point, qmin, qmax, sums);
}

void aq_diff_sums_neon(const float *a, const float *b, size_t n, aq_diff_sums *sums) {
  lanes aa = load_lanes(sums->aa), bb = load_lanes(sums->bb), ab = load_lanes(sums->ab), ee = load_lanes(sums->ee);
  float64x2_t worst = vdupq_n_f64(sums->max_abs_err);
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const lanes va = widen(vld1q_f32(a + i), vld1q_f32(a + i + 4)), vb = widen(vld1q_f32(b + i), vld1q_f32(b + i + 4));
    lanes squares;
    for (size_t k = 0; k < 4; k++) {
      const float64x2_t error = vsubq_f64(va.v[k], vb.v[k]);
      squares.v[k] = vmulq_f64(error, error);
      worst = vmaxnmq_f64(worst, vabsq_f64(error));
    }
    add_product(&aa, va, va);
    add_product(&bb, vb, vb);
    add_product(&ab, va, vb);
    add(&ee, squares);
  }
  store_lanes(sums->aa, aa);
  store_lanes(sums->bb, bb);
  store_lanes(sums->ab, ab);
  store_lanes(sums->ee, ee);
  sums->max_abs_err = vmaxnmvq_f64(worst);
  aq_diff_sums_ref(a + i, b + i, n - i, sums);
}
