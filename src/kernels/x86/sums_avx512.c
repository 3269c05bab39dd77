/* sums_avx512.c - the sums of a fit and of a comparison; the eight lanes of kernels.h are one register.
 *
 * Products of two FP32 values are exact in double, so that a fused multiply-add gives what two roundings give; only the
 * square of a difference needs them apart. Sums of codes and of their squares are taken in double too: exact below
 * 2^53, that is, for fewer than 2^39 elements a call. */
#include <math.h>

#include "kernels/dispatch.h"
#include "kernels/x86/isa.h"

typedef struct fit {
  __m256 scale, zero_point, lowest, highest;
  __m512d x, xx, qx, q, qq;
} fit;

/* Lanes outside `which` stay. */
static inline AQ_AVX512 void fit_8(fit *f, __mmask8 which, __m256 v) {
  const __m256 t = _mm256_add_ps(_mm256_div_ps(v, f->scale), f->zero_point);
  const __m512d q = _mm512_cvtepi32_pd(_mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(t, f->lowest), f->highest)));
  const __m512d x = _mm512_cvtps_pd(v);
  f->x = _mm512_mask_add_pd(f->x, which, f->x, x);
  f->xx = _mm512_mask3_fmadd_pd(x, x, f->xx, which);
  f->qx = _mm512_mask3_fmadd_pd(q, x, f->qx, which);
  f->q = _mm512_mask_add_pd(f->q, which, f->q, q);
  f->qq = _mm512_mask3_fmadd_pd(q, q, f->qq, which);
}

AQ_AVX512 void aq_fit_sums_avx512(const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax,
                                  aq_fit_sums *sums) {
  /* Scale 0 makes every code 0 before clamping; so does a division by infinity. */
  fit f = {.scale = _mm256_set1_ps(scale == 0 ? INFINITY : scale),
           .zero_point = _mm256_set1_ps(scale == 0 ? 0 : zero_point),
           .lowest = _mm256_set1_ps((float)qmin),
           .highest = _mm256_set1_ps((float)qmax),
           .x = _mm512_loadu_pd(sums->x),
           .xx = _mm512_loadu_pd(sums->xx),
           .qx = _mm512_loadu_pd(sums->qx),
           .q = _mm512_setzero_pd(),
           .qq = _mm512_setzero_pd()};
  size_t i = 0;
  for (; i + 8 <= n; i += 8) fit_8(&f, 0xff, _mm256_loadu_ps(x + i));
  if (i < n) {
    const __mmask8 rest = (__mmask8)((1u << (n - i)) - 1);
    fit_8(&f, rest, _mm256_maskz_loadu_ps(rest, x + i));
  }
  _mm512_storeu_pd(sums->x, f.x);
  _mm512_storeu_pd(sums->xx, f.xx);
  _mm512_storeu_pd(sums->qx, f.qx);
  sums->q += (int64_t)_mm512_reduce_add_pd(f.q);
  sums->qq += (int64_t)_mm512_reduce_add_pd(f.qq);
}

typedef struct diff {
  __m512d aa, bb, ab, ee, worst;
} diff;

static inline AQ_AVX512 void diff_8(diff *d, __m256 a, __m256 b) {
  const __m512d va = _mm512_cvtps_pd(a), vb = _mm512_cvtps_pd(b), e = _mm512_sub_pd(va, vb);
  d->aa = _mm512_fmadd_pd(va, va, d->aa);
  d->bb = _mm512_fmadd_pd(vb, vb, d->bb);
  d->ab = _mm512_fmadd_pd(va, vb, d->ab);
  d->ee = _mm512_add_pd(d->ee, _mm512_mul_pd(e, e));
  d->worst = _mm512_max_pd(_mm512_abs_pd(e), d->worst);
}

AQ_AVX512 void aq_diff_sums_avx512(const float *a, const float *b, size_t n, aq_diff_sums *sums) {
  diff d = {_mm512_loadu_pd(sums->aa), _mm512_loadu_pd(sums->bb), _mm512_loadu_pd(sums->ab), _mm512_loadu_pd(sums->ee),
            _mm512_set1_pd(sums->max_abs_err)};
  size_t i = 0;
  for (; i + 8 <= n; i += 8) diff_8(&d, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
  if (i < n) { /* zeros past the end add nothing */
    const __mmask8 rest = (__mmask8)((1u << (n - i)) - 1);
    diff_8(&d, _mm256_maskz_loadu_ps(rest, a + i), _mm256_maskz_loadu_ps(rest, b + i));
  }
  _mm512_storeu_pd(sums->aa, d.aa);
  _mm512_storeu_pd(sums->bb, d.bb);
  _mm512_storeu_pd(sums->ab, d.ab);
  _mm512_storeu_pd(sums->ee, d.ee);
  sums->max_abs_err = _mm512_reduce_max_pd(d.worst);
}
