/* power_of_two.h - an exponential of sums and products alone: without functions of the C library it has the same bits
 * on every machine, and compilers turn it into vector code. */
#ifndef AQ_MODEL_NN_POWER_OF_TWO_H
#define AQ_MODEL_NN_POWER_OF_TWO_H

#include <stdint.h>

#include "core/bytes.h"

/* 2^t for -126 <= t <= 0: 2^n 2^f with f in [-1/2, 1/2], where the series of 2^f is off by 2e-7. */
static inline float aq_power_of_two(float t) {
  const float shifter = 12582912; /* 1.5 x 2^23: adding it rounds to an integer */
  const float n = t + shifter - shifter, f = (t - n) * 0.693147181f;
  const float series = 1 + f * (1 + f * (1.f / 2 + f * (1.f / 6 + f * (1.f / 24 + f * (1.f / 120 + f * (1.f / 720))))));
  return series * aq_bits_f32((uint32_t)((int32_t)n + 127) << 23);
}

#endif
