/* token_draw.c - a token drawn from probabilities. */
#include "model/nn/token_draw.h"

#include "model/nn/sums.h"

size_t aq_token_draw(const float *p, size_t n, double u) {
  const double wanted = u * aq_row_sum(p, n);
  double sum = 0;
  size_t last = 0; /* that has any, for when rounding keeps the sum below */
  for (size_t i = 0; i < n; i++) {
    sum += (double)p[i];
    if (p[i] > 0) last = i;
    if (sum > wanted) return i;
  }
  return last;
}
