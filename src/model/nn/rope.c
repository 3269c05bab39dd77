/* rope.c - rotary positions. */
#include "model/nn/rope.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"

aq_status aq_rope_create(aq_rope *rope, uint32_t half, aq_error *err) {
  *rope = (aq_rope){.half = half, .short_limit = UINT32_MAX, .scale = 1};
  rope->frequencies = aq_calloc((size_t)2 * half, sizeof *rope->frequencies);
  return rope->frequencies != NULL ? AQ_OK : aq_fail_memory(err, (size_t)2 * half * sizeof(float));
}

void aq_rope_reset(aq_rope *rope) {
  aq_free(rope->frequencies);
  *rope = (aq_rope){0};
}

void aq_rope_angles(const aq_rope *rope, uint32_t set, size_t position, float *out) {
  const float *frequencies = rope->frequencies + (size_t)set * rope->half;
  for (size_t i = 0; i < rope->half; i++) {
    const float angle = (float)position * frequencies[i];
    out[i] = (float)cos((double)angle) * rope->scale;
    out[rope->half + i] = (float)sin((double)angle) * rope->scale;
  }
}

void aq_rope_turn(const aq_rope *rope, const float *angles, float *x) {
  const size_t half = rope->half;
  const float *cosines = angles, *sines = angles + half;
  for (size_t i = 0; i < half; i++) {
    const float a = x[i], b = x[half + i];
    x[i] = a * cosines[i] - b * sines[i];
    x[half + i] = b * cosines[i] + a * sines[i];
  }
}

void aq_rope_turn_back(const aq_rope *rope, const float *angles, float *dx) {
  const size_t half = rope->half;
  const float *cosines = angles, *sines = angles + half;
  for (size_t i = 0; i < half; i++) {
    const float a = dx[i], b = dx[half + i];
    dx[i] = a * cosines[i] + b * sines[i];
    dx[half + i] = b * cosines[i] - a * sines[i];
  }
}
