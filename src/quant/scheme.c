/* scheme.c - the min-max rule, and the passes of a fit.
 *
 * min-max, symmetric:  scale = amax / qmax                     zero point 0
 * min-max, asymmetric: scale = (max - min) / (qmax - qmin)     zero point = qmin - min / scale
 *
 * Computed in double, so that max - min cannot overflow, and rounded to float once; a scale below the smallest normal
 * float is raised to it, so that a division by it gives the same on every machine. Spans that are all zero or all
 * the same value have rules of their own: docs/schemes/minmax.md. A least-squares fit goes on from there in
 * scheme_mse.c. */
#include "quant/scheme.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "quant/scheme_mse.h"
#include "tensor/dtype.h"

enum { STAGE_RANGE = 0, STAGE_SEARCH };

static const uint32_t infinity_bits = 0x7f800000;

/* A constant span c is exact with code 0: (0 - zero_point) * |c| = c. For c below the normal floats the quotient
 * -c / 2^-126 is exact too. Symmetric, sign(c) is the code; min-max has no such case, its rule is amax / qmax. */
static void constant_span(aq_fit *fit, float c) {
  fit->scale = fmaxf(fabsf(c), FLT_MIN);
  fit->zero_point = fit->scheme.symmetric ? 0 : -(c / fit->scale);
}

/* What a file of another format holds of it. */
static void round_to_grid(aq_fit *fit) {
  aq_scale_grid_round(fit->scheme.grid, fit->scheme.type, fit->range.min, fit->range.max, &fit->scale,
                      &fit->zero_point);
}

static double limited(float x) { return fmin(fmax((double)x, -AQ_FIT_LIMIT), AQ_FIT_LIMIT); }

static void minmax(aq_fit *fit) {
  const double qmin = aq_quant_min(fit->scheme.type), qmax = aq_quant_max(fit->scheme.type);
  const double min = limited(fit->range.min), max = limited(fit->range.max);
  const double amax = limited(aq_bits_f32(fit->range.max_abs_bits));
  const bool symmetric = fit->scheme.symmetric;
  if (min == max && !symmetric) {
    constant_span(fit, (float)min);
    return;
  }
  const double scale = symmetric ? amax / qmax : (max - min) / (qmax - qmin);
  fit->scale = fmaxf((float)scale, FLT_MIN);
  fit->zero_point = symmetric ? 0 : (float)(qmin - min / (double)fit->scale);
}

static bool range_done(aq_fit *fit) {
  const bool least_squares = fit->scheme.method == AQ_MSE;
  if (fit->range.max_abs_bits == 0) return false; /* all zero, or empty: scale and zero point are 0 */
  if (fit->range.min == fit->range.max && (least_squares || !fit->scheme.symmetric)) {
    constant_span(fit, fit->range.min);
    return false;
  }
  minmax(fit);
  round_to_grid(fit);
  if (!least_squares) return false;
  fit->stage = STAGE_SEARCH;
  aq_mse_begin(fit);
  return true;
}

void aq_fit_begin(aq_fit *fit, const aq_scheme *scheme) {
  memset(fit, 0, sizeof *fit);
  fit->scheme = *scheme;
  fit->kernels = aq_kernels_get();
  fit->range = aq_range_empty();
  fit->stage = STAGE_RANGE;
}

void aq_fit_feed(aq_fit *fit, const float *x, size_t n) {
  if (fit->nonfinite) return;
  if (fit->stage == STAGE_RANGE) {
    fit->kernels->range_f32(x, n, &fit->range);
    fit->nonfinite = fit->range.max_abs_bits >= infinity_bits;
    fit->count += n;
    return;
  }
  fit->kernels->fit_sums(x, n, fit->try_scale, fit->try_zero, aq_quant_min(fit->scheme.type),
                         aq_quant_max(fit->scheme.type), &fit->sums);
}

bool aq_fit_again(aq_fit *fit) {
  if (fit->nonfinite) return false;
  if (fit->stage == STAGE_RANGE ? range_done(fit) : aq_mse_next(fit)) return true;
  round_to_grid(fit);
  return false;
}

bool aq_fit_span(const aq_scheme *scheme, const float *x, size_t n, float *scale, float *zero_point) {
  aq_fit fit;
  aq_fit_begin(&fit, scheme);
  do {
    aq_fit_feed(&fit, x, n);
  } while (aq_fit_again(&fit));
  *scale = fit.scale;
  *zero_point = fit.zero_point;
  return !fit.nonfinite;
}
