/* scale_factor.c - a factor of three significant bits, and the way back by trying what the largest scale may be a
 * multiple of. FP16 numbers are multiples of 2^-24 with 11 significant bits, up to 65504. */
#include "quant/scale_factor.h"

#include <math.h>

enum { F16_BITS = 11, FACTOR_BITS = 3, SMALLEST = -24 };
static const double largest = 65504;

static double largest_of(const float *scales, size_t count) {
  double most = 0;
  for (size_t i = 0; i < count; i++) most = fmax(most, (double)scales[i]);
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

/* Quotients of FP32 numbers by FP16 numbers are whole in FP64 where they are whole. */
static bool are_multiples(const float *scales, size_t count, int most, double factor) {
  for (size_t i = 0; i < count; i++) {
    const double times = rint((double)scales[i] / factor);
    if (!(times >= 0 && times <= most) || times * factor != (double)scales[i]) return false;
  }
  return true;
}

bool aq_scale_factor_find(const float *scales, size_t count, int most, float *factor) {
  const double top = largest_of(scales, count);
  *factor = (float)ldexp(1, SMALLEST);
  if (top == 0) return are_multiples(scales, count, most, (double)*factor);
  for (int times = most; times > 0; times--) {
    const double tried = (double)(float)(top / times);
    if (!is_f16(tried) || !are_multiples(scales, count, most, tried)) continue;
    *factor = (float)tried;
    return true;
  }
  return false;
}
