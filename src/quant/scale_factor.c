/* scale_factor.c - a factor of three significant bits, and the way back by trying what the largest scale may be a
 * multiple of, with either sign. FP16 numbers are multiples of 2^-24 with 11 significant bits, up to 65504. */
#include "quant/scale_factor.h"

#include <math.h>

enum { F16_BITS = 11, FACTOR_BITS = 3, SMALLEST = -24 };
static const double largest = 65504;

static double largest_of(const float *scales, size_t count) {
  double most = 0;
  for (size_t i = 0; i < count; i++) most = fmax(most, fabs((double)scales[i]));
  return most;
}

/* The unit of a number's last place when it has so many significant bits and is a multiple of 2^-24. */
static int last_place(double x, int bits) {
  int exponent;
  (void)frexp(x, &exponent);
  return exponent - bits > SMALLEST ? exponent - bits : SMALLEST;
}

void aq_scale_factor_round(float *scales, size_t count, int most) {
  const double top = largest_of(scales, count), least = top / most;
  if (top > largest) return;
  const int unit = last_place(least, FACTOR_BITS);
  const double factor = fmax(ldexp(ceil(ldexp(least, -unit)), unit), ldexp(1, SMALLEST));
  for (size_t i = 0; i < count; i++) {
    scales[i] = (float)(fmin(fmax(rint((double)scales[i] / factor), 1), most) * factor);
  }
}

static bool is_f16(double x) {
  const double digits = ldexp(x, -last_place(x, F16_BITS));
  return x > 0 && x <= largest && digits == rint(digits);
}

/* Quotients of FP32 numbers by FP16 numbers are whole in FP64 where they are whole. The product has the sign of the
 * scale where both are 0. */
static bool are_multiples(const float *scales, size_t count, int most, double factor) {
  for (size_t i = 0; i < count; i++) {
    const double times = rint((double)scales[i] / factor);
    if (!(times >= -most - 1 && times <= most) || times * factor != (double)scales[i]) return false;
    if (times == 0 && (signbit(scales[i]) != 0) != (factor < 0)) return false;
  }
  return true;
}

static bool try_factor(const float *scales, size_t count, int most, double size, float *factor) {
  if (!is_f16(size)) return false;
  for (double sign = 1; sign >= -1; sign -= 2) {
    *factor = (float)(sign * size);
    if (are_multiples(scales, count, most, (double)*factor)) return true;
  }
  return false;
}

/* The largest is 0; others may be no number. */
static bool find_for_zeros(const float *scales, size_t count, int most, float *factor) {
  bool all = true;
  for (size_t i = 0; i < count; i++) all = all && scales[i] == 0;
  if (all && !try_factor(scales, count, most, ldexp(1, SMALLEST), factor)) *factor = 0;
  return all;
}

bool aq_scale_factor_find(const float *scales, size_t count, int most, float *factor) {
  const double top = largest_of(scales, count);
  if (top == 0) return find_for_zeros(scales, count, most, factor);
  for (int times = most; times > 0; times--) {
    if (try_factor(scales, count, most, (double)(float)(top / times), factor)) return true;
  }
  return try_factor(scales, count, most, (double)(float)(top / (most + 1)), factor);
}

int aq_scale_factor_times(float scale, float factor) {
  if (factor != 0) return (int)rint((double)scale / (double)factor);
  return signbit(scale) ? -1 : 0; /* whose product with 0 has the sign */
}
