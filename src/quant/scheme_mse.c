/* scheme_mse.c - scale and zero point of least squared error, by alternation.
 *
 * Given codes, the best scale and zero point are a line through (q, x), in closed form from the sums n, x, xx, qx, q,
 * qq; given scale and zero point, the best codes are the nearest ones. Alternating both never raises the error and ends
 * in a local minimum, so it begins from three places: the min-max range, that range shrunk around its middle, and a
 * step of so many standard deviations around the mean. Zero points are fractional: at 2 bits a rounded one costs more
 * than the search gains.
 *
 * A file stores scale and zero point for every 64 weights or so, and compresses them. So in the end the scale keeps
 * only a few bits of its fraction (both neighbours are tried) and the zero point is a multiple of a small power of two,
 * fitted again for that scale: of the 64 bits a span some 15 remain, and the error is the same in four digits.
 *
 * Where plain min-max is clearly better than that (values that already lie on a grid), its values are the result.
 * Everything is in double with the order of operations written here: docs/schemes/mse.md states it once more. */
#include "quant/scheme_mse.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "tensor/dtype.h"

enum { START_MINMAX, START_SHRUNK, START_SIGMA, CUT_BELOW, CUT_ABOVE, FINISHED };
/* Cut values may cost this factor over the error of min-max, whose scale and zero point hardly compress. */
static const double cut_allowance = 1.25;

enum { FRACTION_BITS = 23, MAX_ROUNDS = 8, CUT_ROUNDS = 2 };

/* By type. The shrunk range and the step (in standard deviations; the best uniform quantizer of a Gaussian has .9957,
 * .586, .335 and .031) are chosen on transformer weights in groups of 64. */
static const struct search {
  double shrink, step;
  int scale_bits;   /* of the scale's fraction that are kept */
  double zero_grid; /* zero points are multiples of 1 / zero_grid */
} searches[] = {
    [AQ_INT8] = {0.95, 0.031, 7, 16},
    [AQ_INT4] = {0.88, 0.335, 4, 16},
    [AQ_INT3] = {0.8, 0.55, 4, 16},
    [AQ_INT2] = {0.55, 1.0, 4, 32},
};

typedef struct totals {
  double n, x, xx, qx, q, qq;
} totals;

static totals take_totals(aq_fit *fit) {
  const totals t = {(double)fit->count,           aq_lanes_total(fit->sums.x), aq_lanes_total(fit->sums.xx),
                    aq_lanes_total(fit->sums.qx), (double)fit->sums.q,         (double)fit->sums.qq};
  memset(&fit->sums, 0, sizeof fit->sums);
  return t;
}

/* Sum of (x - scale * (q - zero))^2. */
static double squared_error(const totals *t, float scale, float zero) {
  const double s = (double)scale, z = (double)zero;
  const double cross = t->qx - z * t->x;
  const double square = (t->qq - (2 * z) * t->q) + (t->n * z) * z;
  return (t->xx - (2 * s) * cross) + (s * s) * square;
}

/* The zero point that makes the mean error zero. */
static double centred_zero(const totals *t, double codes, float scale) { return (codes - t->x / (double)scale) / t->n; }

static bool has_whole_zeros(const aq_scheme *scheme) {
  return !scheme->symmetric && aq_scale_grid_has_whole_zeros(scheme->grid);
}

/* The line through (q, x) that crosses zero at a whole code: the one nearest to where the best line does. */
static bool solve_whole(const totals *t, aq_quant_type type, double free_zero, float *scale, float *zero) {
  *zero = aq_scale_grid_whole_zero(type, free_zero);
  const double z = (double)*zero;
  const double s = (t->qx - z * t->x) / ((t->qq - (2 * z) * t->q) + (t->n * z) * z);
  *scale = (float)s;
  return s >= (double)FLT_MIN && s <= (double)FLT_MAX;
}

/* The line through (q, x). False when the codes do not determine one, or a float cannot hold it. */
static bool solve(const totals *t, const aq_scheme *scheme, float *scale, float *zero) {
  const bool symmetric = scheme->symmetric;
  const double over = symmetric ? t->qx : t->n * t->qx - t->q * t->x;
  const double under = symmetric ? t->qq : t->n * t->qq - t->q * t->q;
  if (!(over > 0 && under > 0)) return false;
  const double s = over / under;
  if (!(s >= (double)FLT_MIN && s <= (double)FLT_MAX)) return false;
  *scale = (float)s;
  const double z = symmetric ? 0 : centred_zero(t, t->q, *scale);
  if (!(fabs(z) <= (double)FLT_MAX)) return false;
  if (has_whole_zeros(scheme)) return solve_whole(t, scheme->type, z, scale, zero);
  *zero = (float)z;
  return true;
}

/* What the next pass takes. False when this scale and zero point are not usable. */
static bool try_next(aq_fit *fit, double scale, double centre, bool symmetric) {
  if (!(scale <= (double)FLT_MAX)) return false;
  fit->try_scale = fmaxf((float)scale, FLT_MIN);
  const double zero = symmetric ? 0 : -0.5 - centre / (double)fit->try_scale; /* -0.5 = (qmin + qmax) / 2 */
  if (!(fabs(zero) <= (double)FLT_MAX)) return false;
  fit->try_zero = (float)zero;
  return true;
}

static bool begin_shrunk(aq_fit *fit) {
  const double min = (double)fit->range.min, max = (double)fit->range.max;
  const double shrink = searches[fit->scheme.type].shrink;
  const double qmin = aq_quant_min(fit->scheme.type), qmax = aq_quant_max(fit->scheme.type);
  if (fit->scheme.symmetric) {
    return try_next(fit, shrink * (double)aq_bits_f32(fit->range.max_abs_bits) / qmax, 0, true);
  }
  return try_next(fit, shrink * (max - min) / (qmax - qmin), 0.5 * (max + min), false);
}

static bool begin_sigma(aq_fit *fit, const totals *t) {
  const double mean = fit->scheme.symmetric ? 0 : t->x / t->n;
  const double variance = t->xx / t->n - mean * mean;
  if (!(variance > 0)) return false;
  return try_next(fit, searches[fit->scheme.type].step * sqrt(variance), mean, fit->scheme.symmetric);
}

/* The grid of zero points is for the scale that is already cut. */
static bool place_zero(aq_fit *fit, const totals *t, double codes) {
  const double grid = searches[fit->scheme.type].zero_grid;
  if (has_whole_zeros(&fit->scheme)) {
    fit->try_zero = aq_scale_grid_whole_zero(fit->scheme.type, centred_zero(t, codes, fit->try_scale));
    return true;
  }
  const double zero = fit->scheme.symmetric ? 0 : rint(centred_zero(t, codes, fit->try_scale) * grid) / grid;
  if (!(fabs(zero) <= (double)FLT_MAX)) return false;
  fit->try_zero = (float)zero;
  return true;
}

/* The best scale with its fraction cut off, or one step above that. */
static bool begin_cut(aq_fit *fit, const totals *t) {
  const uint32_t step = (uint32_t)1 << (FRACTION_BITS - searches[fit->scheme.type].scale_bits);
  const uint32_t below = aq_f32_bits(fit->best_scale) & ~(step - 1);
  fit->try_scale = aq_bits_f32(fit->start == CUT_BELOW ? below : below + step);
  if (!(fit->try_scale <= FLT_MAX)) return false;
  return place_zero(fit, t, fit->best_codes);
}

static void take_if_better(aq_fit *fit, double error, float scale, double codes) {
  if (!(error < fit->best_error)) return;
  fit->best_error = error;
  fit->best_scale = scale;
  fit->best_codes = codes;
}

/* One alternation. True when it changed something and may go on. */
static bool refine(aq_fit *fit, const totals *t) {
  float scale, zero;
  if (!solve(t, &fit->scheme, &scale, &zero)) return false;
  take_if_better(fit, squared_error(t, scale, zero), scale, t->q);
  if (scale == fit->try_scale && zero == fit->try_zero) return false;
  fit->try_scale = scale;
  fit->try_zero = zero;
  return ++fit->round < MAX_ROUNDS;
}

/* Whether every code decodes to a finite value. */
static bool decodes_finite(aq_quant_type type, float scale, float zero) {
  const double low = aq_quant_min(type) - (double)zero, high = aq_quant_max(type) - (double)zero;
  return fmax(fabs(low), fabs(high)) * (double)scale <= AQ_FIT_LIMIT;
}

/* The result of a pass with a cut scale. True when its zero point moved and is worth another pass. */
static bool settle(aq_fit *fit, const totals *t) {
  const float zero = fit->try_zero;
  const double error = squared_error(t, fit->try_scale, zero);
  if (error < fit->cut_error && decodes_finite(fit->scheme.type, fit->try_scale, zero)) {
    fit->cut_error = error;
    fit->scale = fit->try_scale;
    fit->zero_point = zero;
  }
  return ++fit->round < CUT_ROUNDS && place_zero(fit, t, t->q) && fit->try_zero != zero;
}

static bool begin_start(aq_fit *fit, const totals *t) {
  fit->round = 0;
  switch (fit->start) {
    case START_SHRUNK:
      return begin_shrunk(fit);
    case START_SIGMA:
      return begin_sigma(fit, t);
    default:
      return begin_cut(fit, t);
  }
}

void aq_mse_begin(aq_fit *fit) {
  fit->start = START_MINMAX;
  fit->try_scale = fit->scale;
  fit->try_zero = fit->zero_point;
  fit->best_error = HUGE_VAL;
}

bool aq_mse_next(aq_fit *fit) {
  const totals t = take_totals(fit);
  if (fit->start == START_MINMAX && fit->round == 0) {
    fit->cut_error = cut_allowance * squared_error(&t, fit->scale, fit->zero_point);
  }
  if (fit->start < CUT_BELOW ? refine(fit, &t) : settle(fit, &t)) return true;
  while (++fit->start < FINISHED) {
    if (fit->start == CUT_BELOW && !(fit->best_error < HUGE_VAL)) break;
    if (begin_start(fit, &t)) return true;
  }
  return false;
}
