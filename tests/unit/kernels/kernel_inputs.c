/* kernel_inputs.c - data for the kernel checks: ordinary weights, and what breaks conversions and rounding. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "kernels/kernel_check.h"

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
uint64_t kernel_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

size_t kernel_random_below(uint64_t *state, size_t limit) { return (size_t)(kernel_random(state) % limit); }

/* In [-1, 1). */
static float symmetric(uint64_t *state) {
  return (float)((int64_t)kernel_random_below(state, 1u << 24) - (1 << 23)) * 0x1p-23f;
}

static float finite_bits(uint64_t *state) {
  uint32_t bits;
  do bits = (uint32_t)kernel_random(state);
  while ((bits & 0x7f800000) == 0x7f800000);
  return aq_bits_f32(bits);
}

static float random_scale(uint64_t *state) {
  const float fraction = fabsf(symmetric(state));
  const int usual = (int)kernel_random_below(state, 24) - 20, any = (int)kernel_random_below(state, 252) - 126;
  switch (kernel_random_below(state, 8)) {
    case 0:
      return 0;
    case 1:
      return ldexpf(1, usual);
    case 2:
      return ldexpf(1 + fraction, any);
    default:
      return ldexpf(1 + fraction, usual);
  }
}

static float random_zero_point(uint64_t *state) {
  switch (kernel_random_below(state, 8)) {
    case 0:
      return finite_bits(state);
    case 1:
      return symmetric(state) * 200;
    case 2:
      return (float)kernel_random_below(state, 64) * 0.25f - 8;
    case 3:
      return (float)kernel_random_below(state, 256) - 128;
    case 4:
      return symmetric(state) * 4;
    default:
      return 0;
  }
}

void kernel_random_parameters(uint64_t *state, kernel_call *call) {
  static const int32_t limits[][2] = {{-128, 127}, {-127, 127}, {-8, 7}, {-4, 3}, {-2, 1}};
  const size_t type = kernel_random_below(state, AQ_COUNT_OF(limits));
  call->qmin = limits[type][0];
  call->qmax = limits[type][1];
  call->scale = random_scale(state);
  call->zero_point = random_zero_point(state);
}

/* A value whose code lies on a rounding boundary, or one or two steps of its last place beside it. */
static float half_grid(uint64_t *state, const kernel_call *call) {
  const int32_t span = call->qmax - call->qmin + 4;
  const float code = (float)((int32_t)kernel_random_below(state, (size_t)span) + call->qmin - 2) + 0.5f;
  const float x = (code - call->zero_point) * call->scale;
  const uint32_t beside = aq_f32_bits(x) + (uint32_t)kernel_random_below(state, 5) - 2;
  return isfinite(aq_bits_f32(beside)) ? aq_bits_f32(beside) : 0;
}

static float finite_of_kind(uint64_t *state, size_t kind, const kernel_call *call) {
  const uint64_t bits = kernel_random(state);
  const uint32_t sign = (uint32_t)(bits >> 63) << 31;
  const float weight = (float)(int8_t)bits * (float)(int8_t)(bits >> 8) * 0x1p-14f;
  switch (kind) {
    case 0:
      return half_grid(state, call);
    case 1:
      return finite_bits(state);
    case 2:
      return aq_bits_f32(sign); /* zeros of both signs */
    case 3:
      return aq_bits_f32(sign | ((uint32_t)bits & 0x007fffff)); /* subnormal */
    case 4:
      return aq_bits_f32(sign | (0x7f7fffff - ((uint32_t)bits & 3)));
    case 5:
      return call->scale; /* constant */
    default:
      return weight * (call->scale == 0 ? 1 : call->scale) * (float)call->qmax;
  }
}

#define FINITE_KINDS 8 /* two of them ordinary weights */

static float any_f32(uint64_t *state, const kernel_call *call) {
  static const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff,
                                     0xff7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xffbfffff, 0x7fc00000,
                                     0xffffffff, 0x7f802000, 0x477fefff, 0x477ff000, 0x33000000, 0x33000001,
                                     0x387fe000, 0x387ff000, 0x38800000, 0x7f7f8000, 0x7f7f7fff, 0x00008000};
  const uint32_t bits = (uint32_t)kernel_random(state);
  const uint32_t nudge = (uint32_t)kernel_random_below(state, 3) - 1;
  switch (kernel_random_below(state, 6)) {
    case 0:
      return aq_bits_f32(special[kernel_random_below(state, AQ_COUNT_OF(special))]);
    case 1:
      return aq_bits_f32((bits & 0xffff0000) + 0x8000 + nudge); /* half way between two BF16 */
    case 2:
      return aq_bits_f32((bits & 0x87ffe000) + 0x38000000 + 0x1000 + nudge); /* and between two F16 */
    case 3:
      return (float)(int32_t)(bits & 0xfff) * 0x1p-25f; /* and between small F16 */
    case 4:
      return finite_of_kind(state, FINITE_KINDS - 1, call);
    default:
      return aq_bits_f32(bits);
  }
}

static uint64_t any_f64(uint64_t *state) {
  const uint64_t bits = kernel_random(state);
  const float value = finite_bits(state);
  const double wide = (double)value;
  uint64_t wide_bits;
  memcpy(&wide_bits, &wide, sizeof wide_bits);
  switch (kernel_random_below(state, 4)) {
    case 0:
      return bits;
    case 1:
      return wide_bits + (1u << 28) + (uint64_t)kernel_random_below(state, 3) - 1; /* half way */
    case 2:
      return (bits & 0x800fffffffffffff) | 0x7ff0000000000000; /* NaN */
    default:
      return (bits & 0x800fffffffffffff) | (uint64_t)(1023 - 151 + kernel_random_below(state, 28)) << 52;
  }
}

void kernel_random_input(uint64_t *state, kernel_content content, unsigned bits, const kernel_call *call, void *out,
                         size_t n) {
  uint8_t *const to = out;
  const size_t kind = kernel_random_below(state, FINITE_KINDS + 1); /* the last: a mixture */
  if (bits == 64) {
    for (size_t i = 0; i < n; i++) aq_store_u64(to + 8 * i, any_f64(state));
  } else if (content == KERNEL_FINITE) {
    for (size_t i = 0; i < n; i++) {
      const size_t this_kind = kind < FINITE_KINDS ? kind : kernel_random_below(state, FINITE_KINDS);
      aq_store_f32(to + 4 * i, finite_of_kind(state, this_kind, call));
    }
  } else if (content == KERNEL_ANY) {
    for (size_t i = 0; i < n; i++) aq_store_f32(to + 4 * i, any_f32(state, call));
  } else {
    for (size_t i = 0; i < (n * bits + 7) / 8; i++) to[i] = (uint8_t)kernel_random(state);
  }
}
