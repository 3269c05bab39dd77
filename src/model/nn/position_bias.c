/* position_bias.c - attention biases by distance.
 *
 * The bucket of a distance n >= 8 is 8 + floor(8 log(n / 8) / log(128 / 8)), at most 15. That is 8 + the largest i with
 * n >= 8 * 2^(i/2), or n^2 >= 64 * 2^i, which needs no rounding; the implementation in transformers, in FP32, gives the
 * same for every n. */
#include "model/nn/position_bias.h"

#include <math.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

#define NEAR 8                              /* distances below have a bucket each */
#define SIDE (AQ_POSITION_BIAS_BUCKETS / 2) /* buckets of one direction */

aq_status aq_position_bias_create(aq_position_bias *relative, uint32_t heads, uint32_t width, aq_error *err) {
  *relative = (aq_position_bias){.heads = heads, .factor = sqrtf((float)width)};
  const size_t count = (size_t)heads * AQ_POSITION_BIAS_SPAN;
  relative->by_head = aq_calloc(count, sizeof *relative->by_head);
  return relative->by_head != NULL ? AQ_OK : aq_fail_memory(err, count * sizeof *relative->by_head);
}

void aq_position_bias_reset(aq_position_bias *relative) {
  aq_free(relative->by_head);
  *relative = (aq_position_bias){0};
}

uint32_t aq_position_bias_bucket(int64_t offset) {
  const uint32_t first = offset > 0 ? SIDE : 0;
  const uint64_t distance = AQ_MIN((uint64_t)(offset > 0 ? offset : -offset), (uint64_t)AQ_POSITION_BIAS_FAR);
  if (distance < NEAR) return first + (uint32_t)distance;
  uint32_t more = 0;
  while (NEAR + more < SIDE - 1 && distance * distance >= (uint64_t)(NEAR * NEAR) << (more + 1)) more++;
  return first + NEAR + more;
}

void aq_position_bias_set(aq_position_bias *relative, const float *values) {
  for (uint32_t h = 0; h < relative->heads; h++) {
    float *biases = relative->by_head + (size_t)h * AQ_POSITION_BIAS_SPAN;
    for (int64_t i = 0; i < AQ_POSITION_BIAS_SPAN; i++) {
      const size_t bucket = aq_position_bias_bucket(i - AQ_POSITION_BIAS_FAR);
      biases[i] = values[bucket * relative->heads + h] * relative->factor;
    }
  }
}

void aq_position_bias_add(const float *biases, size_t query, size_t keys, float *scores) {
  const size_t begin = query > AQ_POSITION_BIAS_FAR ? query - AQ_POSITION_BIAS_FAR : 0;
  const size_t end = AQ_MIN(keys, query + AQ_POSITION_BIAS_FAR + 1);
  for (size_t k = 0; k < begin; k++) scores[k] += biases[0];
  for (size_t k = begin; k < end; k++) scores[k] += biases[k + AQ_POSITION_BIAS_FAR - query];
  for (size_t k = end; k < keys; k++) scores[k] += biases[AQ_POSITION_BIAS_SPAN - 1];
}
