/* rd_steps.c - steps of spans. docs/schemes/rd.md. */
#include "quant/rd_steps.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

#define CHUNK ((size_t)1024)
/* Steps that are tried for a span with a weight outside, from the one that covers it downwards. */
#define RAISED_STEPS 16
/* What part of the error codes that are cut off must make before larger steps are tried: no more can be gained. */
#define WORTH_RAISING 0.02
/* A step whose error is so many times the least so far: smaller ones cut off more still. */
#define GIVE_UP 2

bool aq_rd_maxima(const aq_rd_matrix *matrix, size_t span, float *maxima) {
  const aq_kernels *kernels = aq_kernels_get();
  const size_t spans = matrix->rows * (matrix->cols / span);
  bool finite = true;
  for (size_t s = 0; s < spans; s++) {
    aq_range range = aq_range_empty();
    kernels->range_f32(matrix->w + s * span, span, &range);
    maxima[s] = aq_bits_f32(range.max_abs_bits);
    finite = finite && aq_range_is_finite(&range);
  }
  return finite;
}

void aq_rd_mean_squares(const aq_rd_matrix *matrix, double *out) {
  const aq_kernels *kernels = aq_kernels_get();
  for (size_t i = 0; i < matrix->rows; i++) {
    const float *const row = matrix->w + i * matrix->cols;
    aq_diff_sums sums;
    memset(&sums, 0, sizeof sums);
    kernels->diff_sums(row, row, matrix->cols, &sums);
    out[i] = aq_lanes_total(sums.aa) / (double)matrix->cols;
  }
}

/* From products and sums alone: x = m * 2^e with m near 1, log2 m = 2/ln 2 * atanh((m - 1) / (m + 1)). */
double aq_rd_log2(double x) {
  int exponent;
  double m = frexp(x, &exponent);
  if (m < 0.70710678118654752) m *= 2, exponent--;
  const double t = (m - 1) / (m + 1), tt = t * t;
  double sum = 0;
  for (int k = 25; k > 0; k -= 2) sum = sum * tt + 1.0 / k;
  return (double)exponent + 2.8853900817779268 * t * sum;
}

static double exp2_of(double x) {
  const double whole = rint(x), y = (x - whole) * 0.69314718055994531;
  double sum = 1;
  for (int k = 18; k > 0; k--) sum = 1 + y / k * sum;
  return ldexp(sum, (int)whole);
}

bool aq_rd_row_steps(const aq_rd_matrix *matrix, double lambda, double *out) {
  double logs = 0;
  for (size_t i = 0; i < matrix->rows; i++) {
    const double s = (double)matrix->sensitivity[i];
    if (!(s > 0 && s <= (double)FLT_MAX)) return false;
    logs += aq_rd_log2(s);
  }
  const double mean = sqrt(AQ_RD_KAPPA * lambda / exp2_of(logs / (double)matrix->rows));
  const double least = (double)matrix->narrow * mean, most = (double)matrix->wide * mean;
  for (size_t i = 0; i < matrix->rows; i++) {
    const double step = sqrt(AQ_RD_KAPPA * lambda / (double)matrix->sensitivity[i]);
    out[i] = step < least ? least : step > most ? most : step;
  }
  return true;
}

float aq_rd_cut(double x, int significant, bool up) {
  const uint32_t unit = (uint32_t)1 << (24 - significant), largest = 0x7f800000 - unit;
  const float at_least = (float)AQ_MIN(AQ_MAX(x, (double)FLT_MIN), (double)FLT_MAX);
  const uint32_t more = up ? unit - 1 : unit / 2, bits = (aq_f32_bits(at_least) + more) & ~(unit - 1);
  return aq_bits_f32(AQ_MIN(bits, largest));
}

bool aq_rd_passes(aq_quant_type type, float maximum, float step) {
  return (double)maximum > ((double)aq_quant_max(type) + 0.5) * (double)step;
}

double aq_rd_squared_error(aq_quant_type type, const float *w, size_t n, float step) {
  const aq_kernels *kernels = aq_kernels_get();
  aq_diff_sums sums;
  memset(&sums, 0, sizeof sums);
  for (size_t done = 0; done < n; done += CHUNK) {
    const size_t count = AQ_MIN(n - done, CHUNK);
    int8_t codes[CHUNK];
    float values[CHUNK];
    kernels->quantize_f32(w + done, count, step, 0, aq_quant_min(type), aq_quant_max(type), codes);
    kernels->dequantize_s8(codes, count, step, 0, values);
    kernels->diff_sums(w + done, values, count, &sums);
  }
  return aq_lanes_total(sums.ee);
}

/* The part of the squared error that cut codes make. */
static double cut_error(aq_quant_type type, const float *w, size_t n, float step) {
  const float lowest = (float)aq_quant_min(type) * step, highest = (float)aq_quant_max(type) * step, half = 0.5f * step;
  double error = 0;
  for (size_t j = 0; j < n; j++) {
    const float beyond = w[j] > highest + half ? w[j] - highest : w[j] < lowest - half ? lowest - w[j] : 0;
    error += (double)beyond * (double)beyond;
  }
  return error;
}

/* The best of `step` and the RAISED_STEPS steps from the one that covers the largest weight downwards. */
static float raise(const aq_rd_layout *layout, const float *w, size_t n, float maximum, float step, double *error) {
  const uint32_t unit = (uint32_t)1 << (24 - layout->significant);
  uint32_t bits =
      aq_f32_bits(aq_rd_cut((double)maximum / (double)aq_quant_max(layout->type), layout->significant, true));
  float best = step;
  *error = aq_rd_squared_error(layout->type, w, n, step);
  if (cut_error(layout->type, w, n, step) < WORTH_RAISING * *error) return step;
  for (int k = 0; k < RAISED_STEPS && aq_bits_f32(bits) > step; k++, bits -= unit) {
    const double tried = aq_rd_squared_error(layout->type, w, n, aq_bits_f32(bits));
    if (tried > GIVE_UP * *error) break;
    if (tried >= *error) continue;
    *error = tried;
    best = aq_bits_f32(bits);
  }
  return best;
}

void aq_rd_steps(const aq_rd_matrix *matrix, const aq_rd_layout *layout, const double *row_steps, const float *maxima,
                 float *steps, double *loss, uint64_t *weights) {
  const size_t span = aq_rd_span(matrix, layout), a_row = matrix->cols / span;
  *loss = 0;
  *weights = 0;
  for (size_t s = 0; s < matrix->rows * a_row; s++) {
    const size_t row = s / a_row;
    steps[s] = aq_rd_cut(row_steps[row], layout->significant, false);
    if (!aq_rd_passes(layout->type, maxima[s], steps[s])) continue;
    double error;
    steps[s] = raise(layout, matrix->w + s * span, span, maxima[s], steps[s], &error);
    *loss += (double)matrix->sensitivity[row] * error;
    *weights += span;
  }
}

uint64_t aq_rd_clipped(const aq_rd_matrix *matrix, const aq_rd_layout *layout, const float *maxima,
                       const float *steps) {
  const size_t span = aq_rd_span(matrix, layout);
  const double lowest = aq_quant_min(layout->type), highest = aq_quant_max(layout->type);
  uint64_t clipped = 0;
  for (size_t s = 0; s < matrix->rows * (matrix->cols / span); s++) {
    if (!aq_rd_passes(layout->type, maxima[s], steps[s])) continue;
    for (size_t j = 0; j < span; j++) {
      const double code = rint((double)(matrix->w[s * span + j] / steps[s]));
      clipped += code < lowest || code > highest;
    }
  }
  return clipped;
}
