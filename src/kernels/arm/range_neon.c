/* range_neon.c - smallest, largest and largest magnitude, 16 elements a step. */
#include <arm_neon.h>

#include "kernels/dispatch.h"

typedef struct bounds {
  float32x4_t min, max;
  uint32x4_t magnitude;
} bounds;

static inline void widen(bounds *b, const float *x) {
  const float32x4_t v = vld1q_f32(x);
  b->min = vminq_f32(b->min, v);
  b->max = vmaxq_f32(b->max, v);
  b->magnitude = vmaxq_u32(b->magnitude, vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(0x7fffffff)));
}

static inline void merge(bounds *b, const bounds *other) {
  b->min = vminq_f32(b->min, other->min);
  b->max = vmaxq_f32(b->max, other->max);
  b->magnitude = vmaxq_u32(b->magnitude, other->magnitude);
}

void aq_range_f32_neon(const float *x, size_t n, aq_range *range) {
  if (n < 4) {
    aq_range_f32_ref(x, n, range);
    return;
  }
  bounds a = {vdupq_n_f32(range->min), vdupq_n_f32(range->max), vdupq_n_u32(range->max_abs_bits)};
  bounds b = a, c = a, d = a;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    widen(&a, x + i);
    widen(&b, x + i + 4);
    widen(&c, x + i + 8);
    widen(&d, x + i + 12);
  }
  for (; i + 4 <= n; i += 4) widen(&a, x + i);
  if (i < n) widen(&b, x + n - 4); /* an element seen twice changes nothing */
  merge(&a, &b);
  merge(&c, &d);
  merge(&a, &c);
  range->min = vminvq_f32(a.min);
  range->max = vmaxvq_f32(a.max);
  range->max_abs_bits = vmaxvq_u32(a.magnitude);
}
