/* alibi.c - attention with linear biases. */
#include "model/nn/alibi.h"

#include <math.h>
#include <stdbool.h>

#include "core/compiler.h"

float aq_alibi_slope(uint32_t heads, uint32_t head) {
  uint32_t power = 1;
  while (2 * power <= heads) power *= 2;
  const bool is_first = head < power;
  const double steps = is_first ? 2.0 * (head + 1) : 2.0 * (head - power) + 1;
  return (float)exp2(-4 * steps / power);
}

void aq_alibi_add(float slope, size_t query, size_t keys, float *scores) {
  const size_t middle = AQ_MIN(query, keys);
  for (size_t k = 0; k < middle; k++) scores[k] -= slope * (float)(query - k);
  for (size_t k = middle; k < keys; k++) scores[k] -= slope * (float)(k - query);
}
