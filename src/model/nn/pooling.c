/* pooling.c - mean or first token, and length 1: e = p / |p|, d_p = (d_e - e (e . d_e)) / |p|. */
#include "model/nn/pooling.h"

#include <math.h>
#include <string.h>

#include "model/nn/sums.h"

#define SHORTEST 1e-12 /* vectors below are not made longer than this allows */

float aq_pooling_run(const aq_model_config *config, const float *x, size_t tokens, float *out) {
  const size_t n = config->hidden;
  memcpy(out, x, n * sizeof *out);
  if (config->pooling == AQ_POOL_MEAN) {
    for (size_t t = 1; t < tokens; t++) {
      for (size_t i = 0; i < n; i++) out[i] += x[t * n + i];
    }
    for (size_t i = 0; i < n; i++) out[i] /= (float)tokens;
  }
  if (!config->normalize) return 1;
  double squares = 0;
  for (size_t i = 0; i < n; i++) squares += (double)out[i] * (double)out[i];
  const double length = sqrt(squares);
  const float factor = (float)(1 / (length > SHORTEST ? length : SHORTEST));
  for (size_t i = 0; i < n; i++) out[i] *= factor;
  return factor;
}

void aq_pooling_backward(const aq_model_config *config, const float *embedding, float factor, const float *d_out,
                         size_t tokens, float *d_x) {
  const size_t n = config->hidden, rows = config->pooling == AQ_POOL_MEAN ? tokens : 1;
  const bool divided = config->normalize && factor < (float)(1 / SHORTEST);
  const float along = divided ? (float)aq_row_dot(embedding, d_out, n) : 0, each = factor / (float)rows;
  for (size_t i = 0; i < n; i++) d_x[i] = (d_out[i] - embedding[i] * along) * each;
  for (size_t t = 1; t < rows; t++) memcpy(d_x + t * n, d_x, n * sizeof *d_x);
  if (rows < tokens) memset(d_x + rows * n, 0, (tokens - rows) * n * sizeof *d_x);
}
