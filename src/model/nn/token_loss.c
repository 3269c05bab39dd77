/* token_loss.c - how much a token surprises. */
#include "model/nn/token_loss.h"

#include <math.h>

#include "kernels/kernels.h"

double aq_token_loss(const float *logits, size_t n, size_t token) {
  double lane[8] = {0};
  float largest = logits[0];
  for (size_t i = 1; i < n; i++) largest = logits[i] > largest ? logits[i] : largest;
  for (size_t i = 0; i < n; i++) lane[i % 8] += exp((double)logits[i] - (double)largest);
  return log(aq_lanes_total(lane)) + ((double)largest - (double)logits[token]);
}
