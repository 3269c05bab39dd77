/* scale_grid.c - rounding a scale to so many significant bits within FP16, and a zero point to a code.
 *
 * FP16 numbers are multiples of 2^-24 with 11 significant bits, up to 65504. A scale of seven bits times a whole number
 * of four has eleven, and is a multiple of 2^-24 when the scale is: it is exact. */
#include "quant/scale_grid.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "tensor/dtype.h"

enum { F16_BITS = 11, SHORT_BITS = 7, SMALLEST = -24 };
static const double largest = 65504;

static const struct {
  const char *name; /* NULL: none */
  int scale_bits;   /* 0: any scale */
  bool has_whole_zeros;
  double most; /* of a scale: what it is multiplied with stays an FP16 number */
} grids[] = {[AQ_GRID_NONE] = {NULL, 0, false, 0},
             [AQ_GRID_F16] = {"fp16", F16_BITS, false, largest},
             [AQ_GRID_WHOLE_ZEROS] = {"whole-zeros", 0, true, 0},
             [AQ_GRID_F16_WHOLE_ZEROS] = {"fp16-whole-zeros", SHORT_BITS, true, largest / 15}};

/* To nearest, halves to even. */
static float round_scale(float scale, int bits, double most) {
  int exponent;
  if (!(scale > 0)) return scale;
  (void)frexp((double)scale, &exponent);
  const int unit = AQ_MAX(exponent - bits, SMALLEST);
  const double rounded = ldexp(rint(ldexp((double)scale, -unit)), unit);
  return rounded > most ? scale : (float)fmax(rounded, ldexp(1, SMALLEST));
}

bool aq_scale_grid_has_whole_zeros(aq_scale_grid grid) { return grids[grid].has_whole_zeros; }

float aq_scale_grid_whole_zero(aq_quant_type type, double zero_point) {
  return (float)fmin(fmax(rint(zero_point), aq_quant_min(type)), aq_quant_max(type));
}

/* Where no whole zero point is near, the range reaches from zero to the far end of the values. */
static void place_zero(aq_quant_type type, float min, float max, float *scale, float *zero_point) {
  const float whole = rintf(*zero_point);
  *zero_point = aq_scale_grid_whole_zero(type, (double)whole);
  if (*zero_point == whole) return;
  const double far = whole < *zero_point ? (double)max : -(double)min;
  if (far > 0) *scale = (float)(far / ((double)aq_quant_max(type) - (double)aq_quant_min(type)));
}

void aq_scale_grid_round(aq_scale_grid grid, aq_quant_type type, float min, float max, float *scale,
                         float *zero_point) {
  if (grids[grid].has_whole_zeros) place_zero(type, min, max, scale, zero_point);
  if (grids[grid].scale_bits > 0) *scale = round_scale(*scale, grids[grid].scale_bits, grids[grid].most);
}

const char *aq_scale_grid_name(aq_scale_grid grid) { return grids[grid].name; }

bool aq_scale_grid_parse(const char *name, aq_scale_grid *out) {
  for (size_t i = 1; i < AQ_COUNT_OF(grids); i++) {
    if (strcmp(name, grids[i].name) != 0) continue;
    *out = (aq_scale_grid)i;
    return true;
  }
  return false;
}
