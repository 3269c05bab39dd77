/* sums_avx2.c - the sums of a fit and of a comparison, in the lanes of kernels.h: four of the eight a register.
 *
 * Products of two FP32 values are exact in double, so that a fused multiply-add gives what two roundings give; only the
 * square of a difference needs them apart. */
#include <math.h>

#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

typedef struct lanes {
  __m256d low, high;
} lanes;

static inline AQ_AVX2 lanes load_lanes(const double *from) {
  const lanes l = {_mm256_loadu_pd(from), _mm256_loadu_pd(from + 4)};
  return l;
}

static inline AQ_AVX2 void store_lanes(double *to, lanes l) {
  _mm256_storeu_pd(to, l.low);
  _mm256_storeu_pd(to + 4, l.high);
}

static inline AQ_AVX2 lanes widen(__m256 v) {
  const lanes l = {_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))};
  return l;
}

static inline AQ_AVX2 void add(lanes *sum, lanes v) {
  sum->low = _mm256_add_pd(sum->low, v.low);
  sum->high = _mm256_add_pd(sum->high, v.high);
}

/* The product must be exact. */
static inline AQ_AVX2 void add_product(lanes *sum, lanes a, lanes b) {
  sum->low = _mm256_fmadd_pd(a.low, b.low, sum->low);
  sum->high = _mm256_fmadd_pd(a.high, b.high, sum->high);
}

/* Eight integers of at most 2^24. */
static inline AQ_AVX2 int64_t total_of_integers(__m256 v) {
  const __m256i each = _mm256_cvtps_epi32(v);
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(each), _mm256_extracti128_si256(each, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

typedef struct fit {
  __m256 scale, zero_point, lowest, highest;
  lanes x, xx, qx;
  __m256 q, qq;
} fit;

/* A code may be -0.0 here and 0 in ref: its products are zeros, and no lane that began at +0.0 shows the sign of one.
 */
static inline AQ_AVX2 void fit_8(fit *f, const float *from) {
  const __m256 v = _mm256_loadu_ps(from);
  const __m256 t = _mm256_add_ps(_mm256_div_ps(v, f->scale), f->zero_point);
  const __m256 q = _mm256_round_ps(_mm256_min_ps(_mm256_max_ps(t, f->lowest), f->highest),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const lanes x = widen(v);
  add(&f->x, x);
  add_product(&f->xx, x, x);
  add_product(&f->qx, widen(q), x);
  f->q = _mm256_add_ps(f->q, q);
  f->qq = _mm256_fmadd_ps(q, q, f->qq);
}

/* A code's square is at most 2^14: over 2^10 of them a float sum stays at or below 2^24, and exact. */
#define FIT_BLOCK ((size_t)8 << 10)

AQ_AVX2 void aq_fit_sums_avx2(const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax,
                              aq_fit_sums *sums) {
  /* Scale 0 makes every code 0 before clamping; so does a division by infinity. */
  const float step = scale == 0 ? INFINITY : scale, zero = scale == 0 ? 0 : zero_point;
  fit f = {.scale = _mm256_set1_ps(step),
           .zero_point = _mm256_set1_ps(zero),
           .lowest = _mm256_set1_ps((float)qmin),
           .highest = _mm256_set1_ps((float)qmax),
           .x = load_lanes(sums->x),
           .xx = load_lanes(sums->xx),
           .qx = load_lanes(sums->qx)};
  const size_t whole = n & ~(size_t)7;
  for (size_t i = 0; i < whole;) {
    const size_t end = AQ_MIN(whole, i + FIT_BLOCK);
    f.q = f.qq = _mm256_setzero_ps();
    for (; i < end; i += 8) fit_8(&f, x + i);
    sums->q += total_of_integers(f.q);
    sums->qq += total_of_integers(f.qq);
  }
  store_lanes(sums->x, f.x);
  store_lanes(sums->xx, f.xx);
  store_lanes(sums->qx, f.qx);
  aq_fit_sums_ref(x + whole, n - whole, scale, zero_point, qmin, qmax, sums);
}

static inline AQ_AVX2 __m256d absolute(__m256d v) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), v); }

AQ_AVX2 void aq_diff_sums_avx2(const float *a, const float *b, size_t n, aq_diff_sums *sums) {
  lanes aa = load_lanes(sums->aa), bb = load_lanes(sums->bb), ab = load_lanes(sums->ab), ee = load_lanes(sums->ee);
  __m256d worst = _mm256_set1_pd(sums->max_abs_err);
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const lanes va = widen(_mm256_loadu_ps(a + i)), vb = widen(_mm256_loadu_ps(b + i));
    const lanes e = {_mm256_sub_pd(va.low, vb.low), _mm256_sub_pd(va.high, vb.high)};
    const lanes e2 = {_mm256_mul_pd(e.low, e.low), _mm256_mul_pd(e.high, e.high)};
    add_product(&aa, va, va);
    add_product(&bb, vb, vb);
    add_product(&ab, va, vb);
    add(&ee, e2);
    worst = _mm256_max_pd(absolute(e.low), worst);
    worst = _mm256_max_pd(absolute(e.high), worst);
  }
  store_lanes(sums->aa, aa);
  store_lanes(sums->bb, bb);
  store_lanes(sums->ab, ab);
  store_lanes(sums->ee, ee);
  __m128d half = _mm_max_pd(_mm256_castpd256_pd128(worst), _mm256_extractf128_pd(worst, 1));
  half = _mm_max_pd(half, _mm_unpackhi_pd(half, half));
  sums->max_abs_err = _mm_cvtsd_f64(half);
  aq_diff_sums_ref(a + i, b + i, n - i, sums);
}
